"""From the OCI runtime spec's mounts to the steps that make them.

Pure: no kernel is asked anything here.  The order is the kernel's: nothing
mounted before the propagation is cut, all of the host's paths before
pivot_root, /dev's nodes into /dev's own tmpfs, masks over what is mounted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from minidocker.linux import flags
from minidocker.linux.plan import Step
from minidocker.namespaces.mounts import (
    BindMount,
    DetachParentMount,
    MakeNode,
    MakePropagation,
    MakeSymlink,
    MaskPath,
    MountFilesystem,
    MountOverlay,
    PivotRoot,
    ReadonlyPath,
    ReadonlyRoot,
    Remount,
)

DEFAULT_DEVICES = (
    # path, major, minor: Documentation/admin-guide/devices.txt; config-linux.md, "Default Devices"
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)
DEV_SYMLINKS = (
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)

_FLAGS = {
    "ro": flags.MS_RDONLY,
    "rro": flags.MS_RDONLY,
    "nosuid": flags.MS_NOSUID,
    "nodev": flags.MS_NODEV,
    "noexec": flags.MS_NOEXEC,
    "sync": flags.MS_SYNCHRONOUS,
    "dirsync": flags.MS_DIRSYNC,
    "mand": flags.MS_MANDLOCK,
    "noatime": flags.MS_NOATIME,
    "nodiratime": flags.MS_NODIRATIME,
    "relatime": flags.MS_RELATIME,
    "strictatime": flags.MS_STRICTATIME,
    "nosymfollow": flags.MS_NOSYMFOLLOW,
}
_NO_FLAGS = {
    "rw": flags.MS_RDONLY,
    "suid": flags.MS_NOSUID,
    "dev": flags.MS_NODEV,
    "exec": flags.MS_NOEXEC,
    "async": flags.MS_SYNCHRONOUS,
    "atime": flags.MS_NOATIME,
    "diratime": flags.MS_NODIRATIME,
    "norelatime": flags.MS_RELATIME,
    "nostrictatime": flags.MS_STRICTATIME,
    "defaults": 0,
    "ro-non-recursive": 0,
    "bind": 0,
    "rbind": 0,
}
# What "ro" means for the mounts below is said by these (config.md, "Linux mount options",
# has the first); without either it is done where the kernel can.
_BELOW = {"rro": True, "ro-non-recursive": False}
PROPAGATIONS = {
    "private": flags.MS_PRIVATE,
    "slave": flags.MS_SLAVE,
    "shared": flags.MS_SHARED,
    "unbindable": flags.MS_UNBINDABLE,
    "rprivate": flags.MS_PRIVATE | flags.MS_REC,
    "rslave": flags.MS_SLAVE | flags.MS_REC,
    "rshared": flags.MS_SHARED | flags.MS_REC,
    "runbindable": flags.MS_UNBINDABLE | flags.MS_REC,
}


class MountOptions(NamedTuple):
    flags: int
    propagation: int  # 0: not said
    recursive: bool
    data: str  # what is left for the file system itself


def parse_options(options: Iterable[str]) -> MountOptions:
    """mount(8)'s options as flags and data: ``["ro", "rslave", "size=64m"]``.

    A later option undoes an earlier one ("ro", then "rw"), as in fstab(5).
    """
    value, propagation, recursive, data = 0, 0, False, []
    for option in options:
        if option in _FLAGS:
            value |= _FLAGS[option]
        elif option in _NO_FLAGS:
            value &= ~_NO_FLAGS[option]
            recursive = recursive or option == "rbind"
        elif option in PROPAGATIONS:
            propagation = PROPAGATIONS[option]
        else:
            data.append(option)
    return MountOptions(value, propagation, recursive, ",".join(data))


def mount_step(root: str, mount: Mapping[str, Any]) -> Step:
    """One entry of the spec's ``mounts`` as a step (config.md, "Mounts")."""
    options = tuple(mount.get("options") or ())
    parsed = parse_options(options)
    target = mount["destination"]
    if mount.get("type") == "bind" or "bind" in options or "rbind" in options:
        return BindMount(
            source=mount["source"],
            root=root,
            target=target,
            mount_flags=parsed.flags,
            propagation=parsed.propagation or PROPAGATIONS["rprivate"],
            recursive=parsed.recursive,
            read_only_below=next((_BELOW[each] for each in options if each in _BELOW), None),
            subpath=mount.get("subpath", ""),
            inside=mount.get("inside", False),
        )
    return MountFilesystem(
        fstype=mount["type"],
        root=root,
        target=target,
        mount_flags=parsed.flags,
        data=parsed.data,
        source=mount.get("source", ""),
    )


def cgroup_steps(root: str, mount: Mapping[str, Any], procs_files: Sequence[str]) -> list[Step]:
    """/sys/fs/cgroup inside: only the container's own cgroups, by bind mounts.

    ``procs_files`` are the files by which the container joined.  One of them means
    cgroup v2: its directory is all there is.  Several are v1's hierarchies, each
    below /sys/fs/cgroup under the name of its controllers, and a tmpfs holds them.
    """
    target = mount["destination"]
    parsed = parse_options(mount.get("options") or ())

    def bind(source: str, at: str) -> BindMount:
        return BindMount(source=source, root=root, target=at, mount_flags=parsed.flags)

    if len(procs_files) == 1:
        return [bind(os.path.dirname(procs_files[0]), target)]
    holder = parsed.flags & ~flags.MS_RDONLY
    steps: list[Step] = [MountFilesystem("tmpfs", root, target, holder, "mode=755", "cgroup")]
    for path in procs_files:
        hierarchy = path.removeprefix("/sys/fs/cgroup/").partition("/")[0]
        steps.append(bind(os.path.dirname(path), f"{target}/{hierarchy}"))
        if "," in hierarchy:
            steps += [
                MakeSymlink(root, f"{target}/{each}", hierarchy) for each in hierarchy.split(",")
            ]
    if parsed.flags & flags.MS_RDONLY:
        # Read-only last: the mount points above had to be made in it.
        steps.append(Remount(root, target, parsed.flags))
    return steps


def rootfs_steps(
    spec: Mapping[str, Any], overlay: Mapping[str, Any], procs_files: Sequence[str]
) -> list[Step]:
    """Everything from the first mount to pivot_root."""
    root = spec["root"]["path"]
    linux = spec.get("linux", {})
    propagation = linux.get("rootfsPropagation") or "rslave"
    if "shared" in propagation:
        steps: list[Step] = [DetachParentMount(root)]
    else:
        # Slave, not private: what the host unmounts goes away here too, instead
        # of being kept busy by a container that never asked for it.
        steps = [MakePropagation("/", PROPAGATIONS["rslave"])]
    steps.append(overlay_step(overlay, root))
    if "private" in propagation:
        steps.append(MakePropagation(root, flags.MS_PRIVATE))
    for mount in spec.get("mounts") or ():
        if mount.get("type") in ("cgroup", "cgroup2"):
            if procs_files:
                steps += cgroup_steps(root, mount, procs_files)
        else:
            steps.append(mount_step(root, mount))
    return [*steps, *device_steps(root, linux.get("devices") or ()), PivotRoot(root)]


def overlay_step(overlay: Mapping[str, Any], root: str) -> MountOverlay:
    """``{"lower": [...], "upper": ..., "work": ...}``, absolute, as one mount.

    Names become relative to the directory that most of them share, the image's layers',
    to keep the options short.
    """
    lower, upper, work = overlay["lower"], overlay["upper"], overlay["work"]
    base = os.path.dirname(lower[-1])
    return MountOverlay(
        base=base,
        lower=tuple(os.path.relpath(path, base) for path in lower),
        upper=os.path.relpath(upper, base),
        work=os.path.relpath(work, base),
        target=root,
    )


def device_steps(root: str, devices: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The nodes every container has, the ones it was given, and /dev's links."""
    given = {device["path"] for device in devices}
    steps: list[Step] = [
        MakeNode(root, path, "c", major, minor)
        for path, major, minor in DEFAULT_DEVICES
        if path not in given
    ]
    for device in devices:
        steps.append(
            MakeNode(
                root,
                device["path"],
                "c" if device["type"] == "u" else device["type"],
                device.get("major", 0),
                device.get("minor", 0),
                device.get("fileMode", 0o666),
                device.get("uid", 0),
                device.get("gid", 0),
            )
        )
    return steps + [MakeSymlink(root, path, to) for path, to in DEV_SYMLINKS]


def closing_steps(spec: Mapping[str, Any]) -> list[Step]:
    """After pivot_root: what must not be written, or not be seen."""
    linux = spec.get("linux", {})
    steps: list[Step] = [ReadonlyPath(path) for path in linux.get("readonlyPaths") or ()]
    steps += [MaskPath(path) for path in linux.get("maskedPaths") or ()]
    if spec["root"].get("readonly"):
        steps.append(ReadonlyRoot())
    return steps
