"""Events, and those who wait for an end: nobody misses one, nobody is told twice."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.events import EventBus
from minidocker.containers.waits import (
    CONDITIONS,
    NEXT_EXIT,
    NOT_RUNNING,
    REMOVED,
    WaitRegistry,
    WaitResult,
    parse_condition,
)
from minidocker.errors import InvalidParameter


@given(st.lists(st.sampled_from(["start", "die"]), max_size=9), st.integers(0, 9))
def test_a_subscriber_gets_the_past_he_asks_for_and_all_that_comes(
    actions: list[str], since: int
) -> None:
    async def story() -> None:
        clock = count(1)
        bus = EventBus(kept=5, clock=lambda: next(clock))
        for action in actions[:4]:
            bus.publish("container", action, "id")
        with bus.subscribe(lambda event: event.action == "die", since) as deaths:
            for action in actions[4:]:
                bus.publish("container", action, "id")
            wanted = [
                number
                for number, action in enumerate(actions, 1)
                if action == "die" and (number >= since or number > 4)
            ]
            assert [(await deaths.next()).time_ns for _ in wanted] == wanted
            late = asyncio.ensure_future(deaths.next())
            await asyncio.sleep(0)
            assert not late.done()
            late.cancel()
        remembered = list(range(1, len(actions) + 1))[-5:]
        assert [event.time_ns for event in bus.past()] == remembered

    asyncio.run(story())


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("running", [False, True])
def test_each_condition_is_met_by_its_own_event(condition: str, running: bool) -> None:
    async def story() -> None:
        registry = WaitRegistry()
        waiter = registry.register("id", condition, running, 3)
        if condition == NOT_RUNNING and not running:
            assert (await waiter).exit_code == 3
            return
        assert not waiter.done
        registry.exited("another", WaitResult(1))
        assert not waiter.done
        registry.exited("id", WaitResult(7))
        assert waiter.done == (condition in (NOT_RUNNING, NEXT_EXIT))
        registry.removed("id", WaitResult(8))
        assert (await waiter).exit_code == (8 if condition == REMOVED else 7)

    asyncio.run(story())


def test_who_has_given_up_is_not_told() -> None:
    async def story() -> None:
        registry = WaitRegistry()
        gone, there = (registry.register("id", NEXT_EXIT, True, 0) for _ in range(2))
        gone.cancel()
        registry.exited("id", WaitResult(5))
        assert (await there).exit_code == 5
        assert gone.done

    asyncio.run(story())


@given(st.text(max_size=12))
def test_a_condition_is_dockers_or_refused(text: str) -> None:
    if text in (*CONDITIONS, ""):
        assert parse_condition(text) in CONDITIONS
    else:
        with pytest.raises(InvalidParameter, match="invalid condition"):
            parse_condition(text)
