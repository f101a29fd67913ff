"""``-v`` and ``--mount``: two ways to say what is mounted where.

``-v`` is colon-separated and lenient (a missing source is made by the
daemon); ``--mount`` is a line of CSV whose fields are key=value, and strict.
"""

from __future__ import annotations

import os.path
import re
from typing import Any

from minidocker.client.flags import parse_bool
from minidocker.client.units import parse_bytes
from minidocker.errors import InvalidParameter

Json = dict[str, Any]

KEYS = {"target": "Target", "destination": "Target", "dst": "Target"}
KEYS |= {"source": "Source", "src": "Source", "type": "Type", "consistency": "Consistency"}

# Keys that may stand alone, meaning true.
ALONE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src")


def parse_volume(text: str, cwd: str) -> str:
    """``source:target[:options]``, a source that begins with "." made absolute from ``cwd``.

    Without a source it comes back as it is: the path of an anonymous volume.
    """
    if not text:
        raise InvalidParameter("invalid empty volume spec")
    source, given, rest = text.partition(":")
    if given and not all(text.split(":")):
        raise InvalidParameter(f"invalid spec: {text}: empty section between colons")
    if given and source.startswith("."):
        source = os.path.normpath(os.path.join(cwd, source))
    return f"{source}:{rest}" if given else text


def parse_mount(text: str) -> Json:
    """A mount of the create request (Engine API, ``Mount``) from ``type=bind,src=/a,dst=/b,ro``.

    Raises ``InvalidParameter`` with Docker's text.
    """
    mount: Json = {"Type": "volume"}
    for field in _fields(text):
        key, given, value = field.partition("=")
        key = key.lower()
        if not given and key not in ALONE:
            raise InvalidParameter(f"invalid field '{field}' must be a key=value pair")
        if key in KEYS:
            mount[KEYS[key]] = value.lower() if key == "type" else value
        elif key in ("readonly", "ro"):
            mount["ReadOnly"] = _truth(key, value, given)
        else:
            _option(mount, key, value, given, field)
    _check(mount)
    return {key: value for key, value in mount.items() if value not in (False, "")}


def _fields(text: str) -> list[str]:
    if not text:
        raise InvalidParameter("EOF")
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise InvalidParameter(str(error)) from error


def _truth(key: str, value: str, given: str) -> bool:
    try:
        return parse_bool(value) if given else True
    except InvalidParameter:
        raise InvalidParameter(f"invalid value for {key}: {value}") from None


def _option(mount: Json, key: str, value: str, given: str, field: str) -> None:
    """A key that belongs to one type of mount: ``bind-...``, ``volume-...``, ``tmpfs-...``."""
    bind = mount.setdefault("BindOptions", {}) if key.startswith("bind-") else {}
    if key == "bind-propagation":
        bind["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        bind["NonRecursive"] = _truth(key, value, given)
    elif key == "bind-create-src":
        bind["CreateMountpoint"] = _truth(key, value, given)
    elif key == "bind-recursive":
        bind.update(_recursive(value))
    elif key in ("tmpfs-size", "tmpfs-mode"):
        mount.setdefault("TmpfsOptions", {}).update(_tmpfs(key, value))
    elif key.startswith("volume-"):
        _volume(mount.setdefault("VolumeOptions", {}), key, value, given, field)
    elif key == "image-subpath":
        mount["ImageOptions"] = {"Subpath": value}
    else:
        raise InvalidParameter(f"unexpected key '{key}' in '{field}'")


def _recursive(value: str) -> Json:
    options = {
        "enabled": {},
        "disabled": {"NonRecursive": True},
        "writable": {"ReadOnlyNonRecursive": True},
        "readonly": {"ReadOnlyForceRecursive": True},
    }
    if value not in options:
        raise InvalidParameter(
            f"invalid value for bind-recursive: {value} "
            '(must be "enabled", "disabled", "writable", or "readonly")'
        )
    return options[value]


def _tmpfs(key: str, value: str) -> Json:
    try:
        if key == "tmpfs-size":
            return {"SizeBytes": parse_bytes(value)}
        if re.fullmatch("[0-7]+", value):
            return {"Mode": int(value, 8)}
    except InvalidParameter:
        pass
    raise InvalidParameter(f"invalid value for {key}: {value}")


def _volume(options: Json, key: str, value: str, given: str, field: str) -> None:
    name, _, content = value.partition("=")
    if key == "volume-nocopy":
        options["NoCopy"] = _truth(key, value, given)
    elif key == "volume-subpath":
        options["Subpath"] = value
    elif key == "volume-label":
        options.setdefault("Labels", {})[name] = content
    elif key == "volume-driver":
        options.setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        options.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = content
    else:
        raise InvalidParameter(f"unexpected key '{key}' in '{field}'")


def _check(mount: Json) -> None:
    if not mount["Type"]:
        raise InvalidParameter("type is required")
    if not mount.get("Target"):
        raise InvalidParameter("target is required")
    for kind in ("bind", "volume", "tmpfs"):
        if f"{kind.title()}Options" in mount and mount["Type"] != kind:
            raise InvalidParameter(
                f"cannot mix '{kind}-*' options with mount type '{mount['Type']}'"
            )
    if mount.get("BindOptions", {}).get("ReadOnlyForceRecursive") and not mount.get("ReadOnly"):
        raise InvalidParameter(
            "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"
        )
