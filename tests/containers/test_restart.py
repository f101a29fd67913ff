"""When what has ended is started again."""

from __future__ import annotations

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

policies = st.builds(
    RestartPolicy,
    st.sampled_from(["", "no", "always", "unless-stopped", "on-failure"]),
    st.integers(0, 5),
)
codes = st.integers(0, 255)
counts = st.integers(0, 9)


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
