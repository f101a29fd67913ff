"""When what has ended is started again: the rules, and real containers that follow them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.restart import (
    FIRST_DELAY,
    LONGEST_DELAY,
    STEADY,
    Ended,
    next_delay,
    should_restart,
    should_start_with_daemon,
)
from minidocker.containers.spec import RestartPolicy
from minidocker.errors import Conflict, NotModified
from tests.containers.harness import SLEEP, Daemon, until

policies = st.builds(
    RestartPolicy,
    st.sampled_from(["", "no", "always", "unless-stopped", "on-failure"]),
    st.integers(0, 5),
)
codes = st.integers(0, 255)
counts = st.integers(0, 9)
ALWAYS = RestartPolicy("always")
LONGER_THAN_A_DELAY = 3 * FIRST_DELAY


@given(policies, codes, counts)
def test_what_its_user_stopped_stays_stopped(policy: RestartPolicy, code: int, count: int) -> None:
    assert not should_restart(policy, Ended(code, 1, stopped_by_user=True), count)


@given(policies, codes, counts)
def test_each_policy_by_its_own_rule(policy: RestartPolicy, code: int, count: int) -> None:
    again = should_restart(policy, Ended(code, 1), count)
    limit = policy.maximum_retries
    assert again == {
        "on-failure": code != 0 and (not limit or count < limit),
        "always": True,
        "unless-stopped": True,
    }.get(policy.name, False)


@given(policies, codes, st.booleans(), counts)
def test_a_new_daemon_forgives_a_stop_only_with_always(
    policy: RestartPolicy, code: int, stopped: bool, count: int
) -> None:
    begins = should_start_with_daemon(policy, code, stopped, count)
    if policy.name == "always":
        assert begins
    else:
        assert begins == should_restart(policy, Ended(code, 0, stopped), count)


@given(st.lists(st.floats(0, STEADY, exclude_max=True), min_size=1, max_size=20))
def test_the_delay_doubles_up_to_a_minute(runs: list[float]) -> None:
    delay = 0.0
    for number, lasted in enumerate(runs):
        delay = next_delay(delay, lasted)
        assert delay == min(FIRST_DELAY * 2**number, LONGEST_DELAY)


@given(st.floats(0, LONGEST_DELAY), st.floats(STEADY, 1e6))
def test_after_a_steady_run_it_begins_anew(previous: float, lasted: float) -> None:
    assert next_delay(previous, lasted) == FIRST_DELAY


@pytest.mark.kernel
async def test_on_failure_counts_and_a_start_by_its_user_counts_anew(daemon: Daemon) -> None:
    id = daemon.create("sh", "-c", "exit 2", restart=RestartPolicy("on-failure", 2))
    for _ in range(2):
        await daemon.containers.start(id)
        assert daemon.containers.get(id).restart_count == 0
        await until(lambda: daemon.state(id).status == "exited")
        assert daemon.containers.get(id).restart_count == 2
    assert daemon.actions(id).count("start") == 6


@pytest.mark.kernel
async def test_on_failure_is_content_with_success(daemon: Daemon) -> None:
    id = daemon.create("true", restart=RestartPolicy("on-failure"))
    await daemon.end_of_next_run(id)
    assert daemon.state(id).status == "exited"


@pytest.mark.kernel
@pytest.mark.parametrize("how", ["stop", "kill", "remove"])
async def test_an_end_that_was_asked_for_is_the_end(daemon: Daemon, how: str) -> None:
    id = await daemon.start(*SLEEP, init=True, restart=ALWAYS)
    await end(daemon, id, how)
    await stays_ended(daemon, id, how)


@pytest.mark.kernel
@pytest.mark.parametrize("moment", [0.0, 0.005, 0.05, 0.1, 0.102, 0.105, 0.11])
@pytest.mark.parametrize("how", ["stop", "kill", "remove"])
async def test_an_end_between_two_runs_calls_the_next_off(
    daemon: Daemon, how: str, moment: float
) -> None:
    id = await daemon.start("true", restart=ALWAYS)
    await until(lambda: daemon.state(id).restarting)
    await asyncio.sleep(moment)
    # Whatever it finds: a run that just ends, a pause, a start in progress.
    try:
        await end(daemon, id, how)
    except (NotModified, Conflict):
        assert how != "remove"
        return
    await stays_ended(daemon, id, how)


@pytest.mark.kernel
async def test_a_start_while_a_restart_is_due_does_not_call_that_off(daemon: Daemon) -> None:
    id = await daemon.start("true", restart=ALWAYS)
    await until(lambda: daemon.state(id).restarting)
    with pytest.raises(NotModified):
        await daemon.containers.start(id)
    await until(lambda: daemon.containers.get(id).restart_count >= 2)


async def end(daemon: Daemon, id: str, how: str) -> None:
    match how:
        case "stop":
            await daemon.containers.stop(id, timeout=5)
        case "kill":
            await daemon.containers.kill(id)
        case "remove":
            await daemon.containers.remove(id, force=True)


async def stays_ended(daemon: Daemon, id: str, how: str) -> None:
    """When it should have been started again, it is not."""
    if how == "remove":
        assert daemon.containers.all() == []
        return
    assert daemon.state(id).status == "exited"
    await asyncio.sleep(LONGER_THAN_A_DELAY)
    assert daemon.state(id).status == "exited"
    assert daemon.containers.pids(id) == []
