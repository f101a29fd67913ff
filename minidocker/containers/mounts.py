"""The file systems a container sees, as the runtime spec's ``mounts``.

Docker's defaults, then what the user asks for on top; a mount of the user's at
the same place replaces the default one, and parents come before what is in
them (moby daemon/oci_linux.go, ``withMounts``).
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from minidocker.containers.modes import HOST, NONE, Modes
from minidocker.containers.spec import Mount
from minidocker.errors import InvalidParameter, Refused, SystemFailure
from minidocker.linux.mountinfo import host_mounts, mount_of, parse_mountinfo

OciMount = dict[str, Any]

_PROPAGATIONS: Final = {
    *("private", "rprivate", "slave", "rslave", "shared", "rshared"),
    *("unbindable", "runbindable"),
}
# Options of -v that mean something on Docker Desktop or with SELinux only, or are the default.
_WITHOUT_EFFECT: Final = {"z", "Z", "nocopy", "consistent", "cached", "delegated", "rbind", ""}
_ONE_OF: Final = ({"ro", "rw"}, {"z", "Z"}, _PROPAGATIONS, {"consistent", "cached", "delegated"})
# Files that tell of the machine, which a container may be given others of.
_IN_PROC: Final = {
    *("/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps"),
    *("/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev"),
    *("/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled"),
}
_TMPFS_DEFAULTS: Final = ("noexec", "nosuid", "nodev", "rprivate")
_TMPFS_VALUES: Final = {
    **dict.fromkeys(("size", "nr_blocks", "nr_inodes"), r"\d+[kKmMgG%]?"),
    **dict.fromkeys(("uid", "gid"), r"\d+"),
    "mode": r"[0-7]{1,4}",
    "mpol": r".+",
}
_NEVER: Final = r"(?!)"
_TMPFS_FLAGS: Final = {
    *("", "defaults", "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync"),
    *("async", "atime", "noatime", "diratime", "nodiratime", "relatime", "strictatime", "bind"),
}
_OPPOSITES: Final = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro"}


def default_mounts(modes: Modes, shm_size: int, privileged: bool) -> list[OciMount]:
    """/proc, /dev, /sys and what is in them (moby oci/defaults.go)."""
    access = "rw" if privileged else "ro"
    safe = ["nosuid", "noexec", "nodev"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    mounts = [
        _mount("/proc", "proc", "proc", safe),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", pts),
        _mount("/sys", "sysfs", "sysfs", [*safe, access]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [access, *safe]),
    ]
    # The queues that this file system shows are those of the IPC namespace it is mounted in.
    mounts.append(_mount("/dev/mqueue", "mqueue", "mqueue", safe))
    if modes.ipc.kind == HOST:
        if os.path.isdir("/dev/shm"):
            mounts.append(_mount("/dev/shm", "bind", "/dev/shm", ["rbind", "rprivate"]))
    elif modes.ipc.kind != NONE:
        mounts.append(_mount("/dev/shm", "tmpfs", "shm", [*safe, "mode=1777", f"size={shm_size}"]))
    return mounts


def file_mounts(directory: Path) -> list[OciMount]:
    """/etc/resolv.conf, hostname and hosts, which the engine keeps for each container."""
    names = ("resolv.conf", "hostname", "hosts")
    return [
        _mount(f"/etc/{name}", "bind", str(directory / name), ["rbind", "rprivate"])
        for name in names
    ]


def all_mounts(
    defaults: Sequence[OciMount],
    files: Sequence[OciMount],
    asked: Iterable[Mount],
    read_only_root: bool,
) -> list[OciMount]:
    """The whole list in the order in which it is to be mounted."""
    own = [user_mount(each) for each in asked]
    places = {mount["destination"] for mount in own}
    kept = [mount for mount in defaults if not _replaced(mount["destination"], places)]
    if read_only_root:
        kept = [_read_only(mount) for mount in kept]
        files = [_read_only(mount) for mount in files]
    extra = [mount for mount in files if mount["destination"] not in places] + own
    extra.sort(key=lambda mount: _depth(mount["destination"]))
    return kept + extra


def user_mount(mount: Mount) -> OciMount:
    """One ``-v``, ``--mount`` or ``--tmpfs`` of the user's."""
    target = clean(mount.target)
    if mount.kind == "tmpfs":
        return _mount(target, "tmpfs", "tmpfs", tmpfs_options(mount.options))
    options = [option for option in mount.options if option not in _WITHOUT_EFFECT]
    recursive = "bind" if "bind" in options else "rbind"
    propagation = next((each for each in options if each in _PROPAGATIONS), "rprivate")
    access = ["ro"] if "ro" in options else []
    return _mount(target, "bind", mount.source, [recursive, *access, propagation])


def clean(path: str) -> str:
    """Without ``.``, ``..`` and doubled slashes, also not the two in front that POSIX allows."""
    return "/" + posixpath.normpath(path).lstrip("/")


def tmpfs_options(options: Sequence[str]) -> list[str]:
    """Docker's defaults (noexec, nosuid, nodev), each of which an option may undo."""
    undone = {_OPPOSITES[option] for option in options if option in _OPPOSITES}
    if _PROPAGATIONS & set(options):
        undone.add("rprivate")
    kept = [default for default in _TMPFS_DEFAULTS if default not in (*undone, *options)]
    return kept + [option for option in options if option]


def check_mounts(mounts: Iterable[Mount]) -> None:
    """Refuse what cannot be mounted, in Docker's words.  Raises ``InvalidParameter``.

    A missing source is an error with ``--mount``; ``-v`` will make a directory there.
    """
    seen: set[str] = set()
    for mount in mounts:
        config = f'invalid mount config for type "{mount.kind}"'
        if mount.kind == "bind" and not mount.long:
            config = f"invalid volume specification: '{short_form(mount)}': {config}"
        if mount.kind not in ("bind", "tmpfs"):
            raise Refused(f'mount type "{mount.kind}" is not supported yet: use bind or tmpfs')
        if not mount.target.startswith("/"):
            raise InvalidParameter(
                f"{config}: invalid mount path: '{mount.target}' mount path must be absolute"
            )
        target = clean(mount.target)
        if target == "/":
            raise InvalidParameter(f"{config}: invalid specification: destination can't be '/'")
        if target in seen:
            raise InvalidParameter(f"Duplicate mount point: {target}")
        seen.add(target)
        _check_proc(mount, target)
        if mount.kind == "bind":
            _check_bind(mount, config)
        for option in mount.options if mount.kind == "tmpfs" else ():
            _check_tmpfs(option)


def _check_proc(mount: Mount, target: str) -> None:
    """/proc is what the container's isolation rests on: nothing else may lie there
    (runc libcontainer/rootfs_linux.go, ``checkProcMount``)."""
    if target == "/proc":
        source = os.path.realpath(mount.source) if mount.kind == "bind" else ""
        if not source or mount_of(source, parse_mountinfo(host_mounts())).fstype != "proc":
            why = "it is not of type proc"
        else:
            return
    elif target.startswith("/proc/") and target not in _IN_PROC:
        why = "it is inside /proc"
    else:
        return
    raise InvalidParameter(
        f'error mounting "{mount.source or mount.kind}" to rootfs at "{target}": '
        f'"{target}" cannot be mounted because {why}'
    )


def _check_tmpfs(option: str) -> None:
    """tmpfs(5), and the flags of mount(8) that Docker takes (moby pkg/mount, ``validFlags``)."""
    name, equals, value = option.partition("=")
    if equals:
        good = bool(re.fullmatch(_TMPFS_VALUES.get(name, _NEVER), value))
    else:
        good = option in _TMPFS_FLAGS | _PROPAGATIONS
    if not good:
        words = " ".join(f'"{word}"' for word in option.split("=", 1))
        raise InvalidParameter(f"invalid tmpfs option [{words}]")


def _check_bind(mount: Mount, config: str) -> None:
    if not mount.source.startswith("/"):
        raise InvalidParameter(
            f"{config}: invalid mount path: '{mount.source}' mount path must be absolute"
        )
    for option in mount.options:
        if option not in (_WITHOUT_EFFECT | _PROPAGATIONS | {"ro", "rw", "bind"}):
            raise InvalidParameter(f"invalid mode: {','.join(mount.options)}")
    if any(len(kind & set(mount.options)) > 1 for kind in _ONE_OF):
        raise InvalidParameter(f"invalid mode: {','.join(mount.options)}")
    if not mount.create_source and not os.path.exists(mount.source):
        raise InvalidParameter(f"{config}: bind source path does not exist: {mount.source}")


def short_form(mount: Mount) -> str:
    """A bind as ``-v`` writes it."""
    return ":".join(filter(None, (mount.source, mount.target, ",".join(mount.options))))


def make_sources(mounts: Iterable[Mount]) -> None:
    """The directories that ``-v`` makes when its source is missing."""
    for mount in mounts:
        if mount.kind == "bind" and mount.create_source and not os.path.exists(mount.source):
            try:
                os.makedirs(mount.source, exist_ok=True)
            except OSError as error:
                raise SystemFailure(
                    f"error while creating mount source path '{mount.source}': "
                    f"mkdir {error.filename}: {error.strerror}"
                ) from error


def root_propagation(mounts: Iterable[OciMount]) -> str:
    """The propagation the root needs, so that shared and slave binds keep their peers.

    config-linux.md, "Rootfs Mount Propagation": there it has no recursive forms.
    """
    options = {option for mount in mounts for option in mount["options"]}
    if options & {"shared", "rshared"}:
        return "shared"
    return "slave" if options & {"slave", "rslave"} else "private"


def _mount(destination: str, kind: str, source: str, options: Sequence[str]) -> OciMount:
    return {
        "destination": destination,
        "type": kind,
        "source": source,
        "options": list(options),
    }


def _replaced(destination: str, places: set[str]) -> bool:
    # A user's own /dev takes the nodes' place too; nothing is mounted over it.
    return destination in places or ("/dev" in places and destination.startswith("/dev/"))


def _read_only(mount: OciMount) -> OciMount:
    if mount["destination"] in ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        return mount
    options = [option for option in mount["options"] if option not in ("ro", "rw")]
    return {**mount, "options": [*options, "ro"]}


def _depth(destination: str) -> int:
    return clean(destination).count("/")
