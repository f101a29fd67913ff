"""A plan is data: setting up a container is a list of small steps.

A step is a frozen dataclass that can say what it does (``describe``) and do
it (``execute``).  The same object is performed for real, printed by
``run --explain`` with the time it took, printed alone by ``--dry-run``, and
checked by the tests as a plain value.  There is no second narration.

A step takes no argument when it executes: what one step leaves to the next is
in the kernel (descriptors, the mount table, credentials), as with system calls.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Step(ABC):
    """One small thing to do to the kernel.

    ``chapter`` is the chapter of the workshop that builds it.
    """

    chapter: ClassVar[str] = ""

    @abstractmethod
    def describe(self) -> str:
        """One plain sentence, with the system call and its arguments."""

    @abstractmethod
    def execute(self) -> None:
        """Do it.  Raises ``OSError`` with errno and path, as the kernel said it."""


def trace_entry(
    process: str, pid: int, step: Step, began_ns: int, took_ns: int, error: str = ""
) -> dict[str, Any]:
    """What became of one step, as plain values.  ``error``: why it failed, if it did."""
    entry = {
        "process": process,
        "pid": pid,
        "began_ns": began_ns,
        "took_ns": took_ns,
        "text": step.describe(),
        "chapter": step.chapter,
    }
    return {**entry, "error": error} if error else entry


class StepFailed(Exception):
    """A step raised ``OSError``: which step, when it began (ns), and what the kernel said."""

    def __init__(self, step: Step, began_ns: int, error: OSError) -> None:
        super().__init__(f"{step.describe()}: {error}")
        self.step = step
        self.began_ns = began_ns
        self.error = error


def perform(
    steps: Iterable[Step],
    done: Callable[[Step, int, int], None] = lambda step, began_ns, took_ns: None,
) -> None:
    """Execute ``steps`` in order; after each, call ``done(step, began_ns, took_ns)``.

    Times are of CLOCK_MONOTONIC, which all processes share.  Raises ``StepFailed`` at
    the first step that raises ``OSError``; nothing after it is executed.
    """
    for step in steps:
        began = time.monotonic_ns()
        try:
            step.execute()
        except OSError as error:
            raise StepFailed(step, began, error) from error
        done(step, began, time.monotonic_ns() - began)


def describe(steps: Iterable[Step]) -> list[str]:
    """The plan in words, a line a step: what ``--dry-run`` prints."""
    return [step.describe() for step in steps]
