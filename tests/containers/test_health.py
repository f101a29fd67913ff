"""Health checks: the rule, and real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.container import Health, HealthResult
from minidocker.containers.health import HEALTHY, KEPT_RESULTS, STARTING, UNHEALTHY, judge
from minidocker.containers.spec import HealthCheck
from tests.containers.ground import FOREVER, Stage, until

Play = Callable[..., Any]
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
def test_it_becomes_healthy_and_unhealthy_and_tells(play: Play) -> None:
    async def story(s: Stage) -> None:
        check = HealthCheck(("CMD-SHELL", "test -e /well"), interval=50 * MS, retries=2)
        made = await s.started(*FOREVER, health=check)
        assert s.now(made).state.health.status == STARTING
        await s.exec(made, "touch", "/well")
        await until(lambda: s.now(made).state.health.status == HEALTHY)
        await s.exec(made, "rm", "/well")
        await until(lambda: s.now(made).state.health.status == UNHEALTHY)
        told = [each for each in s.actions(made) if each.startswith("health_status")]
        assert told[-2:] == ["health_status: healthy", "health_status: unhealthy"]
        await s.containers.stop(made.id, 5)

    play(story)


@pytest.mark.kernel
def test_a_check_that_takes_too_long_is_ended_and_fails(play: Play) -> None:
    async def story(s: Stage) -> None:
        check = HealthCheck(("CMD", "sleep", "77"), interval=20 * MS, timeout=100 * MS, retries=1)
        made = await s.started(*FOREVER, health=check)
        await until(lambda: s.now(made).state.health.status == UNHEALTHY)
        first = s.now(made).state.health.log[0]
        assert first.exit_code == -1
        assert "exceeded timeout" in first.output
        await s.containers.remove(made.id, force=True)
        assert not s.containers._execs._known, "its execs are forgotten with it"

    play(story)
