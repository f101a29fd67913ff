"""Who waits for a container to stop, or to be gone.

A waiter is registered by a plain call, before anything is awaited: ``docker
run`` asks to be told of the next exit first and starts the container after,
and must not miss the end of a very short one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from minidocker.errors import InvalidParameter

NOT_RUNNING: Final = "not-running"
NEXT_EXIT: Final = "next-exit"
REMOVED: Final = "removed"
CONDITIONS: Final = (NOT_RUNNING, NEXT_EXIT, REMOVED)


@dataclass(frozen=True)
class WaitResult:
    exit_code: int
    error: str = ""


class Waiter:
    """Await it for the ``WaitResult``; or ``cancel`` it."""

    def __init__(self, condition: str) -> None:
        self.condition = condition
        self._future: asyncio.Future[WaitResult] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[object, None, WaitResult]:
        return self._future.__await__()

    @property
    def done(self) -> bool:
        return self._future.done()

    def cancel(self) -> None:
        self._future.cancel()

    def _settle(self, result: WaitResult) -> None:
        if not self._future.done():
            self._future.set_result(result)


def parse_condition(text: str) -> str:
    """One of ``CONDITIONS``; "" is Docker's default.  Raises ``InvalidParameter``."""
    condition = text or NOT_RUNNING
    if condition not in CONDITIONS:
        raise InvalidParameter(f'invalid condition: "{text}"')
    return condition


class WaitRegistry:
    """The waiters of every container."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[Waiter]] = {}

    def register(self, id: str, condition: str, running: bool, exit_code: int) -> Waiter:
        """A waiter for ``condition``; "not-running" is met at once unless ``running``.

        "next-exit" is never already met, whatever the state.
        """
        waiter = Waiter(condition)
        if condition == NOT_RUNNING and not running:
            waiter._settle(WaitResult(exit_code))
        else:
            kept = [each for each in self._waiters.get(id, ()) if not each.done]
            self._waiters[id] = [*kept, waiter]
        return waiter

    def exited(self, id: str, result: WaitResult) -> None:
        """Its process ended (whether or not it will be restarted)."""
        self._settle(id, result, {NOT_RUNNING, NEXT_EXIT})

    def removed(self, id: str, result: WaitResult) -> None:
        """It is gone: everyone who still waits is told."""
        self._settle(id, result, set(CONDITIONS))
        self._waiters.pop(id, None)

    def _settle(self, id: str, result: WaitResult, conditions: set[str]) -> None:
        staying = []
        for waiter in self._waiters.get(id, ()):
            if waiter.condition in conditions:
                waiter._settle(result)
            else:
                staying.append(waiter)
        self._waiters[id] = staying
