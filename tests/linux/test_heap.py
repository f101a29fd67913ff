"""Memory that is needed again and again is asked of the kernel once."""

from __future__ import annotations

import ctypes
import subprocess
import sys

from tests.support.need import missing

PROGRAM = """
import resource, sys
from minidocker.linux.heap import keep_freed
if sys.argv[1] == "keep":
    keep_freed(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    blocks = [bytearray(b"x") * 100_000 for _ in range(5)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_what_is_free_is_used_again() -> None:
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        missing("this C library has no mallopt")
    assert page_faults("keep") * 10 < page_faults("give back")
