"""inotify(7): to be told when something in a directory changes."""

from __future__ import annotations

import os
from ctypes import CDLL, c_char_p, c_int, c_uint32, get_errno

IN_MODIFY = 0x2
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC

_libc = CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = [c_int, c_char_p, c_uint32]


def inotify_init1(flags: int) -> int:
    """A new descriptor, readable when there is news.  Raises ``OSError`` (EMFILE)."""
    fd = int(_libc.inotify_init1(flags))
    if fd < 0:
        raise OSError(get_errno(), f"inotify_init1: {os.strerror(get_errno())}")
    return fd


def inotify_add_watch(fd: int, path: str, mask: int) -> int:
    """Watch ``path``, and if it is a directory what is directly in it.  Raises ``OSError``."""
    watch = int(_libc.inotify_add_watch(fd, os.fsencode(path), mask))
    if watch < 0:
        raise OSError(get_errno(), f"inotify_add_watch: {os.strerror(get_errno())}", path)
    return watch
