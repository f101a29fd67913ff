"""What a container has used, from the text of its cgroup files.

``from_v1`` and ``from_v2`` are pure but for the ``read`` that they are given:
the name of a file in, its text out, "" where the kernel has no such file.
Both make the same ``Stats``; what a version does not count is 0 or empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CpuStats:
    """All times in nanoseconds of CPU time.  ``per_cpu_ns``: v1 only, one entry a CPU."""

    total_ns: int = 0
    user_ns: int = 0
    system_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    periods: int = 0  # in which the group could have run, where it has a quota
    throttled_periods: int = 0
    throttled_ns: int = 0


@dataclass(frozen=True)
class MemoryStats:
    """In bytes.  ``limit``: None is none.  ``stat``: the kernel's memory.stat, key by key.

    ``failures``: how often the limit was hit: v1's failcnt; v2's count of
    times that it was hit and nothing could be reclaimed, as Docker has it.
    ``maximum``: the most that was in use, 0 where it is not counted (v2 before 5.19).
    """

    usage: int = 0
    limit: int | None = None
    cache: int = 0  # pages of files, that can be dropped
    maximum: int = 0
    failures: int = 0
    stat: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PidsStats:
    """``limit``: None is none."""

    current: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class IoCount:
    """``operation``: "Read", "Write", ... as v1 spells it; "read" and "write" in v2."""

    major: int
    minor: int
    operation: str
    value: int


@dataclass(frozen=True)
class IoStats:
    """Bytes and operations, one count for each device and kind of operation."""

    bytes: tuple[IoCount, ...] = ()
    operations: tuple[IoCount, ...] = ()


@dataclass(frozen=True)
class Stats:
    """``version``: 1 or 2, since memory.stat and the kinds of I/O differ between them."""

    version: int
    cpu: CpuStats
    memory: MemoryStats
    pids: PidsStats
    io: IoStats


Read = Callable[[str], str]

# v1 prints the largest number of whole pages for "no limit"; no machine has as much.
NO_LIMIT = 1 << 62

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


def from_v2(read: Read) -> Stats:
    """``read("cpu.stat")`` and so on, of one v2 cgroup, to ``Stats``."""
    cpu = flat_keyed(read("cpu.stat"))
    memory = flat_keyed(read("memory.stat"))
    return Stats(
        version=2,
        cpu=CpuStats(  # v2 counts in microseconds
            total_ns=cpu.get("usage_usec", 0) * 1000,
            user_ns=cpu.get("user_usec", 0) * 1000,
            system_ns=cpu.get("system_usec", 0) * 1000,
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        ),
        memory=MemoryStats(
            usage=number(read("memory.current")) or 0,
            limit=number(read("memory.max")),
            cache=memory.get("file", 0),
            maximum=number(read("memory.peak")) or 0,
            failures=flat_keyed(read("memory.events")).get("oom", 0),
            stat=memory,
        ),
        pids=PidsStats(number(read("pids.current")) or 0, number(read("pids.max"))),
        io=io_from_v2(read("io.stat")),
    )


def from_v1(read: Read) -> Stats:
    """``read("cpuacct.usage")`` and so on, from the hierarchies of v1, to ``Stats``.

    Of the two families of I/O counters, those of the throttle layer count
    every scheduler's requests; those of BFQ only its own.
    """
    cpu = flat_keyed(read("cpu.stat"))
    # Scaled by the kernel to what cpuacct.usage counts, which cpuacct.usage_user is not.
    ticks = flat_keyed(read("cpuacct.stat"))
    memory = flat_keyed(read("memory.stat"))
    limit = number(read("memory.limit_in_bytes"))
    return Stats(
        version=1,
        cpu=CpuStats(
            total_ns=number(read("cpuacct.usage")) or 0,
            user_ns=ticks.get("user", 0) * TICK_NS,
            system_ns=ticks.get("system", 0) * TICK_NS,
            per_cpu_ns=tuple(map(int, read("cpuacct.usage_percpu").split())),
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            throttled_ns=cpu.get("throttled_time", 0),
        ),
        memory=MemoryStats(
            usage=number(read("memory.usage_in_bytes")) or 0,
            limit=limit if limit is not None and limit < NO_LIMIT else None,
            cache=memory.get("total_cache", 0),
            maximum=number(read("memory.max_usage_in_bytes")) or 0,
            failures=number(read("memory.failcnt")) or 0,
            stat=memory,
        ),
        pids=PidsStats(number(read("pids.current")) or 0, number(read("pids.max"))),
        io=IoStats(
            bytes=io_from_v1(read("blkio.throttle.io_service_bytes_recursive")),
            operations=io_from_v1(read("blkio.throttle.io_serviced_recursive")),
        ),
    )


def flat_keyed(text: str) -> dict[str, int]:
    """``"user 5\\nsystem 7\\n"`` -> ``{"user": 5, "system": 7}`` (cgroup-v2.rst, "Flat keyed")."""
    pairs = (line.split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2}


def number(text: str) -> int | None:
    """A file with one number; None for ``max`` and for a file that is not there."""
    text = text.strip()
    return None if text in ("", "max") else int(text)


def io_from_v2(text: str) -> IoStats:
    """io.stat, a line a device: ``8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6``."""
    bytes_, operations = [], []
    for line in text.splitlines():
        device, *pairs = line.split()
        major, minor = map(int, device.split(":"))
        values = {key: int(value) for key, _, value in (pair.partition("=") for pair in pairs)}
        for key, operation in (("rbytes", "read"), ("wbytes", "write")):
            if key in values:
                bytes_.append(IoCount(major, minor, operation, values[key]))
        for key, operation in (("rios", "read"), ("wios", "write")):
            if key in values:
                operations.append(IoCount(major, minor, operation, values[key]))
    return IoStats(tuple(bytes_), tuple(operations))


def io_from_v1(text: str) -> tuple[IoCount, ...]:
    """blkio's counters: ``8:0 Read 4096`` a line; without the total at the end."""
    counts = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3:
            major, minor = map(int, words[0].split(":"))
            counts.append(IoCount(major, minor, words[1], int(words[2])))
    return tuple(counts)
