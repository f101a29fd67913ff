"""What only a machine with the controllers on v2 can show."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest

from minidocker.cgroups import DeviceRule, Driver, Resources, detect, files, validate
from minidocker.cgroups.freezer import freeze_v2, kill_each, thaw_v2
from minidocker.cgroups.steps import EnableControllers
from minidocker.cgroups.v2 import V2, V2Cgroup
from minidocker.linux.plan import StepFailed, perform
from tests.cgroups import tasks
from tests.cgroups.children import children
from tests.cgroups.groups import PARENT, group, new_path
from tests.cgroups.tasks import MIB

pytestmark = pytest.mark.kernel


@pytest.fixture
def driver() -> V2:
    found = detect()
    assert isinstance(found, V2), "the guest's kernel has its controllers on v2"
    return found


def read(cgroup: object, name: str) -> str:
    assert isinstance(cgroup, V2Cgroup)
    return files.read(f"{cgroup.directory}/{name}").strip()


def test_all_five_controllers_reach_a_container(driver: Driver) -> None:
    with group(driver) as cgroup:
        assert set(read(cgroup, "cgroup.controllers").split()) >= {
            *("cpu", "cpuset", "io", "memory", "pids")
        }


def test_docker_run_s_limits_are_these_files(driver: Driver) -> None:
    """-m 64m --memory-reservation 32m --cpus 1.5 -c 512 --pids-limit 100 --blkio-weight 500"""
    asked = Resources(
        memory=64 * MIB,
        memory_reservation=32 * MIB,
        nano_cpus=1_500_000_000,
        cpu_shares=512,
        pids_limit=100,
        blkio_weight=500,
        cpuset_cpus="0-1",
    )
    resources, warnings = validate(asked, driver.machine())
    assert warnings == ()
    with group(driver, resources) as cgroup:
        said = {
            name: read(cgroup, name)
            for name in (
                *("memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.weight"),
                *("pids.max", "io.weight", "cpuset.cpus"),
            )
        }
    assert said == {
        "memory.max": str(64 * MIB),
        "memory.swap.max": str(64 * MIB),
        "memory.low": str(32 * MIB),
        "cpu.max": "150000 100000",
        "cpu.weight": "20",
        "pids.max": "100",
        "io.weight": "default 4950",
        "cpuset.cpus": "0-1",
    }


def test_a_parent_with_processes_of_its_own_is_named_with_them(driver: V2) -> None:
    path = new_path()
    with children() as (child,), group(driver, path=path) as parent:
        child.join(parent)
        with pytest.raises(StepFailed, match=rf"processes: {child.pid}\); move them") as caught:
            perform(driver.plan(f"{path}/below", Resources()))
        assert isinstance(caught.value.step, EnableControllers)
        assert caught.value.error.errno == errno.EBUSY
        assert caught.value.error.filename == f"{driver.root}/{path}/cgroup.subtree_control"


def test_in_a_tree_that_was_delegated_whoever_is_at_its_top_moves_to_a_leaf(driver: V2) -> None:
    """As in a container or a systemd unit, where the daemon itself is in the root that it sees."""
    path = new_path()
    with children(2) as (daemon, other), group(driver, path=path) as top:
        daemon.join(top)
        other.join(top)
        inner = V2(Path(driver.root, path))
        perform(inner.plan("minidocker/one", Resources(pids_limit=5)))
        container = inner.open("minidocker/one")
        assert read(container, "pids.max") == "5"
        init = inner.open("init")
        assert sorted(init.pids()) == sorted((daemon.pid, other.pid))
        perform(inner.plan("minidocker/two", Resources()))
        assert daemon.run(tasks.nothing) is None


def test_the_root_of_the_machine_keeps_its_processes(driver: V2) -> None:
    steps = driver.plan(new_path(), Resources())
    assert [type(each).__name__ for each in steps].count("MoveToLeaf") == 0


def test_a_frozen_group_says_so(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        child.join(cgroup)
        cgroup.freeze()
        assert "frozen 1" in read(cgroup, "cgroup.events")
        cgroup.thaw()
        assert "frozen 0" in read(cgroup, "cgroup.events")


def test_kernels_without_cgroup_kill_are_killed_by_freezing(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(pids_limit=32)) as cgroup:
        assert isinstance(cgroup, V2Cgroup)
        directory = cgroup.directory
        child.join(cgroup).run(tasks.fork_one_that_stays)
        kill_each(cgroup.pids, lambda: freeze_v2(directory), lambda: thaw_v2(directory))
        assert child.status() == -signal.SIGKILL
        cgroup.kill()
        assert cgroup.pids() == []


def test_the_out_of_memory_killer_is_not_disabled_and_that_is_said(driver: Driver) -> None:
    asked = Resources(memory=64 * MIB, oom_kill_disable=True, memory_swappiness=10)
    resources, warnings = validate(asked, driver.machine())
    assert resources == Resources(memory=64 * MIB, memory_swap=128 * MIB)
    assert [each.split()[-1] for each in warnings] == ["discarded.", "discarded."]
    with group(driver, resources):
        pass


def test_the_device_program_goes_with_the_group(driver: Driver) -> None:
    path = new_path()
    nothing = Resources(devices=(DeviceRule(False),))
    with children(2) as (one, other):
        with group(driver, nothing, path=path) as cgroup:
            assert one.join(cgroup).run(tasks.Open("/dev/null", 0)).errno == errno.EPERM
        with group(driver, path=path) as cgroup:
            assert other.join(cgroup).run(tasks.Open("/dev/null", 0)) is None


def test_the_parent_passes_controllers_on_and_goes_when_it_is_empty(driver: V2) -> None:
    with group(driver):
        passed_on = files.read(f"{driver.root}/{PARENT}/cgroup.subtree_control").split()
        assert set(passed_on) >= {"cpu", "memory", "pids"}
    assert not Path(driver.root, PARENT).exists()
