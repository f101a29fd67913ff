"""The life of a container as a table: what may follow what, and in whose words it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minidocker.containers import state as life
from minidocker.containers.state import EVENTS, REFUSALS, STATES, TRANSITIONS
from minidocker.errors import Conflict, NotModified

USERS = EVENTS[: EVENTS.index(life.REMOVE) + 1]
ALIVE = {life.RUNNING, life.PAUSED}
every_state = pytest.mark.parametrize("state", STATES)


def test_the_table_speaks_of_known_states_and_events_only() -> None:
    for table in (TRANSITIONS, REFUSALS):
        assert {state for state, _ in table} <= set(STATES)
        assert {event for _, event in table} <= set(EVENTS)
    assert set(TRANSITIONS.values()) <= set(STATES)


def test_what_is_allowed_has_no_words_of_refusal() -> None:
    assert not TRANSITIONS.keys() & REFUSALS.keys()


def test_every_state_can_be_reached_and_leads_to_removal() -> None:
    assert reached({life.CREATED}) == set(STATES)
    for state in STATES:
        assert life.REMOVING in reached({state})


def reached(states: set[str]) -> set[str]:
    more = states | {after for (before, _), after in TRANSITIONS.items() if before in states}
    return states if more == states else reached(more)


@every_state
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_leads_on_or_is_refused_in_words(state: str, event: str) -> None:
    if life.may(state, event):
        assert life.advance(state, event) == TRANSITIONS[state, event]
        return
    with pytest.raises((Conflict, NotModified)) as refused:
        life.advance(state, event, id="i" * 64, name="it")
    assert str(refused.value)
    assert "{" not in str(refused.value)


@every_state
def test_only_a_process_that_is_there_can_die(state: str) -> None:
    assert life.may(state, life.DIE) == (state in ALIVE)
    assert life.may(state, life.BACK_OFF) == (state in ALIVE)


@every_state
def test_what_is_already_so_is_no_conflict(state: str) -> None:
    already = {life.START: (life.RUNNING, life.RESTARTING), life.STOP: (life.CREATED, life.EXITED)}
    for event, states in already.items():
        if not life.may(state, event):
            refused = life.refusal(state, event, id="x", name="y")
            assert isinstance(refused, NotModified) == (state in states)


@given(st.sampled_from(STATES), st.lists(st.sampled_from(USERS), max_size=10))
def test_nothing_that_a_user_asks_ends_a_process_by_itself(state: str, events: list[str]) -> None:
    """Only its end ends it: so the exit code is always one that was seen."""
    was_alive = state in ALIVE
    for event in events:
        if life.may(state, event):
            after = life.advance(state, event)
            if state in ALIVE:
                assert after in ALIVE
            state = after
    if was_alive:
        assert state in ALIVE


class Life(RuleBasedStateMachine):
    """A model with a process in it: the table must agree with what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.state = life.CREATED
        self.process = False
        self.frozen = False
        self.due = False  # a restart is

    def go(self, event: str) -> bool:
        if not life.may(self.state, event):
            return False
        self.state = life.advance(self.state, event)
        return True

    @rule()
    def start(self) -> None:
        if self.go(life.START):
            assert not self.process
            self.process = True

    @rule()
    def fail_to_start(self) -> None:
        if life.may(self.state, life.START) and self.go(life.START_FAILED):
            assert not self.process

    @precondition(lambda self: self.due)
    @rule(works=st.booleans())
    def retry(self, works: bool) -> None:
        assert self.go(life.RETRY if works else life.START_FAILED)
        self.process, self.due = works, False

    @precondition(lambda self: self.process)
    @rule(again=st.booleans())
    def end(self, again: bool) -> None:
        assert self.go(life.BACK_OFF if again else life.DIE)
        self.process, self.frozen, self.due = False, False, again

    @rule(event=st.sampled_from([life.STOP, life.KILL]))
    def signal(self, event: str) -> None:
        if self.go(event):
            assert self.process or self.due
            self.due = False

    @rule()
    def pause(self) -> None:
        if self.go(life.PAUSE):
            assert not self.frozen
            self.frozen = True

    @rule()
    def unpause(self) -> None:
        if self.go(life.UNPAUSE):
            assert self.frozen
            self.frozen = False

    @rule(event=st.sampled_from([life.EXEC, life.TOP, life.RESIZE, life.ATTACH]))
    def look(self, event: str) -> None:
        before = self.state
        if self.go(event):
            assert self.state == before
            assert self.process or event == life.ATTACH
            assert not (self.frozen and event in (life.EXEC, life.ATTACH))

    @rule(works=st.booleans())
    def remove(self, works: bool) -> None:
        if self.go(life.REMOVE):
            assert not self.process
            assert not self.due
            if works:
                self.state = life.CREATED  # gone; another one takes its place
            else:
                assert self.go(life.REMOVE_FAILED)

    @invariant()
    def the_state_says_what_is_there(self) -> None:
        assert (self.state in ALIVE) == self.process
        assert (self.state == life.PAUSED) == self.frozen
        assert (self.state == life.RESTARTING) == self.due


TestLife = Life.TestCase
