"""The rule of health, against a reading of the whole history; no container, no root."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.container import Health, HealthResult
from minidocker.containers.health import (
    HEALTHY,
    INTERVAL,
    KEPT_RESULTS,
    RETRIES,
    START_INTERVAL,
    STARTING,
    UNHEALTHY,
    command,
    judge,
    pause,
    wanted,
)
from minidocker.containers.spec import HealthCheck
from tests.containers.strategies import healths

# A start period ends once, and does not come back: so many results are within it.
histories = st.tuples(st.lists(st.sampled_from([0, 0, 1, 2, -1]), max_size=12), st.integers(0, 12))


def results(codes: list[int]) -> list[HealthResult]:
    return [HealthResult(at, at + 1, code, str(at)) for at, code in enumerate(codes)]


def judged(codes: list[int], within: int, check: HealthCheck) -> Health:
    health = Health()
    for at, result in enumerate(results(codes)):
        health = judge(health, result, check, at < within)
    return health


def by_history(codes: list[int], within: int, retries: int) -> tuple[str, int]:
    """Status and streak, from all the results at once.

    Failures count from the end of the start period, or from the first success in it on;
    each success forgets those before it.
    """
    first_well = codes.index(0) if 0 in codes else len(codes)
    counted = codes[min(within, first_well) :]
    streak = len(list(itertools.takewhile(bool, reversed(counted))))
    if streak >= retries:
        return UNHEALTHY, streak
    return (HEALTHY if 0 in codes else STARTING), streak


@given(histories, st.integers(0, 4))
def test_health_is_what_the_history_says(history: tuple[list[int], int], retries: int) -> None:
    codes, within = history
    health = judged(codes, within, HealthCheck(("CMD", "x"), retries=retries))
    assert (health.status, health.failing_streak) == by_history(codes, within, retries or RETRIES)


@given(histories)
def test_the_last_results_are_kept_in_order(history: tuple[list[int], int]) -> None:
    codes, within = history
    assert judged(codes, within, HealthCheck()).log == tuple(results(codes))[-KEPT_RESULTS:]


@given(histories, st.integers(1, 4))
def test_one_success_heals(history: tuple[list[int], int], retries: int) -> None:
    codes, within = history
    health = judged([*codes, 0], within, HealthCheck(retries=retries))
    assert (health.status, health.failing_streak) == (HEALTHY, 0)


@given(st.none() | healths)
def test_only_a_check_that_has_a_command_is_made(check: HealthCheck | None) -> None:
    found = wanted(check)
    assert found in (None, check)
    assert (found is None) == (check is None or check.test in ((), ("NONE",)))


words = st.lists(st.text(max_size=3), min_size=1, max_size=3).map(tuple)


@given(words, words)
def test_a_command_is_run_as_it_is_and_a_text_by_the_images_shell(
    given_words: tuple[str, ...], shell: tuple[str, ...]
) -> None:
    assert command(HealthCheck(("CMD", *given_words)), shell) == given_words
    text = given_words[0]
    assert command(HealthCheck(("CMD-SHELL", text)), shell) == (*shell, text)
    assert command(HealthCheck(("CMD-SHELL", text)), ()) == ("/bin/sh", "-c", text)


@given(healths, st.booleans())
def test_the_pause_is_the_start_intervals_only_in_a_start_period(
    check: HealthCheck, starting: bool
) -> None:
    own, default = check.interval, INTERVAL
    if starting and check.start_period:
        own, default = check.start_interval, START_INTERVAL
    assert pause(check, starting) == (pytest.approx(own / 10**9) if own else default)
