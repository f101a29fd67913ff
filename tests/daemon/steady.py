"""A daemon is as it was before: its descriptors, tasks, children and memory.

What a client did to it must be over when the client has gone: ``steady`` looks before and
after, and waits a little, for a daemon notices a lost client a moment later.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.daemon.talk import Talk
from tests.support.engine import Engine

PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Daemon:
    """``files``: descriptor -> what it is.  ``children``: pid -> command line."""

    files: dict[str, str]
    children: dict[int, str]
    tasks: int
    listeners: int

    @classmethod
    def look(cls, engine: Engine) -> Daemon:
        """Asks by a connection of its own, which is in both pictures."""
        talk = Talk(engine.socket)
        with contextlib.closing(talk):
            assert talk.ask("GET", "/info") == 200
            info = json.loads(talk.whole())
            pid = engine.process.pid
            return cls(_files(pid), _children(pid), info["NGoroutines"], info["NEventsListener"])

    def left(self, now: Daemon) -> list[str]:
        """What there is now, and was not."""
        more = [f"{number} -> {now.files[number]}" for number in now.files.keys() - self.files]
        files = more if len(now.files) > len(self.files) else []
        children = [now.children[pid] for pid in now.children.keys() - self.children]
        tasks = [f"{now.tasks} tasks, not {self.tasks}"] if now.tasks > self.tasks else []
        heard = [f"{now.listeners} listeners"] if now.listeners > self.listeners else []
        return files + children + tasks + heard


def _files(pid: int) -> dict[str, str]:
    folder, found = f"/proc/{pid}/fd", {}
    for number in os.listdir(folder):
        with contextlib.suppress(OSError):  # closed while we looked
            found[number] = os.readlink(f"{folder}/{number}")
    return found


def _children(pid: int) -> dict[int, str]:
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):  # it has ended
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                found[int(child)] = line.decode(errors="replace")
    return found


def memory(engine: Engine, which: str = "VmRSS") -> int:
    """Bytes that the daemon holds; with "VmHWM" the most since ``forget_peak``."""
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    found = re.search(rf"^{which}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def forget_peak(engine: Engine) -> None:
    """proc(5), clear_refs: 5 sets the peak to what there is."""
    Path(f"/proc/{engine.process.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def steady(engine: Engine, grow: int = 16 << 20) -> Iterator[None]:
    """Fails unless the daemon is as before after the block, and never held ``grow`` bytes more."""
    before, held = Daemon.look(engine), memory(engine)
    forget_peak(engine)
    yield
    deadline = time.monotonic() + PATIENCE
    while (left := before.left(Daemon.look(engine))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, left
    peak = memory(engine, "VmHWM")
    assert peak - held < grow, f"{(peak - held) >> 20} MiB more than before"
