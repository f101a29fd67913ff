"""A group's life, as ``Driver`` and ``Cgroup`` promise it: made, joined, frozen, killed, removed.

The same suite for every driver: v1 on the machine at hand, v2 there or in the
guest (tests/guest).
"""

from __future__ import annotations

import errno
import signal

import pytest

from minidocker.cgroups import Driver, Resources
from minidocker.cgroups.waiting import wait_until
from minidocker.linux.plan import StepFailed, perform
from tests.cgroups import tasks
from tests.cgroups.children import PATIENCE, children
from tests.cgroups.groups import (
    PARENT,
    directories,
    group,
    new_path,
    text,
)

pytestmark = pytest.mark.kernel


# Making


def test_a_new_group_is_empty_and_there_in_every_tree(driver: Driver) -> None:
    with group(driver) as cgroup:
        assert all(each.is_dir() for each in directories(cgroup))
        assert cgroup.pids() == []
        assert cgroup.oom_kills() == 0


def test_a_plan_alone_makes_nothing(driver: Driver) -> None:
    path = new_path()
    driver.plan(path, Resources(pids_limit=5))
    assert not any(each.exists() for each in directories(driver.open(path)))


def test_what_a_crashed_engine_left_is_made_anew(driver: Driver) -> None:
    path = new_path()
    with group(driver, Resources(pids_limit=5), path=path), group(driver, path=path) as cgroup:
        assert text(cgroup, "pids.max", "pids.max") == "max"
        assert cgroup.pids() == []


def test_a_group_in_use_is_not_taken_over(driver: Driver) -> None:
    path = new_path()
    with children() as (child,), group(driver, path=path) as cgroup:
        child.join(cgroup)
        with pytest.raises(StepFailed, match=rf"processes: {child.pid}") as caught:
            perform(driver.plan(path, Resources()))
        assert caught.value.error.errno == errno.EBUSY
        assert cgroup.pids() == [child.pid]


def test_a_process_is_in_the_group_that_it_was_written_to(driver: Driver) -> None:
    with children(2) as (one, other), group(driver) as first, group(driver) as second:
        one.join(first)
        other.join(second)
        assert first.pids() == [one.pid]
        assert second.pids() == [other.pid]


# Freezing


def test_a_frozen_process_does_nothing_until_it_is_thawed(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        child.join(cgroup)
        cgroup.freeze()
        cgroup.freeze()
        child.begin(tasks.nothing)
        assert not child.answers(0.1)
        cgroup.thaw()
        cgroup.thaw()
        assert child.result() is None


def test_who_joins_a_frozen_group_stands_still_too(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        cgroup.freeze()
        child.join(cgroup).begin(tasks.nothing)
        assert not child.answers(0.1)
        cgroup.thaw()
        assert child.result() is None


def test_groups_below_freeze_too(driver: Driver) -> None:
    path = new_path()
    with children() as (child,), group(driver, path=path) as cgroup:
        perform(driver.plan(f"{path}/below", Resources()))
        child.join(driver.open(f"{path}/below"))
        cgroup.freeze()
        child.begin(tasks.nothing)
        assert not child.answers(0.1)
        cgroup.thaw()
        assert child.result() is None


def test_a_group_that_is_gone_cannot_be_frozen(driver: Driver) -> None:
    cgroup = driver.open(new_path())
    with pytest.raises(FileNotFoundError):
        cgroup.freeze()
    with pytest.raises(FileNotFoundError):
        cgroup.thaw()


# Killing and removing


def test_kill_ends_all_processes_also_those_that_others_started(driver: Driver) -> None:
    with children(2) as (one, other), group(driver) as cgroup:
        one.join(cgroup)
        other.join(cgroup)
        grandchild = one.run(tasks.fork_one_that_stays)
        assert set(cgroup.pids()) == {one.pid, other.pid, grandchild}
        cgroup.kill()
        assert cgroup.pids() == []
        assert one.status() == other.status() == -signal.SIGKILL


def test_kill_ends_frozen_processes_and_leaves_the_group_thawed(driver: Driver) -> None:
    with children(2) as (one, other), group(driver) as cgroup:
        one.join(cgroup)
        cgroup.freeze()
        cgroup.kill()
        assert one.status() == -signal.SIGKILL
        assert other.join(cgroup).run(tasks.nothing) is None


def test_nobody_forks_faster_than_kill(driver: Driver) -> None:
    with children() as (child,), group(driver, Resources(pids_limit=48)) as cgroup:
        child.join(cgroup).begin(tasks.fork_for_ever)
        assert wait_until(lambda: len(cgroup.pids()) > 20, PATIENCE)
        cgroup.kill()
        assert cgroup.pids() == []
        assert child.status() == -signal.SIGKILL


def test_kill_reaches_the_groups_below(driver: Driver) -> None:
    path = new_path()
    with children() as (child,), group(driver, path=path) as cgroup:
        perform(driver.plan(f"{path}/below", Resources()))
        child.join(driver.open(f"{path}/below"))
        assert cgroup.pids() == [child.pid]
        cgroup.kill()
        assert child.status() == -signal.SIGKILL
        cgroup.remove()
        assert not any(each.exists() for each in directories(cgroup))


def test_killing_and_removing_nothing_is_done_already(driver: Driver) -> None:
    cgroup = driver.open(new_path())
    for _ in range(2):
        cgroup.kill()
        cgroup.remove()
    assert cgroup.pids() == []


def test_a_group_in_use_is_not_removed_and_its_processes_are_named(driver: Driver) -> None:
    with children() as (child,), group(driver) as cgroup:
        child.join(cgroup)
        with pytest.raises(OSError, match=rf"processes: {child.pid}\b") as caught:
            cgroup.remove()
        assert caught.value.errno == errno.EBUSY
        assert child.run(tasks.nothing) is None


def test_the_parent_goes_with_the_last_group(driver: Driver) -> None:
    with group(driver) as one:
        with group(driver) as other:
            parents = [each.parent for each in directories(other)]
            driver.tidy(PARENT)
            assert all(each.is_dir() for each in directories(one))
        assert all(each.is_dir() for each in parents)
    assert not any(each.exists() for each in parents)
