"""A reader of classic BPF, as seccomp(2) runs it: what a filter says of one system call.

Written from the kernel's filter.rst and apart from libseccomp, whose programs it runs.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence

# <linux/audit.h>, AUDIT_ARCH_*
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003

# <linux/seccomp.h>, SECCOMP_RET_*
KILL, TRAP, ERRNO, TRACE, LOG, ALLOW = (
    *(0x00000000, 0x00030000, 0x00050000),
    *(0x7FF00000, 0x7FFC0000, 0x7FFF0000),
)

_JUMPS: dict[int, Callable[[int, int], bool]] = {
    0x15: lambda a, k: a == k,
    0x25: lambda a, k: a > k,
    0x35: lambda a, k: a >= k,
    0x45: lambda a, k: bool(a & k),
}


def run(program: bytes, architecture: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The value that the filter returns for system call ``number``."""
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, architecture, 0, *values)
    instructions = _decoded(program)
    at = accumulator = 0
    while True:
        code, if_true, if_false, k = instructions[at]
        at += 1
        if code == 0x20:  # ld [k]
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:  # and #k
            accumulator &= k
        elif code == 0x05:  # ja
            at += k
        elif code == 0x06:  # ret #k
            return int(k)
        else:
            at += if_true if _JUMPS[code](accumulator, k) else if_false


@functools.lru_cache(maxsize=4)
def _decoded(program: bytes) -> list[tuple[int, int, int, int]]:
    """Its ``struct sock_filter``s: code, jump if true, jump if false, operand."""
    return list(struct.iter_unpack("<HBBI", program))
