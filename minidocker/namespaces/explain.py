"""Why did the kernel say no?  errno, the step, and a look at the machine.

One errno of one call has several causes ("EINVAL" of pivot_root has three).
The causes that can be told apart by looking are looked at, here, in the very
process that failed, and the sentence names the one that holds.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from minidocker.linux.mountinfo import Mounted, mount_of, parse_mountinfo
from minidocker.linux.plan import Step
from minidocker.namespaces.mounts import BindMount, MountOverlay, PivotRoot
from minidocker.namespaces.process import (
    ChangeDirectory,
    JoinCgroup,
    JoinNamespaces,
    SetRlimit,
    Unshare,
    WriteSysctl,
)
from minidocker.namespaces.program import ExecProgram
from minidocker.namespaces.users import BecomeUser


def explain(step: Step, error: OSError) -> str:
    """One sentence for the user: what failed, on what, and why if that can be seen."""
    if isinstance(step, (ExecProgram, BecomeUser)):
        return error.strerror or str(error)
    where = " -> ".join(str(name) for name in (error.filename, error.filename2) if name)
    what = f"{step.describe()}: {error.strerror}" + (f" ({where})" if where else "")
    looker = _LOOKERS.get(type(step))
    reason = looker(step, error) if looker else ""
    return f"{what}: {reason}" if reason else what


def _unshare(step: Step, error: OSError) -> str:
    if error.errno == errno.EPERM:
        for path, wanted, advice in (
            ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor restricts"),
            ("/proc/sys/kernel/unprivileged_userns_clone", "0", "the sysctl forbids"),
        ):
            if _read(path) == wanted and os.geteuid() != 0:
                return f"{advice} user namespaces of ordinary users; see {path}"
        return "CAP_SYS_ADMIN is missing; run the daemon as root"
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "a limit in /proc/sys/user/max_*_namespaces is reached; raise it"
    if error.errno == errno.EINVAL:
        return "this kernel was built without one of these namespaces; see ls /proc/self/ns"
    return ""


def _pivot_root(step: Step, error: OSError) -> str:
    assert isinstance(step, PivotRoot)
    if error.errno != errno.EINVAL:
        return ""
    if not os.path.ismount(step.root):
        return "the new root is not a mount point"
    mounts = _mounts()
    for mount in mounts:
        if mount.point in ("/", step.root) and any(tag.startswith("shared:") for tag in mount.tags):
            return f'the mount "{mount.point}" is shared; it must be private or slave first'
    if mounts and mounts[0].fstype == "rootfs":
        return "the machine runs from its initramfs, which cannot be pivoted away"
    return ""


def _overlay(step: Step, error: OSError) -> str:
    assert isinstance(step, MountOverlay)
    if error.errno == errno.ENODEV:
        return "the kernel has no overlayfs; try modprobe overlay"
    directories = [os.path.join(step.base, name) for name in (step.upper, step.work, *step.lower)]
    for path in directories:
        if not os.path.isdir(path):
            return f"the directory {os.path.normpath(path)} is missing"
    if error.errno == errno.EINVAL:
        kind = _fstype(os.path.join(step.base, step.upper))
        if kind == "overlay":
            return (
                "the data root is itself on overlayfs, which cannot be an upper layer; "
                "put --data-root on another file system (a volume)"
            )
        if len(step.options) >= os.sysconf("SC_PAGE_SIZE"):
            return f"the options are longer than a page: {len(step.lower)} layers are too many"
    if error.errno == errno.EBUSY:
        return "another container has mounted the same upper directory"
    return ""


def _bind(step: Step, error: OSError) -> str:
    assert isinstance(step, BindMount)
    if step.subpath and error.filename == step.subpath:
        if error.errno in (errno.EXDEV, errno.ELOOP):
            return f"the subpath {step.subpath} leads out of the volume"
        return f"cannot access path {step.source}/{step.subpath}"
    if error.errno == errno.ENOENT and not os.path.exists(step.source):
        return f"the source {step.source} does not exist"
    if error.errno in (errno.ENOTDIR, errno.EISDIR):
        return "a directory cannot be mounted on a file, nor a file on a directory"
    if error.errno == errno.ENOSYS:
        return "mounts below can be made read-only since Linux 5.12, and this kernel is older"
    if error.errno == errno.EPERM:
        return "a flag of the source's mount is locked and may not be dropped"
    return ""


def _cgroup(step: Step, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "the cgroup was removed before the container joined it"
    if error.errno == errno.EBUSY:
        return "the cgroup passes controllers on to children, so it cannot hold processes itself"
    if error.errno == errno.ENOSPC:
        return "its cpuset has no cpus or no mems"
    if error.errno == errno.EAGAIN:
        return "its pids limit is reached"
    return ""


def _sysctl(step: Step, error: OSError) -> str:
    assert isinstance(step, WriteSysctl)
    if error.errno == errno.ENOENT:
        return f"this kernel has no setting {step.name}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this setting is not one of the container's own namespaces"
    return ""


def _rlimit(step: Step, error: OSError) -> str:
    if error.errno == errno.EPERM:
        return "raising a hard limit needs CAP_SYS_RESOURCE, which this machine does not give"
    return ""


def _directory(step: Step, error: OSError) -> str:
    assert isinstance(step, ChangeDirectory)
    if error.errno == errno.ENOTDIR:
        return f"{step.path} is not a directory in the image"
    return ""


def _joining(step: Step, error: OSError) -> str:
    if error.errno == errno.ESRCH:
        return "the container whose namespace is to be shared has ended"
    return ""


_LOOKERS: dict[type[Step], Callable[[Step, OSError], str]] = {
    Unshare: _unshare,
    PivotRoot: _pivot_root,
    MountOverlay: _overlay,
    BindMount: _bind,
    JoinCgroup: _cgroup,
    WriteSysctl: _sysctl,
    SetRlimit: _rlimit,
    ChangeDirectory: _directory,
    JoinNamespaces: _joining,
}


def _read(path: str) -> str:
    try:
        # As the kernel writes it: a name may be any bytes, and a carriage return ends no line.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read().strip()
    except OSError:
        return ""


def _mounts() -> list[Mounted]:
    return parse_mountinfo(_read("/proc/self/mountinfo"))


def _fstype(path: str) -> str:
    """The type of the file system that holds ``path``."""
    return mount_of(os.path.realpath(path), _mounts()).fstype
