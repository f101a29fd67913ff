"""Resources for properties: sensible ones, as users ask for them, and any at all."""

from __future__ import annotations

from hypothesis import strategies as st

from minidocker.cgroups import DeviceRule, DeviceThrottle, Resources
from minidocker.cgroups.machine import Machine
from minidocker.cgroups.v1 import SHOWN_BY

MIB = 1024 * 1024
MINIMUM = 6 * MIB

EVERYTHING = frozenset(SHOWN_BY)
BIG = Machine(cpus="0-7", mems="0-1", cpu_count=8, supports=EVERYTHING)

sizes = st.integers(MINIMUM, 1 << 50)
throttles = st.lists(
    st.builds(DeviceThrottle, st.integers(0, 4095), st.integers(0, 255), st.integers(1, 1 << 40)),
    max_size=2,
    unique_by=lambda each: (each.major, each.minor),
).map(tuple)
weights = st.lists(
    st.builds(DeviceThrottle, st.integers(0, 4095), st.integers(0, 255), st.integers(10, 1000)),
    max_size=2,
    unique_by=lambda each: (each.major, each.minor),
).map(tuple)


def maybe(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | strategy


@st.composite
def memory_pairs(draw: st.DrawFn) -> tuple[int | None, int | None]:
    """A limit of memory, and one of memory and swap that goes with it."""
    memory = draw(maybe(sizes))
    if memory is None:
        return None, draw(st.sampled_from([None, -1]))
    return memory, draw(st.none() | st.just(-1) | st.integers(memory, 1 << 51))


@st.composite
def sensible(draw: st.DrawFn) -> Resources:
    """What ``validate`` accepts on the machine ``BIG``."""
    memory, swap = draw(memory_pairs())
    by_time = draw(st.booleans())
    return Resources(
        memory=memory,
        memory_swap=swap,
        memory_reservation=draw(maybe(st.integers(MINIMUM, memory or 1 << 50))),
        memory_swappiness=draw(maybe(st.integers(0, 100))),
        cpu_shares=draw(maybe(st.integers(2, 262144))),
        nano_cpus=None if by_time else draw(maybe(st.integers(10_000_000, 8_000_000_000))),
        cpu_quota=draw(maybe(st.integers(1000, 10**9) | st.just(-1))) if by_time else None,
        cpu_period=draw(maybe(st.integers(1000, 1_000_000))) if by_time else None,
        cpuset_cpus=draw(st.sampled_from(["", "0", "0-1", "1,3", "0-7", "2-4,6"])),
        cpuset_mems=draw(st.sampled_from(["", "0", "0-1"])),
        pids_limit=draw(maybe(st.integers(-1, 1 << 22))),
        blkio_weight=draw(maybe(st.integers(10, 1000))),
        blkio_weight_device=draw(weights),
        read_bps=draw(throttles),
        write_bps=draw(throttles),
        read_iops=draw(throttles),
        write_iops=draw(throttles),
    )


numbers = st.none() | st.integers(-5, 5) | st.integers(-(1 << 70), 1 << 70)
lists = st.sampled_from(["", "0", "0-1", "9", "1-0", "-", ",", "0,", "a", "0-9999999999", "²"]) | (
    st.text(max_size=6)
)
any_throttles = st.lists(
    st.builds(DeviceThrottle, st.integers(), st.integers(), st.integers()), max_size=2
).map(tuple)
anything = st.builds(
    Resources,
    memory=numbers,
    memory_swap=numbers,
    memory_reservation=numbers,
    memory_swappiness=numbers,
    kernel_memory=numbers,
    oom_kill_disable=st.booleans(),
    cpu_shares=numbers,
    nano_cpus=numbers,
    cpu_quota=numbers,
    cpu_period=numbers,
    cpu_realtime_period=numbers,
    cpu_realtime_runtime=numbers,
    cpuset_cpus=lists,
    cpuset_mems=lists,
    pids_limit=numbers,
    blkio_weight=numbers,
    blkio_weight_device=any_throttles,
    read_bps=any_throttles,
    write_bps=any_throttles,
    read_iops=any_throttles,
    write_iops=any_throttles,
)

machines = st.builds(
    Machine,
    cpus=st.sampled_from(["", "0", "0-7"]),
    mems=st.sampled_from(["", "0"]),
    cpu_count=st.integers(1, 8),
    supports=st.frozensets(st.sampled_from(sorted(EVERYTHING))),
)

device_numbers = st.none() | st.integers(0, 3)
access = st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"])
device_rules = st.lists(
    st.builds(DeviceRule, st.booleans(), st.just("a"))
    | st.builds(
        DeviceRule, st.booleans(), st.sampled_from("bc"), device_numbers, device_numbers, access
    ),
    max_size=7,
).map(tuple)
