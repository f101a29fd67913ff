"""System calls that Python's standard library does not have on 3.11.

Each function bears the call's own name, checks the result and has no policy:
it returns what the kernel returned or raises ``OSError`` with errno and, where
there is one, the path.  Manual pages: section 2 of the Linux man-pages.
"""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_prctl = _libc.prctl  # unsigned long or pointer, by option: c_void_p takes both
_prctl.argtypes = (ctypes.c_int, ctypes.c_void_p, *[ctypes.c_ulong] * 3)

_MACHINE = os.uname().machine

# The few calls for which the C library has no function everywhere.  Calls newer
# than 5.0 have the same number on every architecture.
NR = {
    "seccomp": {"x86_64": 317, "aarch64": 277}.get(_MACHINE, 277),
    "pivot_root": {"x86_64": 155, "aarch64": 41}.get(_MACHINE, 41),
    "capset": {"x86_64": 126, "aarch64": 91}.get(_MACHINE, 91),
    "capget": {"x86_64": 125, "aarch64": 90}.get(_MACHINE, 90),
    "keyctl": {"x86_64": 250, "aarch64": 219}.get(_MACHINE, 219),
    "bpf": {"x86_64": 321, "aarch64": 280}.get(_MACHINE, 280),
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}


def _check(result: int, *paths: str | None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        names = [path for path in paths if path]
        if len(names) > 1:
            raise OSError(number, os.strerror(number), names[0], None, names[1])
        if names:
            raise OSError(number, os.strerror(number), names[0])
        raise OSError(number, os.strerror(number))
    return result


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def mount(
    source: str | None, target: str, fstype: str | None, flags: int = 0, data: str | None = None
) -> None:
    """mount(2).  ``data`` is the file system's own options, at most one page."""
    result = _libc.mount(
        _text(source), _text(target), _text(fstype), ctypes.c_ulong(flags), _text(data)
    )
    _check(result, source if source and source.startswith("/") else None, target)


def mount_setattr(dir_fd: int, path: str, flags: int, attr_set: int, propagation: int = 0) -> None:
    """mount_setattr(2), with nothing to clear; AT_RECURSIVE in ``flags`` takes the whole tree."""
    attributes = struct.pack("QQQQ", attr_set, 0, propagation, 0)
    result = _syscall(
        NR["mount_setattr"], dir_fd, _text(path), flags, ctypes.c_char_p(attributes), 32
    )
    _check(result, path)


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(_text(target), flags), target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _check(_syscall(NR["pivot_root"], _text(new_root), _text(put_old)), new_root, put_old)


def unshare(flags: int) -> None:
    """unshare(2).  (``os.unshare`` from Python 3.12 on.)"""
    _check(_libc.unshare(flags))


def setns(fd: int, flags: int = 0) -> None:
    """setns(2); ``fd`` is a namespace or a pidfd.  (``os.setns`` from Python 3.12 on.)"""
    _check(_libc.setns(fd, flags))


def openat2(dir_fd: int, path: str, flags: int, resolve: int = 0, mode: int = 0) -> int:
    """openat2(2): open with a say in how the path is resolved; returns a descriptor."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return _check(
        _syscall(NR["openat2"], dir_fd, _text(path), ctypes.c_char_p(how), len(how)), path
    )


def prctl(option: int, arg2: int | bytes = 0, arg3: int = 0) -> int:
    """prctl(2).  ``arg2``: a number, or a string that the kernel reads."""
    return _check(_prctl(option, arg2, arg3, 0, 0))


_CAPABILITY_VERSION_3 = 0x20080522


def capget(pid: int = 0) -> tuple[int, int, int]:
    """capget(2): the effective, permitted and inheritable sets as bit masks."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, pid)
    data = ctypes.create_string_buffer(24)
    _check(_syscall(NR["capget"], ctypes.c_char_p(header), data))
    low_e, low_p, low_i, high_e, high_p, high_i = struct.unpack("6I", data.raw)
    return low_e | high_e << 32, low_p | high_p << 32, low_i | high_i << 32


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for the calling thread; each set is a bit mask."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = 0xFFFFFFFF, 32
    data = struct.pack(
        "6I",
        effective & low,
        permitted & low,
        inheritable & low,
        effective >> high,
        permitted >> high,
        inheritable >> high,
    )
    _check(_syscall(NR["capset"], ctypes.c_char_p(header), ctypes.c_char_p(data)))


def seccomp_set_mode_filter(program: bytes) -> None:
    """seccomp(2) with SECCOMP_SET_MODE_FILTER; ``program`` is an array of sock_filter."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    _check(_syscall(NR["seccomp"], 1, 0, ctypes.c_char_p(fprog)))


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """close_range(2)."""
    _check(_syscall(NR["close_range"], ctypes.c_uint(first), ctypes.c_uint(last), flags))


def keyctl_join_session_keyring(name: str) -> int:
    """keyctl(2) with KEYCTL_JOIN_SESSION_KEYRING: a session keyring of our own."""
    return _check(_syscall(NR["keyctl"], 1, _text(name)))


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = os.fsencode(name)
    _check(_libc.sethostname(raw, len(raw)))


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    raw = os.fsencode(name)
    _check(_libc.setdomainname(raw, len(raw)))
