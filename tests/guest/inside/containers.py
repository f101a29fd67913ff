"""Whole containers on v2: launched, limited by their group, seen from inside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minidocker.cgroups import Driver, Resources, detect, validate
from minidocker.containers.devices import DEFAULT_RULES
from tests.cgroups.groups import group, text
from tests.cgroups.tasks import MIB
from tests.namespaces.harness import Bench

pytestmark = pytest.mark.kernel

# A shell variable that doubles until there is no more: busybox has nothing else that grows.
GROW = "x=0123456789; while :; do x=$x$x; done"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("containers"))
    yield bench
    bench.close()


@pytest.fixture
def driver() -> Driver:
    return detect()


def limited(driver: Driver, **limits: int) -> Resources:
    return validate(Resources(**limits, devices=DEFAULT_RULES), driver.machine()).resources


def test_a_container_of_64_megabytes_is_killed_when_it_wants_more_and_that_is_counted(
    driver: Driver, bench: Bench
) -> None:
    with group(driver, limited(driver, memory=64 * MIB, memory_swap=64 * MIB)) as cgroup:
        request = bench.request(["sh", "-c", GROW])
        result = bench.send({**request, "cgroup_procs": cgroup.procs_files()}).finish()
        assert result.code == 137
        assert cgroup.oom_kills() == 1
        assert text(cgroup, "memory.limit_in_bytes", "memory.max") == str(64 * MIB)


def test_a_container_that_keeps_within_its_limits_ends_by_itself(
    driver: Driver, bench: Bench
) -> None:
    with group(driver, limited(driver, memory=64 * MIB, pids_limit=20)) as cgroup:
        request = bench.request(["sh", "-c", "echo within; exit 7"])
        result = bench.send({**request, "cgroup_procs": cgroup.procs_files()}).finish()
        assert (result.text, result.code) == ("within\n", 7)
        assert cgroup.oom_kills() == 0
        assert cgroup.stats().cpu.total_ns > 0
        assert cgroup.pids() == []


def test_a_container_sees_its_own_group_as_the_root(driver: Driver, bench: Bench) -> None:
    with group(driver) as cgroup:
        request = bench.request(["cat", "/proc/self/cgroup"])
        result = bench.send({**request, "cgroup_procs": cgroup.procs_files()}).finish()
        assert result.text == "0::/\n"


def test_a_container_cannot_fork_beyond_its_limit(driver: Driver, bench: Bench) -> None:
    with group(driver, limited(driver, pids_limit=3)) as cgroup:
        script = "sleep 100 & sleep 100 & sleep 100 & sleep 100 & echo all"
        request = bench.request(["sh", "-c", script])
        result = bench.send({**request, "cgroup_procs": cgroup.procs_files()}).finish()
        assert b"can't fork" in result.output
        assert b"all" not in result.output


def test_a_container_is_killed_whole(driver: Driver, bench: Bench) -> None:
    with group(driver) as cgroup:
        request = bench.request(["sh", "-c", "sleep 1000 & echo up; wait"])
        running = bench.send({**request, "cgroup_procs": cgroup.procs_files()})
        running.read_until(b"up")
        assert len(cgroup.pids()) == 2
        cgroup.freeze()
        cgroup.kill()
        assert running.finish().code == 137
        assert cgroup.pids() == []
