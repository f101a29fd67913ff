"""Paths inside of a root that is open as a descriptor, as whoever lives in there names them.

Every step is the kernel's, with the root as "/" (openat2(2), RESOLVE_IN_ROOT): whatever links
there are, and however they change meanwhile, nothing outside can be reached.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from dataclasses import dataclass
from typing import Final

from minidocker.linux import flags, syscalls

_INSIDE: Final = flags.RESOLVE_IN_ROOT | flags.RESOLVE_NO_MAGICLINKS
LINKS: Final = 255  # that are followed in one path, as Docker
ATTEMPTS: Final = 50


@dataclass(frozen=True)
class Path:
    """What ``docker cp`` was told, absolute and clean, but for its end: ``/`` and ``/.`` stay.

    They say that a directory is meant, also where a link to one is; with ``/.`` its
    content and not itself (moby pkg/archive/copy.go).
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Path:
        clean = "/" + posixpath.normpath(f"/{text}").lstrip("/")
        if posixpath.basename(text.rstrip("/")) == ".":
            return cls(clean.rstrip("/") + "/.")
        return cls(clean if clean == "/" or not text.endswith("/") else clean + "/")

    @property
    def name(self) -> str:
        """Its last part: "." and "/" for what ends so."""
        return posixpath.basename(self.text.rstrip("/")) or "/"

    @property
    def asserts_directory(self) -> bool:
        return self.text.endswith(("/", "/."))


def open_inside(root: int, path: str, how: int) -> int:
    """openat2(2) of ``path`` in the root.  Raises ``OSError`` with the path."""
    relative = path.lstrip("/") or "."
    for _ in range(ATTEMPTS):
        try:
            return syscalls.openat2(root, relative, how, _INSIDE)
        except BlockingIOError:
            continue  # something was renamed at that moment, and the kernel is not sure
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def open_directory(root: int, path: str) -> int:
    """The directory at ``path``, links followed, for reading."""
    return open_inside(root, path, os.O_RDONLY | os.O_DIRECTORY)


def status(root: int, path: Path) -> os.stat_result:
    """Of what is there; a link is followed only if the path asserts a directory."""
    how = os.O_PATH if path.asserts_directory else os.O_PATH | os.O_NOFOLLOW
    fd = open_inside(root, path.text, how)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def follow(root: int, path: str) -> str:
    """``path`` without links, as far as what it names is there; the rest as it is written.

    Raises ``OSError``: ELOOP, ENOTDIR.
    """
    todo, done, links = path.split("/")[::-1], list[str](), 0
    while todo:
        name = todo.pop()
        if name == "..":
            del done[-1:]
        if name in ("", ".", ".."):
            continue
        target = _target(root, "/".join((*done, name)))
        if target is None:
            done.append(name)
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            done.clear()
        todo += target.split("/")[::-1]
    return "/" + "/".join(done)


def _target(root: int, path: str) -> str | None:
    """Where the link at ``path`` leads; None for what is none, or not there."""
    try:
        fd = open_inside(root, path, os.O_PATH | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return os.readlink("", dir_fd=fd) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def mount_id(fd: int) -> str:
    """Which mount the open file is on (proc_pid_fdinfo(5))."""
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return next(line.split()[1] for line in file if line.startswith("mnt_id:"))


def is_read_only(fd: int) -> bool:
    """Whether nothing may be written to the mount the open file is on."""
    return bool(os.fstatvfs(fd).f_flag & os.ST_RDONLY)
