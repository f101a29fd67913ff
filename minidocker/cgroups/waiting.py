"""Waiting for the kernel, never for ever.

Killing, freezing and reaping take the kernel a moment.  v1 has to be asked
again and again.  v2 wakes a poll(2) when ``cgroup.events`` changes, but no more
often than once in 10 ms (CGROUP_FILE_NOTIFY_MIN_INTV), and most of our waits
are over in one: so both are asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask ``done`` until it says yes, or for ``seconds``; returns its last answer.

    Asks soon at first and then more and more seldom (0.1 ms to 20 ms): most
    waits are over at once, and the long ones must not burn the CPU.
    """
    deadline = time.monotonic() + seconds
    pause = 0.0001
    while not done():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, 0.02)
    return True
