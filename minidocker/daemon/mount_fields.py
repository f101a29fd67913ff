"""``Binds``, ``Mounts``, ``Tmpfs`` and ``Volumes``: four spellings of what is mounted.

All of them become ``Mount`` values; inspect writes them back as ``Binds`` (what
makes a missing source), ``Mounts`` (what refuses it) and ``Tmpfs``.  Whether a mount is
possible is for ``containers/mounts.py`` to say.  Pure.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, Final

from minidocker.containers.mounts import short_form
from minidocker.containers.spec import Mount
from minidocker.daemon.fields import (
    a_list,
    flag,
    lower_keys,
    names,
    number,
    said,
    strings,
    text,
    words,
)
from minidocker.errors import InvalidParameter, Refused

PROPAGATIONS: Final = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_NO_VOLUMES: Final = "this engine has no volumes yet; use a bind mount, -v /host/path:/path"
_CONSISTENCIES: Final = ("", "consistent", "cached", "delegated", "default")


def read_mounts(host: Mapping[str, Any], volumes: Any) -> tuple[Mount, ...]:
    """Every mount that a create asks for, in order.

    ``host``: HostConfig with keys in lower case; ``volumes``: Config.Volumes.  Raises
    ``InvalidParameter`` for what is malformed, ``Refused`` for volumes.
    """
    driver = said(host, "VolumeDriver", text, "", "HostConfig.")
    if driver not in ("", "local"):
        raise Refused(f"HostConfig.VolumeDriver {driver} is not supported: {_NO_VOLUMES}")
    binds = said(host, "Binds", words, (), "HostConfig.")
    mounts = said(host, "Mounts", a_list, [], "HostConfig.")
    tmpfs = said(host, "Tmpfs", strings, {}, "HostConfig.")
    found = (
        *(parse_bind(bind) for bind in binds),
        *(parse_mount(mount) for mount in mounts),
        *(Mount("tmpfs", "", target, _options(options)) for target, options in tmpfs.items()),
    )
    # docker-py names a bind's target here as well; alone it asks for an anonymous volume.
    targets = {posixpath.normpath(mount.target) for mount in found}
    for path in () if volumes is None else names(volumes, "Volumes"):
        if posixpath.normpath(path) not in targets:
            raise Refused(f"-v {path} asks for a volume, and {_NO_VOLUMES}")
    return found


def parse_bind(bind: str) -> Mount:
    """``/host:/path[:options]`` (docs: docker run -v)."""
    source, colon, rest = bind.partition(":")
    target, _, options = rest.partition(":")
    if not source or (colon and not target) or ":" in options:
        raise InvalidParameter(f"invalid volume specification: '{bind}'")
    if not source.startswith("/"):
        raise Refused(f"-v {bind} names the volume {source}, and {_NO_VOLUMES}")
    if not colon:
        raise Refused(f"-v {bind} asks for a volume, and {_NO_VOLUMES}")
    return Mount("bind", source, target, _options(options), create_source=True)


def parse_mount(value: Any) -> Mount:
    """One of ``Mounts``, the long form (Engine API, Mount)."""
    given = lower_keys(value, "HostConfig.Mounts[]")
    kind = said(given, "Type", text, "", "Mount.")
    target = said(given, "Target", text, "", "Mount.")
    source = said(given, "Source", text, "", "Mount.")
    read_only = said(given, "ReadOnly", flag, False, "Mount.")
    consistency = said(given, "Consistency", text, "", "Mount.")
    bind, tmpfs = _bind_options(given, target), _tmpfs_options(given)
    if not target:
        raise InvalidParameter(
            f'invalid mount config for type "{kind}": field Target must not be empty'
        )
    if kind in ("volume", "image", "cluster"):
        raise Refused(f"a mount of type {kind} at {target}: {_NO_VOLUMES}")
    if kind not in ("bind", "tmpfs"):
        raise InvalidParameter(f'invalid mount config for type "{kind}": mount type unknown')
    if consistency not in _CONSISTENCIES:
        raise InvalidParameter(f"Mount.Consistency {consistency!r} is unknown")
    for key, owner in (("bindoptions", "bind"), ("tmpfsoptions", "tmpfs")):
        if given.get(key) and kind != owner:
            raise InvalidParameter(
                f'invalid mount config for type "{kind}": {key} go with type "{owner}" only'
            )
    for key in ("VolumeOptions", "ImageOptions", "ClusterOptions"):
        if said(given, key, lower_keys, {}, "Mount."):
            raise Refused(f"{key} of the mount at {target}: {_NO_VOLUMES}")
    options = ("ro",) if read_only else ()
    if kind == "tmpfs":
        if source:
            raise InvalidParameter(
                'invalid mount config for type "tmpfs": field Source must not be specified'
            )
        return Mount("tmpfs", "", target, options + tmpfs, long=True)
    if not source:
        raise InvalidParameter(
            'invalid mount config for type "bind": field Source must not be empty'
        )
    more, create = bind
    return Mount("bind", source, target, options + more, create_source=create, long=True)


def _bind_options(mount: Mapping[str, Any], target: str) -> tuple[tuple[str, ...], bool]:
    given = said(mount, "BindOptions", lower_keys, {}, "Mount.")
    where = "Mount.BindOptions."
    propagation = said(given, "Propagation", text, "", where)
    if propagation and propagation not in PROPAGATIONS:
        raise InvalidParameter(
            f'invalid mount config for type "bind": invalid propagation mode: {propagation}'
        )
    for key in ("ReadOnlyNonRecursive", "ReadOnlyForceRecursive"):
        if said(given, key, flag, False, where):
            raise Refused(
                f"BindOptions.{key} of the mount at {target} is not supported: a read-only "
                "bind covers the mounts below it wherever the kernel can do that"
            )
    recursion = ("bind",) if said(given, "NonRecursive", flag, False, where) else ()
    create = said(given, "CreateMountpoint", flag, False, where)
    return recursion + ((propagation,) if propagation else ()), create


def _tmpfs_options(mount: Mapping[str, Any]) -> tuple[str, ...]:
    """``Options`` are pairs of a name and perhaps a value: [["uid", "1000"], ["exec"]]."""
    given = said(mount, "TmpfsOptions", lower_keys, {}, "Mount.")
    size = said(given, "SizeBytes", number, 0, "TmpfsOptions.")
    mode = said(given, "Mode", number, 0, "TmpfsOptions.")
    if size < 0:
        raise InvalidParameter("TmpfsOptions.SizeBytes must not be negative")
    more = tuple(
        "=".join(words(pair, "TmpfsOptions.Options[]"))
        for pair in said(given, "Options", a_list, [], "TmpfsOptions.")
    )
    return (
        *((f"size={size}",) if size else ()),
        *((f"mode={mode:o}",) if mode else ()),
        *more,
    )


def _options(written: str) -> tuple[str, ...]:
    return tuple(option for option in written.split(",") if option)


def write_mounts(mounts: Sequence[Mount]) -> dict[str, Any]:
    """``Binds``, ``Mounts`` and ``Tmpfs`` of inspect's HostConfig."""
    short = [each for each in mounts if not each.long]
    binds = [short_form(each) for each in short if each.kind == "bind"]
    long = [_write_long(each) for each in mounts if each.long]
    tmpfs = {each.target: ",".join(each.options) for each in short if each.kind == "tmpfs"}
    written: dict[str, Any] = {"Binds": binds or None}
    if long:
        written["Mounts"] = long
    if tmpfs:
        written["Tmpfs"] = tmpfs
    return written


def _write_long(mount: Mount) -> dict[str, Any]:
    written: dict[str, Any] = {"Type": mount.kind, "Source": mount.source, "Target": mount.target}
    written["ReadOnly"] = "ro" in mount.options
    if mount.kind == "tmpfs":
        written["TmpfsOptions"] = _write_tmpfs_options(mount.options)
    else:
        said = [each for each in mount.options if each in PROPAGATIONS]
        written["BindOptions"] = {
            **({"Propagation": said[0]} if said else {}),
            **({"NonRecursive": True} if "bind" in mount.options else {}),
            **({"CreateMountpoint": True} if mount.create_source else {}),
        }
    return {name: value for name, value in written.items() if value}


def _write_tmpfs_options(options: Sequence[str]) -> dict[str, Any]:
    """What ``_tmpfs_options`` reads as the same."""
    written: dict[str, Any] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name == "size" and value.isdecimal() and "SizeBytes" not in written:
            written["SizeBytes"] = int(value)
        elif name == "mode" and "Mode" not in written:
            written["Mode"] = int(value, 8)
        elif option != "ro":
            written.setdefault("Options", []).append(option.split("=", 1))
    return written


def mount_points(mounts: Sequence[Mount]) -> list[dict[str, Any]]:
    """Inspect's ``Mounts`` (Engine API, MountPoint); what ``--tmpfs`` asks for is in HostConfig
    only."""
    return [
        {
            "Type": mount.kind,
            "Source": mount.source,
            "Destination": posixpath.normpath(mount.target),
            "Mode": "" if mount.long else ",".join(mount.options),
            "RW": "ro" not in mount.options,
            "Propagation": _propagation(mount) if mount.kind == "bind" else "",
        }
        for mount in mounts
        if mount.kind == "bind" or mount.long
    ]


def _propagation(mount: Mount) -> str:
    return next((each for each in mount.options if each in PROPAGATIONS), "rprivate")
