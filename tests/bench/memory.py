"""How much memory processes take, each shared page divided among those who share it (PSS)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tests.support.processes import parent_of

T = TypeVar("T")

PROC = Path("/proc")


def pss_kb(rollup: str) -> int:
    """The ``Pss:`` of a smaps_rollup (proc(5)), in kB."""
    for line in rollup.splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss":
            return int(rest.split()[0])
    raise ValueError("smaps_rollup without a line Pss:")


def megabytes(pids: Iterable[int]) -> float:
    """The PSS of these processes together.  One that has ended counts nothing."""
    total = 0
    for pid in pids:
        try:
            total += pss_kb((PROC / str(pid) / "smaps_rollup").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1024


def family(pid: int, parents: dict[int, int]) -> set[int]:
    """``pid`` and its descendants, given every process's parent."""
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def parents() -> dict[int, int]:
    """pid -> parent's pid, of all processes."""

    return _of_each(lambda folder: parent_of(int(folder.name)))


def naming(text: str) -> set[int]:
    """The processes that have ``text`` on their command line."""
    lines = _of_each(lambda folder: (folder / "cmdline").read_bytes())
    return {pid for pid, line in lines.items() if text.encode() in line}


def on_the_host(pids: Iterable[int]) -> set[int]:
    """Those in this process's own pid namespace: the engine's, not what runs in a container."""
    spaces = _of_each(lambda folder: os.readlink(folder / "ns/pid"))
    own = os.readlink(PROC / "self/ns/pid")
    return {pid for pid in pids if spaces.get(pid) == own}


def _of_each(ask: Callable[[Path], T]) -> dict[int, T]:
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            found[int(folder.name)] = ask(folder)
        except OSError:
            continue  # it ended while we looked
    return found
