"""Who waits for whom, against a simple model: lists of the promises that were made."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minidocker.containers.waits import (
    CONDITIONS,
    NEXT_EXIT,
    NOT_RUNNING,
    Waiter,
    WaitRegistry,
    WaitResult,
)

ids = st.sampled_from(["a", "b"])
codes = st.integers(0, 255)


class Waits(RuleBasedStateMachine):
    """``told``: what each waiter must hear; None while it must wait, "gone" if it gave up."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.registry = WaitRegistry()
        self.waiters: list[tuple[str, str, Waiter]] = []
        self.told: list[WaitResult | str | None] = []

    def teardown(self) -> None:
        self.loop.close()

    async def _register(self, id: str, condition: str, running: bool, code: int) -> Waiter:
        return self.registry.register(id, condition, running, code)

    def _tell(self, id: str, result: WaitResult, conditions: tuple[str, ...]) -> None:
        for at, (whose, condition, _) in enumerate(self.waiters):
            if whose == id and condition in conditions and self.told[at] is None:
                self.told[at] = result

    @rule(id=ids, condition=st.sampled_from(CONDITIONS), running=st.booleans(), code=codes)
    def wait(self, id: str, condition: str, running: bool, code: int) -> None:
        waiter = self.loop.run_until_complete(self._register(id, condition, running, code))
        self.waiters.append((id, condition, waiter))
        met = condition == NOT_RUNNING and not running
        self.told.append(WaitResult(code) if met else None)
        if not met:
            kept = self.registry._waiters[id]
            assert not any(each.done for each in kept), "who gave up is forgotten by now"

    @rule(id=ids, code=codes, error=st.sampled_from(["", "out of memory"]))
    def exit(self, id: str, code: int, error: str) -> None:
        result = WaitResult(code, error)
        self.registry.exited(id, result)
        self._tell(id, result, (NOT_RUNNING, NEXT_EXIT))

    @rule(id=ids, code=codes)
    def remove(self, id: str, code: int) -> None:
        self.registry.removed(id, WaitResult(code))
        self._tell(id, WaitResult(code), CONDITIONS)
        assert id not in self.registry._waiters, "a container that is gone leaves nothing"

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        which = data.draw(st.integers(0, len(self.waiters) - 1))
        self.waiters[which][2].cancel()
        if self.told[which] is None:
            self.told[which] = "gone"

    @invariant()
    def each_has_heard_what_it_waited_for_and_nothing_else(self) -> None:
        for (_, _, waiter), told in zip(self.waiters, self.told, strict=True):
            assert waiter.done == (told is not None)
            if isinstance(told, WaitResult):
                assert self.loop.run_until_complete(asyncio.wait_for(waiter, 1)) == told

    @invariant()
    def who_has_heard_is_forgotten(self) -> None:
        kept = sum(map(len, self.registry._waiters.values()))
        waiting = sum(told is None for told in self.told)
        gone = sum(told == "gone" for told in self.told)
        assert waiting <= kept <= waiting + gone


TestWaits = Waits.TestCase
TestWaits.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
