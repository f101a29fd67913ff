"""Limits -> files, as values: what is written, in which order, and that it can be read back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups import DeviceThrottle, Resources, v1, v2
from minidocker.cgroups.steps import PAGE_SIZE, UNLIMITED, kept
from tests.cgroups.strategies import device_rules, memory_pairs, sensible

MIB = 1024 * 1024
KNOWN = {
    *("memory", "memory_swap", "memory_reservation", "cpu_shares", "cpu_quota", "cpu_period"),
    *("cpuset_cpus", "cpuset_mems", "pids_limit", "blkio_weight", "blkio_weight_device"),
    *("read_bps", "write_bps", "read_iops", "write_iops"),
}


# Nothing asked, nothing written


def test_no_limits_are_no_files() -> None:
    assert v1.files_for(Resources()) == []
    assert v2.files_for(Resources()) == []


@given(sensible())
def test_each_limit_that_is_asked_for_is_in_some_file(resources: Resources) -> None:
    """Leaving a field out leaves a file, or a part of its text, out."""
    for field in fields(Resources):
        if field.name not in KNOWN or getattr(resources, field.name) == field.default:
            continue
        without = replace(resources, **{field.name: field.default})
        if field.name == "memory_swap" and resources.memory is None:
            continue
        if field.name == "cpu_period" and resources.cpu_period == v2.DEFAULT_PERIOD:
            continue
        if field.name == "cpu_quota" and resources.cpu_quota == -1 and resources.cpu_period:
            continue  # a period without a quota is no limit in v2
        assert v2.files_for(without) != v2.files_for(resources), field.name
        assert v1.files_for(without) != v1.files_for(resources), field.name


# Written and read back


@given(sensible())
def test_v1_files_say_what_was_asked(resources: Resources) -> None:
    assert from_v1(v1.files_for(resources)) == expected(resources)


@given(sensible())
def test_v2_files_say_what_was_asked_in_bytes_and_microseconds(resources: Resources) -> None:
    read = from_v2(v2.files_for(resources, bfq=True))
    wanted = expected(resources)
    if wanted.memory is None and wanted.memory_swap is not None:
        wanted = replace(wanted, memory_swap=-1)  # without memory: all swap, or not said
    # A period alone has no meaning in v2, and a quota has always one.
    if wanted.cpu_period is not None and wanted.cpu_quota is None:
        wanted = replace(wanted, cpu_quota=-1)
    if wanted.cpu_quota is not None and wanted.cpu_period is None:
        wanted = replace(wanted, cpu_period=100_000)
    assert read == replace(wanted, memory_swappiness=None)


@given(sensible())
def test_what_is_written_counts_as_kept_when_it_is_read_unchanged(resources: Resources) -> None:
    for name, value in [*v1.files_for(resources), *v2.files_for(resources)]:
        assert kept(name, value, value + "\n"), (name, value)


@given(sensible())
def test_another_number_is_not_kept(resources: Resources) -> None:
    for name, value in [*v1.files_for(resources), *v2.files_for(resources)]:
        if value.isdecimal() and int(value) < UNLIMITED - PAGE_SIZE:
            assert not kept(name, value, str(int(value) + PAGE_SIZE)), (name, value)


@given(sensible())
def test_one_write_is_one_line(resources: Resources) -> None:
    """The kernel takes each write(2) for a whole command."""
    for name, value in [*v1.files_for(resources), *v2.files_for(resources)]:
        assert value
        assert "\n" not in value
        assert "/" not in name


def expected(resources: Resources) -> Resources:
    """The same limits without the spellings that mean the same: --cpus, pids 0."""
    if resources.nano_cpus is not None:
        resources = replace(
            resources,
            nano_cpus=None,
            cpu_quota=resources.nano_cpus * 100_000 // 1_000_000_000,
            cpu_period=100_000,
        )
    if resources.pids_limit is not None and resources.pids_limit <= 0:
        resources = replace(resources, pids_limit=-1)
    return resources


def unlimited(text: str) -> int:
    return -1 if text == "max" else int(text)


def from_v1(written: list[tuple[str, str]]) -> Resources:
    """The inverse of ``v1.files_for``, written from the kernel's documentation."""
    numbers = {
        "memory.limit_in_bytes": "memory",
        "memory.memsw.limit_in_bytes": "memory_swap",
        "memory.soft_limit_in_bytes": "memory_reservation",
        "memory.swappiness": "memory_swappiness",
        "cpu.shares": "cpu_shares",
        "cpu.cfs_period_us": "cpu_period",
        "cpu.cfs_quota_us": "cpu_quota",
        "pids.max": "pids_limit",
        "blkio.bfq.weight": "blkio_weight",
    }
    devices = {
        "blkio.bfq.weight_device": "blkio_weight_device",
        "blkio.throttle.read_bps_device": "read_bps",
        "blkio.throttle.write_bps_device": "write_bps",
        "blkio.throttle.read_iops_device": "read_iops",
        "blkio.throttle.write_iops_device": "write_iops",
    }
    found: dict[str, object] = {}
    for name, value in written:
        if name in numbers:
            found[numbers[name]] = unlimited(value)
        elif name in devices:
            device, rate = value.split()
            major, minor = map(int, device.split(":"))
            before = found.get(devices[name], ())
            found[devices[name]] = (*before, DeviceThrottle(major, minor, int(rate)))
        else:
            found[{"cpuset.cpus": "cpuset_cpus", "cpuset.mems": "cpuset_mems"}[name]] = value
    return Resources(**found)


def from_v2(written: list[tuple[str, str]]) -> Resources:
    """The inverse of ``v2.files_for`` with BFQ, but for the shares, which lose precision."""
    found: dict[str, object] = {}
    limits = {"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}
    for name, value in written:
        words = value.split()
        if ":" in words[0]:
            key, rate = words[1].partition("=")[::2] if "=" in words[1] else ("", words[1])
            field = limits[key] if key else "blkio_weight_device"
            major, minor = map(int, words[0].split(":"))
            found[field] = (*found.get(field, ()), DeviceThrottle(major, minor, int(rate)))
        elif name == "cpu.max":
            found["cpu_quota"], found["cpu_period"] = unlimited(words[0]), int(words[1])
        elif name in ("cpuset.cpus", "cpuset.mems"):
            found[name.replace(".", "_")] = value
        elif name == "cpu.weight":
            found["cpu_shares"] = Shares(int(value))
        else:
            found[V2_NUMBERS[name]] = unlimited(value)
    memory, swap = found.get("memory"), found.get("memory_swap")
    if isinstance(memory, int) and isinstance(swap, int) and swap >= 0:
        found["memory_swap"] = memory + swap
    return Resources(**found)


V2_NUMBERS = {
    "memory.max": "memory",
    "memory.swap.max": "memory_swap",
    "memory.low": "memory_reservation",
    "pids.max": "pids_limit",
    "io.bfq.weight": "blkio_weight",
}


class Shares:
    """Equal to every number of shares that has this weight."""

    def __init__(self, weight: int) -> None:
        self.weight = weight

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and v2.weight_from_shares(other) == self.weight

    def __hash__(self) -> int:
        return hash(self.weight)


# Conversions


@given(st.integers(2, 262144), st.integers(2, 262144))
def test_more_shares_are_never_less_weight(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 1 <= v2.weight_from_shares(low) <= v2.weight_from_shares(high) <= 10000


@given(st.integers(10, 1000), st.integers(10, 1000))
def test_more_blkio_weight_is_never_less_io_weight(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 1 <= v2.io_weight_from_blkio(low) <= v2.io_weight_from_blkio(high) <= 10000


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (512, 20), (262144, 10000)])
def test_shares_become_the_weight_that_runc_and_crun_give(shares: int, weight: int) -> None:
    assert v2.weight_from_shares(shares) == weight


@pytest.mark.parametrize(("blkio", "weight"), [(10, 1), (500, 4950), (1000, 10000)])
def test_blkio_weight_becomes_the_io_weight_that_runc_gives(blkio: int, weight: int) -> None:
    assert v2.io_weight_from_blkio(blkio) == weight


@given(st.integers(10_000_000, 64_000_000_000))
def test_cpus_become_a_share_of_the_period(nano: int) -> None:
    quota, period = map(int, (v2.cpu_max(Resources(nano_cpus=nano)) or "").split())
    assert abs(quota / period - nano / 1e9) < 1 / period
    assert ("cpu.cfs_quota_us", str(quota)) in v1.files_for(Resources(nano_cpus=nano))


def test_swap_is_what_the_sum_leaves_above_memory() -> None:
    limited = Resources(memory=64 * MIB, memory_swap=96 * MIB)
    assert dict(v2.files_for(limited))["memory.swap.max"] == str(32 * MIB)
    none = Resources(memory=64 * MIB, memory_swap=64 * MIB)
    assert dict(v2.files_for(none))["memory.swap.max"] == "0"
    unlimited = Resources(memory=64 * MIB, memory_swap=-1)
    assert dict(v2.files_for(unlimited))["memory.swap.max"] == "max"


def test_a_reservation_is_the_memory_that_is_kept_from_reclaim() -> None:
    assert v2.files_for(Resources(memory_reservation=MIB)) == [("memory.low", str(MIB))]


@pytest.mark.parametrize("limit", [0, -1])
def test_zero_pids_are_unlimited_and_not_none(limit: int) -> None:
    assert v1.files_for(Resources(pids_limit=limit)) == [("pids.max", "max")]
    assert v2.files_for(Resources(pids_limit=limit)) == [("pids.max", "max")]


def test_without_bfq_the_weight_is_scaled_to_iocost() -> None:
    resources = Resources(blkio_weight=1000, blkio_weight_device=(DeviceThrottle(8, 0, 10),))
    assert v2.files_for(resources) == [("io.weight", "10000"), ("io.weight", "8:0 1")]
    assert v2.files_for(resources, bfq=True)[0] == ("io.bfq.weight", "1000")


# Order


@given(memory_pairs(), memory_pairs())
def test_v1_memory_is_never_above_the_sum_between_two_writes(
    before: tuple[int | None, int | None], after: tuple[int | None, int | None]
) -> None:
    """The kernel's check at each write (memcontrol.c, ``mem_cgroup_resize_max``) as a model."""
    kernel = {"memory.limit_in_bytes": UNLIMITED, "memory.memsw.limit_in_bytes": UNLIMITED}
    for memory, swap in (before, after):
        now = kernel["memory.memsw.limit_in_bytes"]
        if memory is not None and swap is None:
            swap = 2 * memory
        resources = Resources(memory=memory, memory_swap=swap)
        written = v1.files_for(resources, memsw_now=None if now == UNLIMITED else now)
        for name, value in written:
            kernel[name] = UNLIMITED if value == "-1" else int(value)
            limit, total = kernel.values()
            assert limit <= total, written


@given(sensible())
def test_v1_writes_the_period_before_the_quota(resources: Resources) -> None:
    names = [name for name, _ in v1.files_for(resources)]
    if {"cpu.cfs_period_us", "cpu.cfs_quota_us"} <= set(names):
        assert names.index("cpu.cfs_period_us") < names.index("cpu.cfs_quota_us")


@given(sensible())
def test_the_cpuset_comes_first(resources: Resources) -> None:
    for written in (v1.files_for(resources), v2.files_for(resources)):
        rest = [name for name, _ in written if not name.startswith("cpuset.")]
        assert [name for name, _ in written][len(written) - len(rest) :] == rest


# Records


@given(sensible(), st.none() | device_rules)
def test_a_record_is_read_back(resources: Resources, devices: object) -> None:
    resources = replace(resources, devices=devices)
    assert Resources.from_record(json.loads(json.dumps(asdict(resources)))) == resources


@given(sensible(), sensible())
def test_an_update_sets_what_it_names_and_leaves_the_rest(
    now: Resources, change: Resources
) -> None:
    after = now.updated(change)
    for field in fields(Resources):
        asked = getattr(change, field.name)
        kept_value = getattr(now, field.name)
        assert getattr(after, field.name) == (asked if asked != field.default else kept_value)
