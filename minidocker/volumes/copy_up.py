"""Copy-up: an empty volume is filled with what the image has where it is mounted.

Everything a file is goes along: owner, mode, times, extended attributes, hard links, holes,
links, devices.  The tree is copied beside the volume's data, under the name ``copying``; a
rename makes it ``copied``, and from there each name moves into the data (``finish``).  A
``kill -9`` at any moment leaves a volume that is empty, or one that the next start completes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from minidocker.linux import flags, syscalls

DATA: Final = "_data"
COPYING: Final = "copying"
COPIED: Final = "copied"
TREE: Final = "tree"  # in both of them: what is to be the volume's
WHERE: Final = "where"  # and a symbolic link, whose text is the subpath
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def fill(source: int, volume: Path, subpath: str = "") -> None:
    """Copy the directory that is open as ``source`` into the volume's, if that is empty.

    ``volume``: its directory, above ``_data``.  ``subpath``: a directory in there, that is
    filled instead; nothing happens when it is missing, or no directory.  Raises ``OSError``.
    """
    if not _is_empty(volume / DATA, subpath):
        return
    aside = volume / COPYING
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(mode=0o700)
        (aside / WHERE).symlink_to(subpath or ".")
        (aside / TREE).mkdir()
        with _opened(aside / TREE) as tree, _opened(aside) as top:
            copy_tree(source, tree)
            copy_metadata(source, top, os.fstat(source))  # the tree's own times will change
    except BaseException:
        # Whatever it was, also a full disk: the volume is as it was.
        shutil.rmtree(aside, ignore_errors=True)
        raise
    os.rename(aside, volume / COPIED)
    finish(volume)


def finish(volume: Path) -> None:
    """Move what was copied to where it belongs, and drop what was not copied to its end.

    A name that somebody made there meanwhile stays.  Do it at every start of the daemon.
    """
    shutil.rmtree(volume / COPYING, ignore_errors=True)
    copied = volume / COPIED
    if not copied.is_dir():
        return
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        _opened(copied) as top,
        _opened(copied / TREE) as tree,
        open_beneath(volume / DATA, os.readlink(copied / WHERE)) as target,
    ):
        there = set(os.listdir(target))
        for name in os.listdir(tree):
            if name not in there:
                os.rename(name, name, src_dir_fd=tree, dst_dir_fd=target)
        copy_metadata(top, target, os.fstat(top))
    shutil.rmtree(copied)


class open_beneath:
    """``with open_beneath(directory, path) as fd``: a directory that no link leads out of."""

    def __init__(self, directory: Path, path: str) -> None:
        self._directory, self._path = directory, path

    def __enter__(self) -> int:
        top = os.open(self._directory, _FOLDER)
        try:
            how = os.O_RDONLY | os.O_DIRECTORY
            beneath = flags.RESOLVE_BENEATH | flags.RESOLVE_NO_MAGICLINKS
            self._fd = syscalls.openat2(top, self._path or ".", how, beneath)
        finally:
            os.close(top)
        return self._fd

    def __exit__(self, *error: object) -> None:
        os.close(self._fd)


def _is_empty(data: Path, subpath: str) -> bool:
    try:
        with open_beneath(data, subpath) as fd:
            return not os.listdir(fd)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EXDEV, errno.ELOOP):
            return False  # it cannot be mounted either, and the start says why
        raise


def copy_tree(source: int, target: int) -> None:
    """Copy all that is in one open directory into another, and make that look like the first.

    Both may be changed by others meanwhile: no link is followed anywhere.  Sockets are left
    out; nobody listens there.  Raises ``OSError``.
    """
    _Copy(target).directory(source, target, ".")


class _Copy:
    """``_links``: the file -> where its first name was copied to, below ``_top``."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._links: dict[tuple[int, int], str] = {}

    def directory(self, source: int, target: int, path: str) -> None:
        for name in sorted(os.listdir(source)):
            self._entry(source, target, name, f"{path}/{name}")
        copy_metadata(source, target, os.fstat(source))

    def _entry(self, source: int, target: int, name: str, path: str) -> None:
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFSOCK:
            return
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=target)
            with _opened(name, _FOLDER, source) as old, _opened(name, _FOLDER, target) as new:
                self.directory(old, new, path)
            return
        first = self._links.get((status.st_dev, status.st_ino))
        if first is not None:
            self._link(first, target, name)
            return
        if status.st_nlink > 1:
            self._links[status.st_dev, status.st_ino] = path
        if kind == stat.S_IFREG:
            reading = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            writing = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with _opened(name, reading, source) as old, _opened(name, writing, target) as new:
                copy_bytes(old, new, os.fstat(old).st_size)
                copy_metadata(old, new, status)
            return
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        else:
            os.mknod(name, kind | 0o600, status.st_rdev, dir_fd=target)
        _copy_metadata_at(source, target, name, status)

    def _link(self, first: str, target: int, name: str) -> None:
        how = flags.RESOLVE_BENEATH | flags.RESOLVE_NO_SYMLINKS
        fd = syscalls.openat2(self._top, first, os.O_PATH | os.O_NOFOLLOW, how)
        try:
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=target, follow_symlinks=True)
        finally:
            os.close(fd)


@contextlib.contextmanager
def _opened(name: str | Path, how: int = _FOLDER, directory: int | None = None) -> Iterator[int]:
    fd = os.open(name, how, 0o600, dir_fd=directory)
    try:
        yield fd
    finally:
        os.close(fd)


def copy_bytes(source: int, target: int, size: int) -> None:
    """The bytes of one open file into another that is empty; holes stay holes (lseek(2))."""
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # nothing but a hole up to the end
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(target, start, os.SEEK_SET)
        while start < end and (sent := os.sendfile(target, source, start, end - start)):
            start += sent
    os.ftruncate(target, size)


def copy_metadata(source: int, target: int, status: os.stat_result) -> None:
    """Owner before mode, since chown(2) clears setuid; times last, since all else changes them."""
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    _copy_xattrs(f"/proc/self/fd/{source}", f"/proc/self/fd/{target}", follow=True)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_metadata_at(source: int, target: int, name: str, status: os.stat_result) -> None:
    """The same for what cannot be opened: links, which have no mode, devices and pipes."""
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)
    # There is no *at form of these; the descriptors' own paths cannot lead astray.
    _copy_xattrs(f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}", follow=False)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _copy_xattrs(source: str, target: str, follow: bool) -> None:
    try:
        for name in os.listxattr(source, follow_symlinks=follow):
            value = os.getxattr(source, name, follow_symlinks=follow)
            os.setxattr(target, name, value, follow_symlinks=follow)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # a file system without any
            raise
