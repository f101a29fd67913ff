"""What the C library does with memory that is free again: mallopt(3)."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed(size: int) -> None:
    """Up to ``size`` bytes stay with the process, for the next time.

    By default 128 KiB do: who needs more for a moment, again and again, gets new pages from the
    kernel each time.  Nothing happens where the library is another than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, size)
