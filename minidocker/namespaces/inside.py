"""Paths inside a container's root, resolved as the container would see them.

The image wrote the tree, so any part of a path may be a symbolic link to
anywhere.  The kernel resolves it with the root as "/" (openat2(2),
RESOLVE_IN_ROOT): a link to /etc leads to the container's /etc.
"""

from __future__ import annotations

import errno
import os
import posixpath

from minidocker.linux import flags, syscalls

MAX_LINKS = 40  # as the kernel's own walk (path_resolution(7))


def open_in_root(root: str, path: str, how: int = os.O_PATH) -> int:
    """A descriptor of ``path`` below ``root``; links stay inside.  Raises ``OSError``."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        relative = path.lstrip("/") or "."
        return syscalls.openat2(
            root_fd, relative, how, flags.RESOLVE_IN_ROOT | flags.RESOLVE_NO_MAGICLINKS
        )
    finally:
        os.close(root_fd)


def make_in_root(
    root: str, path: str, directory: bool, mode: int = 0o755, links: int = MAX_LINKS
) -> int:
    """Like ``open_in_root``, but what is missing is made first.

    Missing parents become directories (0755, root's); the last name a directory
    or an empty file, as ``directory`` says: something to mount on.  Where a link leads to
    what is missing, that is made, inside; at most ``links`` of them are followed.
    """
    try:
        return open_in_root(root, path)
    except FileNotFoundError:
        pass
    parent, name = posixpath.split(posixpath.normpath("/" + path.lstrip("/")))
    if not name:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), root)
    parent_fd = make_in_root(root, parent, directory=True)
    try:
        if directory:
            os.mkdir(name, mode, dir_fd=parent_fd)
        else:
            made = os.open(
                name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=parent_fd
            )
            os.close(made)
    except FileExistsError:
        if not links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
        target = posixpath.join(parent, os.readlink(name, dir_fd=parent_fd))
        return make_in_root(root, target, directory, mode, links - 1)
    finally:
        os.close(parent_fd)
    return open_in_root(root, path)


def through(fd: int) -> str:
    """The path by which mount(2) can name what ``fd`` holds."""
    return f"/proc/self/fd/{fd}"
