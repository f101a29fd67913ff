"""Who is whose parent."""

from __future__ import annotations

import time
from pathlib import Path


def parent_of(pid: int) -> int:
    """proc(5), stat: the name in parentheses may hold spaces, so count from behind it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def monitor_of(pid: int) -> int:
    """The monitor of a container's first process; for a moment after the start its parent is
    the starter, which says that it runs and ends then."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        parent = parent_of(pid)
        if Path(f"/proc/{parent}/cmdline").read_bytes().startswith(b"minidocker-monitor"):
            return parent
        time.sleep(0.002)
    raise AssertionError(f"process {pid} has no monitor, but process {parent_of(pid)}")
