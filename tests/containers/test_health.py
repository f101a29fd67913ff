"""Health checks: the rule, and real ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.container import Health, HealthResult
from minidocker.containers.health import HEALTHY, KEPT_RESULTS, STARTING, UNHEALTHY, judge
from minidocker.containers.spec import HealthCheck
from minidocker.errors import NotFound
from tests.containers.harness import SLEEP, Daemon, until

MS = 10**6


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, -1]), st.booleans()), max_size=12),
    st.integers(1, 4),
)
def test_it_is_what_its_last_results_say(results: list[tuple[int, bool]], retries: int) -> None:
    health, check = Health(), HealthCheck(("CMD", "x"), retries=retries)
    streak, well = 0, False
    for code, starting in results:
        before = health.status
        health = judge(health, HealthResult(1, 2, code, ""), check, starting)
        if code == 0:
            streak, well = 0, True
            assert health.status == HEALTHY
        elif not (starting and before == STARTING):
            streak += 1
        assert health.failing_streak == streak
        assert len(health.log) <= KEPT_RESULTS
        if health.status == UNHEALTHY:
            assert streak >= retries
        if not well:
            assert health.status != HEALTHY


@pytest.mark.kernel
async def test_it_becomes_healthy_and_unhealthy_and_tells(daemon: Daemon) -> None:
    check = HealthCheck(("CMD-SHELL", "test -e /well"), interval=50 * MS, retries=2)
    id = await daemon.start(*SLEEP, health=check)
    assert health_of(daemon, id).status == STARTING
    await daemon.exec(id, "touch", "/well")
    await until(lambda: health_of(daemon, id).status == HEALTHY)
    await daemon.exec(id, "rm", "/well")
    await until(lambda: health_of(daemon, id).status == UNHEALTHY)
    told = [each for each in daemon.actions(id) if each.startswith("health_status")]
    assert told[-2:] == ["health_status: healthy", "health_status: unhealthy"]


@pytest.mark.kernel
async def test_a_check_that_takes_too_long_is_ended_and_fails(daemon: Daemon) -> None:
    check = HealthCheck(("CMD", "sleep", "77"), interval=20 * MS, timeout=100 * MS, retries=1)
    id = await daemon.start(*SLEEP, health=check)
    await until(lambda: health_of(daemon, id).status == UNHEALTHY)
    first = health_of(daemon, id).log[0]
    assert first.exit_code == -1
    assert "exceeded timeout" in first.output
    execs = {event.attributes.get("execID") for event in daemon.told(id)} - {None}
    assert execs
    await daemon.containers.remove(id, force=True)
    for exec_id in execs:  # they are forgotten with it
        with pytest.raises(NotFound):
            daemon.containers.exec_inspect(exec_id)


@pytest.mark.kernel
async def test_while_it_starts_checks_come_faster_and_failures_do_not_count(
    daemon: Daemon,
) -> None:
    hour = 3600 * 1000 * MS
    check = HealthCheck(
        ("CMD", "false"), interval=hour, start_period=hour, start_interval=20 * MS, retries=1
    )
    id = await daemon.start(*SLEEP, health=check)
    await until(lambda: len(health_of(daemon, id).log) == KEPT_RESULTS)
    found = health_of(daemon, id)
    assert (found.status, found.failing_streak) == (STARTING, 0)
    assert {each.exit_code for each in found.log} == {1}


@pytest.mark.kernel
async def test_what_is_not_checked_any_more_counts_as_bad(daemon: Daemon) -> None:
    check = HealthCheck(("CMD", "true"), interval=50 * MS)
    id = await daemon.start(*SLEEP, health=check)
    await until(lambda: health_of(daemon, id).status == HEALTHY)
    await daemon.containers.pause(id)
    before = health_of(daemon, id)
    assert before.status == UNHEALTHY
    await daemon.containers.unpause(id)
    await until(lambda: health_of(daemon, id).status == HEALTHY)
    assert health_of(daemon, id).log != before.log
    await daemon.containers.kill(id)
    assert health_of(daemon, id).status == UNHEALTHY


@pytest.mark.kernel
@pytest.mark.parametrize("test", [("CMD-SHELL",), ("CMD", "/no/such/program")])
async def test_a_check_that_cannot_run_fails_and_says_why(
    daemon: Daemon, test: tuple[str, ...]
) -> None:
    check = HealthCheck(test, interval=20 * MS, retries=1)
    id = await daemon.start(*SLEEP, health=check)
    await until(lambda: health_of(daemon, id).status == UNHEALTHY)
    assert health_of(daemon, id).log[0].output
    assert daemon.state(id).status == "running"


def health_of(daemon: Daemon, id: str) -> Health:
    found = daemon.state(id).health
    assert found is not None
    return found
