"""What a group keeps and counts, as ``Driver`` and ``Cgroup`` promise it.

The same suite for every driver: v1 on the machine at hand, v2 there or in the
guest (tests/guest).
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from minidocker.cgroups import DeviceRule, DeviceThrottle, Driver, Resources, validate
from minidocker.cgroups.machine import parse_list
from minidocker.cgroups.steps import WriteCgroupFile, kept
from minidocker.linux.plan import StepFailed, perform
from tests.cgroups import tasks
from tests.cgroups.children import children
from tests.cgroups.groups import (
    block_device,
    group,
    need_field,
    new_path,
    text,
)
from tests.cgroups.tasks import MIB

pytestmark = pytest.mark.kernel


# Limits


LIMITS = {
    "memory": Resources(memory=48 * MIB),
    "memory_swap": Resources(memory=48 * MIB, memory_swap=48 * MIB),
    "unlimited swap": Resources(memory=48 * MIB, memory_swap=-1),
    "odd bytes": Resources(memory=48 * MIB + 123),
    "memory_reservation": Resources(memory=48 * MIB, memory_reservation=32 * MIB),
    "memory_swappiness": Resources(memory_swappiness=10),
    "oom_kill_disable": Resources(memory=48 * MIB, oom_kill_disable=True),
    "cpu_shares": Resources(cpu_shares=512),
    "least cpu_shares": Resources(cpu_shares=2),
    "most cpu_shares": Resources(cpu_shares=262144),
    "nano_cpus": Resources(nano_cpus=500_000_000),
    "least nano_cpus": Resources(nano_cpus=10_000_000),
    "cpu_quota": Resources(cpu_quota=20_000, cpu_period=50_000),
    "no cpu_quota": Resources(cpu_quota=-1),
    "cpu_period": Resources(cpu_period=50_000),
    "cpuset_cpus": Resources(cpuset_cpus="0"),
    "cpuset_mems": Resources(cpuset_mems="0"),
    "pids_limit": Resources(pids_limit=100),
    "no pids_limit": Resources(pids_limit=0),
    "blkio_weight": Resources(blkio_weight=300),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_what_the_kernel_has(driver: Driver, what: str) -> None:
    """The step itself reads each file back and fails if it is not."""
    need_field(driver, what.split()[-1] if "_" in what else "memory")
    resources, warnings = validate(LIMITS[what], driver.machine())
    with group(driver, resources):
        pass
    assert [each for each in warnings if "swap" not in each] == []


@pytest.mark.parametrize("field", ["read_bps", "write_bps", "read_iops", "write_iops"])
def test_a_device_is_throttled(driver: Driver, field: str) -> None:
    need_field(driver, field)
    limit = DeviceThrottle(*block_device(), 123456)
    names = {
        "read_bps": ("blkio.throttle.read_bps_device", "rbps={}"),
        "write_bps": ("blkio.throttle.write_bps_device", "wbps={}"),
        "read_iops": ("blkio.throttle.read_iops_device", "riops={}"),
        "write_iops": ("blkio.throttle.write_iops_device", "wiops={}"),
    }
    v1_name, v2_words = names[field]
    with group(driver, Resources(**{field: (limit,)})) as cgroup:
        said = text(cgroup, v1_name, "io.max").split()
        assert said[0] == f"{limit.major}:{limit.minor}"
        assert "123456" in said or v2_words.format(123456) in said


def test_a_device_keeps_all_its_rates(driver: Driver) -> None:
    """In v2 they are words of one file: no write may undo another."""
    need_field(driver, "read_bps")
    path, disk = new_path(), block_device()
    rates = {
        name: (DeviceThrottle(*disk, 1000 + place),)
        for place, name in enumerate(("read_bps", "write_bps", "read_iops", "write_iops"))
    }
    writes = [
        step for step in driver.plan(path, Resources(**rates)) if isinstance(step, WriteCgroupFile)
    ]
    with group(driver, Resources(**rates), path=path):
        assert len(writes) == 4
        for step in writes:
            assert kept(Path(step.file).name, step.value, Path(step.file).read_text()), step


def test_swap_is_limited_to_what_docker_means(driver: Driver) -> None:
    need_field(driver, "memory_swap")
    with group(driver, Resources(memory=48 * MIB, memory_swap=64 * MIB)) as cgroup:
        said = int(text(cgroup, "memory.memsw.limit_in_bytes", "memory.swap.max"))
        assert said == (16 * MIB if driver.name == "v2" else 64 * MIB)


def test_a_limit_that_the_kernel_refuses_names_its_file(driver: Driver) -> None:
    path = new_path()
    too_many = Resources(pids_limit=1 << 40)
    with pytest.raises(StepFailed) as caught, group(driver, too_many, path=path):
        pass
    assert str(caught.value.error.filename).endswith(f"{path}/pids.max")


def test_the_machine_says_what_it_has(driver: Driver) -> None:
    machine = driver.machine()
    assert parse_list(machine.cpus) >= os.sched_getaffinity(0)
    assert 0 in parse_list(machine.mems)
    assert machine.supports >= {"memory", "cpu_shares", "nano_cpus", "pids_limit", "read_bps"}
    assert "kernel_memory" not in machine.supports


def test_pids_are_limited(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(pids_limit=1)) as cgroup:
        assert child.join(cgroup).run(tasks.fork_once).errno == errno.EAGAIN
        cgroup.update(Resources(pids_limit=2))
        assert child.run(tasks.fork_once) is None


def test_cpus_are_limited(driver: Driver) -> None:
    last = max(parse_list(driver.machine().cpus))
    with children() as (child,), group(driver, Resources(cpuset_cpus=str(last))) as cgroup:
        assert child.join(cgroup).run(tasks.affinity) == {last}


def test_a_quota_throttles(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(nano_cpus=100_000_000)) as cgroup:
        child.join(cgroup).run(tasks.Burn(0.1))
        cpu = cgroup.stats().cpu
        assert cpu.throttled_periods > 0
        assert cpu.throttled_ns > 0
        assert cpu.periods >= cpu.throttled_periods


# Updating


UPDATES = [
    Resources(memory=64 * MIB, memory_swap=128 * MIB),
    Resources(memory=256 * MIB, memory_swap=512 * MIB),
    Resources(memory=32 * MIB, memory_swap=32 * MIB),
    Resources(memory=512 * MIB, memory_swap=-1),
    Resources(memory=64 * MIB, memory_swap=64 * MIB),
    Resources(cpu_quota=200_000, cpu_period=1_000_000, cpu_shares=2, pids_limit=7),
    Resources(cpu_quota=1_000, cpu_period=1_000, cpu_shares=2048, pids_limit=-1),
]


def test_limits_go_up_and_down_while_it_runs(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        child.join(cgroup)
        for asked in UPDATES:
            resources, _ = validate(asked, driver.machine())
            cgroup.update(resources)
            if asked.memory:
                assert cgroup.stats().memory.limit == asked.memory
            if asked.pids_limit:
                assert cgroup.stats().pids.limit == (7 if asked.pids_limit == 7 else None)
        assert child.run(tasks.nothing) is None


def test_what_an_update_leaves_out_stays(driver: Driver) -> None:
    with group(driver, Resources(pids_limit=9)) as cgroup:
        cgroup.update(Resources(cpu_shares=512))
        assert text(cgroup, "pids.max", "pids.max") == "9"


# Accounting


def test_cpu_time_is_counted(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        before = cgroup.stats().cpu
        child.join(cgroup).run(tasks.Burn(0.1))
        after = cgroup.stats().cpu
        assert after.total_ns - before.total_ns >= 90_000_000
        assert after.user_ns + after.system_ns > 0
        assert sum(after.per_cpu_ns) == 0 or driver.name == "v1"


def test_memory_and_processes_are_counted(driver: Driver) -> None:
    limit = Resources(memory=128 * MIB)
    with children(2) as (one, other), group(driver, limit) as cgroup:
        one.join(cgroup).run(tasks.Hold(32 * MIB))
        other.join(cgroup)
        stats = cgroup.stats()
        assert 31 * MIB <= stats.memory.usage <= 64 * MIB
        assert stats.memory.limit == 128 * MIB
        assert stats.memory.maximum >= stats.memory.usage or driver.name == "v2"
        assert stats.pids.current == 2
        assert stats.memory.stat


def test_a_group_that_is_gone_has_no_stats(driver: Driver) -> None:
    with pytest.raises(FileNotFoundError):
        driver.open(new_path()).stats()


# Out of memory


TIGHT = Resources(memory=16 * MIB, memory_swap=16 * MIB)


def tight(driver: Driver) -> Resources:
    return validate(TIGHT, driver.machine()).resources


def test_who_takes_too_much_memory_is_killed_and_counted(driver: Driver) -> None:
    with children(2) as (greedy, modest), group(driver, tight(driver)) as cgroup:
        modest.join(cgroup)
        greedy.join(cgroup).begin(tasks.Hold(64 * MIB))
        assert greedy.status() == -signal.SIGKILL
        assert cgroup.oom_kills() == 1
        assert modest.run(tasks.nothing) is None


def test_a_kill_in_a_group_below_is_counted_above(driver: Driver) -> None:
    path = new_path()
    with children() as (child,), group(driver, tight(driver), path=path) as cgroup:
        perform(driver.plan(f"{path}/below", Resources()))
        below = driver.open(f"{path}/below")
        child.join(below).begin(tasks.Hold(64 * MIB))
        assert child.status() == -signal.SIGKILL
        assert cgroup.oom_kills() == 1


def test_a_kill_by_somebody_else_is_not_counted(driver: Driver) -> None:
    with children() as (child,), group(driver, tight(driver)) as cgroup:
        child.join(cgroup)
        os.kill(child.pid, signal.SIGKILL)
        assert child.status() == -signal.SIGKILL
        assert cgroup.oom_kills() == 0


def test_a_group_that_is_gone_had_no_kills(driver: Driver) -> None:
    assert driver.open(new_path()).oom_kills() == 0


# Devices


NULL_ONLY = (DeviceRule(False), DeviceRule(True, "c", 1, 3))


def test_only_the_devices_that_are_allowed_can_be_opened(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(devices=NULL_ONLY)) as cgroup:
        child.join(cgroup)
        assert child.run(tasks.Open("/dev/null", os.O_RDWR)) is None
        assert child.run(tasks.Open("/dev/zero", os.O_RDONLY)).errno == errno.EPERM


def test_a_device_can_be_for_reading_only(driver: Driver) -> None:
    rules = (DeviceRule(False), DeviceRule(True, "c", 1, 3, "r"))
    with children() as (child,), group(driver, Resources(devices=rules)) as cgroup:
        child.join(cgroup)
        assert child.run(tasks.Open("/dev/null", os.O_RDONLY)) is None
        assert child.run(tasks.Open("/dev/null", os.O_WRONLY)).errno == errno.EPERM
        assert child.run(tasks.Open("/dev/null", os.O_RDWR)).errno == errno.EPERM


def test_making_a_node_is_a_right_of_its_own(driver: Driver, tmp_path: Path) -> None:
    node = tasks.MakeDevice(str(tmp_path / "node"), 1, 5)
    any_node = (DeviceRule(False), DeviceRule(True, "c", None, None, "m"))
    with children(2) as (one, other):
        with group(driver, Resources(devices=any_node)) as cgroup:
            assert one.join(cgroup).run(node) is None
            assert one.run(tasks.Open("/dev/zero", os.O_RDONLY)).errno == errno.EPERM
        with group(driver, Resources(devices=NULL_ONLY)) as cgroup:
            assert other.join(cgroup).run(node).errno == errno.EPERM


def test_everything_may_be_allowed(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(devices=(DeviceRule(True),))) as cgroup:
        assert child.join(cgroup).run(tasks.Open("/dev/zero", os.O_RDONLY)) is None


def test_an_update_leaves_devices_alone(driver: Driver) -> None:
    resources = Resources(pids_limit=10, devices=NULL_ONLY)
    with children() as (child,), group(driver, resources) as cgroup:
        cgroup.update(replace(resources, pids_limit=20))
        child.join(cgroup)
        assert child.run(tasks.Open("/dev/zero", os.O_RDONLY)).errno == errno.EPERM
        assert kept("pids.max", "20", text(cgroup, "pids.max", "pids.max"))
