"""Statistics: from the text of cgroup files, as real kernels print it, to one value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups.stats import (
    TICK_NS,
    CpuStats,
    IoCount,
    IoStats,
    PidsStats,
    flat_keyed,
    from_v1,
    from_v2,
    io_from_v1,
    io_from_v2,
    number,
)

V2_FILES = {
    "cpu.stat": (
        "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 7\n"
        "nr_throttled 3\nthrottled_usec 250\nnr_bursts 0\nburst_usec 0\n"
    ),
    "memory.current": "4096000\n",
    "memory.max": "67108864\n",
    "memory.peak": "5000000\n",
    "memory.stat": "anon 100\nfile 200\nkernel 300\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:16 \n",
}
V1_FILES = {
    "cpu.stat": "nr_periods 7\nnr_throttled 3\nthrottled_time 250000\nnr_bursts 0\n",
    "cpuacct.usage": "1500000\n",
    "cpuacct.stat": "user 100\nsystem 50\n",
    "cpuacct.usage_percpu": "1000000 500000 \n",
    "memory.usage_in_bytes": "4096000\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.max_usage_in_bytes": "5000000\n",
    "memory.failcnt": "9\n",
    "memory.stat": "cache 1\nrss 2\ntotal_cache 200\n",
    "pids.current": "3\n",
    "pids.max": "100\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n",
    "blkio.throttle.io_serviced_recursive": "8:0 Read 3\nTotal 3\n",
}


def test_v2_files_become_stats() -> None:
    stats = from_v2(V2_FILES.__getitem__)
    assert stats.version == 2
    assert stats.cpu == CpuStats(1_500_000, 1_000_000, 500_000, (), 7, 3, 250_000)
    memory = stats.memory
    assert (memory.usage, memory.limit, memory.cache) == (4096000, 67108864, 200)
    assert (memory.maximum, memory.failures) == (5000000, 2)
    assert memory.stat["kernel"] == 300
    assert stats.pids == PidsStats(3, None)
    assert stats.io == IoStats(
        bytes=(IoCount(8, 0, "read", 1), IoCount(8, 0, "write", 2)),
        operations=(IoCount(8, 0, "read", 3), IoCount(8, 0, "write", 4)),
    )


def test_v1_files_become_stats() -> None:
    stats = from_v1(V1_FILES.__getitem__)
    assert stats.version == 1
    assert stats.cpu == CpuStats(
        1_500_000, 100 * TICK_NS, 50 * TICK_NS, (1_000_000, 500_000), 7, 3, 250_000
    )
    memory = stats.memory
    assert (memory.usage, memory.limit, memory.cache) == (4096000, None, 200)
    assert (memory.maximum, memory.failures) == (5000000, 9)
    assert stats.pids == PidsStats(3, 100)
    assert stats.io.bytes[-1] == IoCount(8, 0, "Total", 3)
    assert stats.io.operations == (IoCount(8, 0, "Read", 3),)


def test_a_kernel_without_a_file_counts_nothing() -> None:
    for version, stats in ((1, from_v1(lambda name: "")), (2, from_v2(lambda name: ""))):
        assert stats.version == version
        assert stats.cpu == CpuStats()
        assert stats.memory.limit is None
        assert stats.memory.usage == stats.pids.current == 0
        assert stats.io == IoStats()


words = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1)
counts = st.integers(0, 1 << 64)


@given(st.dictionaries(words, counts))
def test_a_flat_keyed_file_is_read_back(values: dict[str, int]) -> None:
    text = "".join(f"{key} {value}\n" for key, value in values.items())
    assert flat_keyed(text) == values


@given(st.none() | counts)
def test_a_number_or_max_is_read_back(value: int | None) -> None:
    assert number("max\n" if value is None else f"{value}\n") == value


devices = st.dictionaries(
    st.tuples(st.integers(0, 4095), st.integers(0, 1 << 20)),
    st.tuples(counts, counts, counts, counts),
    max_size=3,
)


@given(devices)
def test_io_counts_are_the_same_in_both_versions(
    counted: dict[tuple[int, int], tuple[int, int, int, int]],
) -> None:
    v2 = "".join(
        f"{major}:{minor} rbytes={rb} wbytes={wb} rios={ro} wios={wo} dbytes=0 dios=0\n"
        for (major, minor), (rb, wb, ro, wo) in counted.items()
    )
    v1 = "".join(
        f"{major}:{minor} Read {rb}\n{major}:{minor} Write {wb}\n"
        for (major, minor), (rb, wb, _, _) in counted.items()
    )
    lower = [
        IoCount(each.major, each.minor, each.operation.lower(), each.value)
        for each in io_from_v1(v1 + "Total 0\n")
    ]
    assert list(io_from_v2(v2).bytes) == lower
    assert [each.value for each in io_from_v2(v2).operations] == [
        value for values in counted.values() for value in values[2:]
    ]
