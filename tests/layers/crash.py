"""``kill -9`` at a chosen moment: between any two things that a function does to files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

KILLED = 137

# What Python reports before it does it (the table of audit events).
STEPS = (
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.chmod",
    "os.utime",
    "step",  # a test's own
)


def crashed(act: Callable[[], object], step: int) -> bool:
    """Run ``act`` in a child that dies just before its file operation number ``step``.

    Nothing is cleaned up there, as after SIGKILL.  Returns whether it came so far.
    """
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, arguments: object) -> None:
            nonlocal left
            if event in STEPS:
                if left == 0:
                    os._exit(KILLED)
                left -= 1

        sys.addaudithook(hook)
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), "the function fails by itself"
    return code == KILLED
