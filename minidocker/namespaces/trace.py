"""What a start did, a step a line: what ``run --explain`` prints, also of a start that failed.

Init tells its steps to the starter, which writes the file: init may be under a limit for
files by then.  ``began_ns`` is of one clock for all processes (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from minidocker.linux.plan import Step, trace_entry


class Trace:
    """The file at ``path``, begun anew; None for none: then nothing is kept."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        if path:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        self.process_is("starter")

    def process_is(self, name: str) -> None:
        """Who acts from now on.  Its pid is the host's, also where it has another inside."""
        self._process = name
        self._pid = int(os.readlink("/proc/self")) if self._path else 0
        self.entries: list[dict[str, Any]] = []

    def add(self, step: Step, began_ns: int, took_ns: int, error: str = "") -> None:
        """One more step that was taken; ``error`` says why it failed."""
        if self._path:
            entry = trace_entry(self._process, self._pid, step, began_ns, took_ns, error)
            self.entries.append(entry)

    def begin(self, step: Step) -> None:
        """A step begins, whose end another process will see."""
        self.add(step, time.monotonic_ns(), 0)

    def ended(self) -> None:
        """It has seen the end of the last step."""
        if self.entries:
            last = self.entries[-1]
            last["took_ns"] = time.monotonic_ns() - last["began_ns"]

    def save(self) -> None:
        if self._path and self.entries:
            with open(self._path, "a") as file:
                file.writelines(f"{json.dumps(entry)}\n" for entry in self.entries)
            self.entries = []


def read_trace(text: bytes) -> list[dict[str, Any]]:
    """The entries of a trace file in the order of their beginning."""
    return sorted(map(json.loads, text.splitlines()), key=lambda entry: int(entry["began_ns"]))
