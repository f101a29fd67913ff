"""What a file is besides its bytes: owner, mode, extended attributes, time; and their order.

Owner before mode, for chown(2) clears the setuid and setgid bits; extended
attributes after the owner, for chown clears file capabilities too; times last, for
everything else changes them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minidocker.layers.whiteout import is_overlays_own

_FEWER_RIGHTS = {errno.EPERM, errno.EACCES}


@dataclass(frozen=True)
class Metadata:
    """``mode``: permission bits only.  ``mtime``: nanoseconds since the epoch."""

    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def read_metadata(path: str | Path, status: os.stat_result | None = None) -> Metadata:
    """The metadata of the file itself, no link followed.  ``status``: of it, if known."""
    status = status or os.lstat(path)
    return Metadata(
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_mtime_ns,
        read_xattrs(path),
    )


def read_xattrs(path: str | Path | int) -> dict[str, bytes]:
    """Extended attributes by name, sorted, without those of overlayfs."""
    follow = isinstance(path, int)  # a descriptor is no link
    try:
        names = os.listxattr(path, follow_symlinks=follow)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    return {
        name: os.getxattr(path, name, follow_symlinks=follow)
        for name in sorted(names)
        if not is_overlays_own(name)
    }


def write_metadata(fd: int, metadata: Metadata) -> list[str]:
    """Give an open file or directory its metadata.

    Without root the owner stays, and attributes that only root may set are left
    out; everywhere those that the file system does not have.  Returns the names of
    the attributes that were left out.  Raises ``OSError``.
    """
    if _is_root():
        os.fchown(fd, metadata.uid, metadata.gid)
    os.fchmod(fd, metadata.mode)
    skipped = _write_xattrs(fd, metadata.xattrs) if metadata.xattrs else []
    os.utime(fd, ns=(metadata.mtime, metadata.mtime))
    return skipped


def write_metadata_at(parent: int, name: str, metadata: Metadata, link: bool) -> list[str]:
    """The same for what cannot be opened: a symbolic link (which has no mode), a device, a FIFO.

    It is ``name`` in the directory open as ``parent``.
    """
    if _is_root():
        os.chown(name, metadata.uid, metadata.gid, dir_fd=parent, follow_symlinks=False)
    if not link:
        os.chmod(name, metadata.mode, dir_fd=parent)
    # setxattr has no *at form; the descriptor's own path cannot lead astray.
    path = f"/proc/self/fd/{parent}/{name}"
    skipped = _write_xattrs(path, metadata.xattrs) if metadata.xattrs else []
    times = (metadata.mtime, metadata.mtime)
    os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
    return skipped


def clear_xattrs(fd: int, keep: Collection[str]) -> None:
    """Take away the open file's extended attributes, but for overlayfs's and those to ``keep``."""
    for name in read_xattrs(fd):
        if name not in keep:
            with contextlib.suppress(PermissionError):  # the security module's own
                os.removexattr(fd, name)


def copy_metadata(source: str | Path, target: str | Path) -> None:
    """Make the directory ``target`` look like the directory ``source``."""
    fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        write_metadata(fd, read_metadata(source))
    finally:
        os.close(fd)


def _write_xattrs(where: int | str, xattrs: Mapping[str, bytes]) -> list[str]:
    skipped = []
    for name, value in xattrs.items():
        if is_overlays_own(name):
            skipped.append(name)
            continue
        try:
            os.setxattr(where, name, value, follow_symlinks=isinstance(where, int))
        except OSError as error:
            refused = error.errno in _FEWER_RIGHTS and (not _is_root() or name.startswith("user."))
            if error.errno != errno.ENOTSUP and not refused:
                raise
            skipped.append(name)
    return skipped


def _is_root() -> bool:
    return os.geteuid() == 0
