"""Statistics as Docker has them, which clients subtract and divide.  Pure.

Engine API, ContainerStats.  The CLI computes the CPU's share from two samples
and the system's total between them, and memory without the file cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from minidocker.cgroups.stats import TICK_NS, CpuStats, IoCount, MemoryStats, Stats
from minidocker.containers.container import Container
from minidocker.daemon.times import NEVER, rfc3339

_NO_CPU: Final = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}
_UNCOUNTED: Final = (
    *("io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive"),
    *("io_merged_recursive", "io_time_recursive", "sectors_recursive"),
)
_NOTHING: Final = {
    "pids_stats": {},
    "blkio_stats": dict.fromkeys(
        ("io_service_bytes_recursive", "io_serviced_recursive", *_UNCOUNTED)
    ),
    "memory_stats": {},
}


@dataclass(frozen=True)
class Sample:
    """``system_ns``: CPU time of the whole machine.  ``memory``: its bytes."""

    stats: Stats
    time_ns: int
    system_ns: int
    cpus: int
    memory: int


def shape(container: Container, now: Sample | None, before: Sample | None) -> dict[str, Any]:
    """One line of the stream; without a sample (it does not run) there are zeros."""
    return {
        "name": f"/{container.name}",
        "id": container.id,
        "read": rfc3339(now.time_ns) if now else NEVER,
        "preread": rfc3339(before.time_ns) if before else NEVER,
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(now) if now else _NO_CPU,
        "precpu_stats": _cpu(before) if before else _NO_CPU,
        **(_used(now.stats, now.memory) if now else _NOTHING),
    }


def _used(stats: Stats, machine: int) -> dict[str, Any]:
    """``machine``: its memory in bytes.  On v1 what the kernel does not count is an empty list."""
    uncounted: list[Any] | None = [] if stats.version == 1 else None
    return {
        "pids_stats": {
            "current": stats.pids.current,
            **({} if stats.pids.limit is None else {"limit": stats.pids.limit}),
        },
        "blkio_stats": {
            "io_service_bytes_recursive": _counts(stats.io.bytes),
            "io_serviced_recursive": _counts(stats.io.operations),
            **dict.fromkeys(_UNCOUNTED, uncounted),
        },
        "memory_stats": _memory(stats.version, stats.memory, machine),
    }


def _cpu(sample: Sample) -> dict[str, Any]:
    used: CpuStats = sample.stats.cpu
    usage: dict[str, Any] = {
        "total_usage": used.total_ns,
        "usage_in_kernelmode": used.system_ns,
        "usage_in_usermode": used.user_ns,
    }
    if used.per_cpu_ns:
        usage["percpu_usage"] = list(used.per_cpu_ns)
    return {
        "cpu_usage": usage,
        "system_cpu_usage": sample.system_ns,
        "online_cpus": sample.cpus,
        "throttling_data": {
            "periods": used.periods,
            "throttled_periods": used.throttled_periods,
            "throttled_time": used.throttled_ns,
        },
    }


def _memory(version: int, memory: MemoryStats, machine: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "usage": memory.usage,
        "stats": dict(memory.stat),
        "limit": machine if memory.limit is None else min(memory.limit, machine),
    }
    if version == 1:
        more = {"max_usage": memory.maximum, "failcnt": memory.failures}
        shown |= {name: count for name, count in more.items() if count}
    return shown


def _counts(counts: tuple[IoCount, ...]) -> list[dict[str, Any]]:
    return [
        {"major": each.major, "minor": each.minor, "op": each.operation, "value": each.value}
        for each in counts
    ]


def system_cpu_ns(proc_stat: str) -> int:
    """The CPU time of the machine, idle included, from /proc/stat (proc_stat(5)), in ns.

    The first eight columns: guest time (the last two) is in user time already.
    """
    first = proc_stat.partition("\n")[0].split()
    return sum(int(each) for each in first[1:9]) * TICK_NS
