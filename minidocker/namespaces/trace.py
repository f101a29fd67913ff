"""What a start did, a step a line: what ``run --explain`` prints, also of a start that failed.

Starter and init append to one file, each its own steps.  ``began_ns`` is of one clock
for all processes (CLOCK_MONOTONIC).
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
        self._fd = -1
        if path:
            how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, how, 0o600)
        self.process_is("starter")

    def process_is(self, name: str) -> None:
        """Who writes from now on.  Its pid is the host's, also where it has another inside."""
        self._process = name
        self._pid = int(os.readlink("/proc/self")) if self._fd >= 0 else 0
        self._entries: list[dict[str, Any]] = []

    def add(self, step: Step, began_ns: int, took_ns: int, error: str = "") -> None:
        """One more step that was taken; ``error`` says why it failed."""
        if self._fd >= 0:
            entry = trace_entry(self._process, self._pid, step, began_ns, took_ns, error)
            self._entries.append(entry)

    def beginning(self, step: Step) -> dict[str, Any]:
        """The entry of a step that begins now, and whose end another process will see."""
        if self._fd < 0:
            return {}
        return trace_entry(self._process, self._pid, step, time.monotonic_ns(), 0)

    def end_of(self, beginning: dict[str, Any]) -> None:
        """The other process has seen it."""
        if self._fd >= 0:
            took = time.monotonic_ns() - beginning["began_ns"]
            self._entries.append({**beginning, "took_ns": took})

    def save(self) -> None:
        """One write for all of them: lines of two processes do not mix (O_APPEND)."""
        if self._entries:
            os.write(self._fd, "".join(f"{json.dumps(e)}\n" for e in self._entries).encode())
            self._entries = []

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_trace(text: bytes) -> list[dict[str, Any]]:
    """The entries of a trace file in the order of their beginning."""
    return sorted(map(json.loads, text.splitlines()), key=lambda entry: int(entry["began_ns"]))
