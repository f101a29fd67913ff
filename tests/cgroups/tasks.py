"""What the processes of the contract suite do, as functions that pickle."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass

MIB = 1024 * 1024


def nothing() -> None:
    """The answer alone says that it runs."""


@dataclass(frozen=True)
class Burn:
    """Use so much CPU time."""

    seconds: float

    def __call__(self) -> None:
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass


_held: list[bytearray] = []


@dataclass(frozen=True)
class Hold:
    """Use so many bytes of memory, each page written, until the process ends."""

    size: int

    def __call__(self) -> None:
        block = bytearray(self.size)
        for place in range(0, self.size, 4096):
            block[place] = 1
        _held.append(block)


@dataclass(frozen=True)
class Open:
    path: str
    flags: int

    def __call__(self) -> None:
        os.close(os.open(self.path, self.flags))


@dataclass(frozen=True)
class MakeDevice:
    """mknod(2) of a character device; it is removed again."""

    path: str
    major: int
    minor: int

    def __call__(self) -> None:
        os.mknod(self.path, stat.S_IFCHR | 0o600, os.makedev(self.major, self.minor))
        os.unlink(self.path)


def fork_once() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def fork_one_that_stays() -> int:
    """A grandchild that never ends by itself; its pid."""
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(3600)
    return pid


def fork_for_ever() -> None:
    """A fork bomb: every copy forks as fast as it can, until the limit of pids stops it."""
    while True:
        try:
            os.fork()
        except OSError:
            continue


def affinity() -> set[int]:
    return os.sched_getaffinity(0)
