"""What happened, told to whoever listens: the engine's event bus.

Publishing never waits: each subscriber has its own queue, and one that does not
take from it is dropped, and told so.  The last events are kept in a ring for those
who ask for the past (``docker events --since``).  Actions and attributes are
Docker's (``die`` with ``exitCode``, not ``died``).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

KEPT = 1024  # events of the past; dockerd keeps 256
BEHIND = 8192  # events that a subscriber may not have taken yet


@dataclass(frozen=True)
class Event:
    """``kind``: "container", "image", ...  ``action``: "start", "exec_create: ls", ...

    ``actor`` is the ID of the thing; ``attributes`` has its name, image and
    labels besides what is particular to the action.  ``time_ns``: Unix time.
    """

    kind: str
    action: str
    actor: str
    attributes: dict[str, str] = field(default_factory=dict)
    time_ns: int = 0


Predicate = Callable[[Event], bool]


class EventBus:
    """All methods belong to the event loop's thread; none of them waits."""

    def __init__(self, kept: int = KEPT, clock: Callable[[], int] = time.time_ns) -> None:
        self._ring: deque[Event] = deque(maxlen=kept)
        self._subscriptions: set[Subscription] = set()
        self._clock = clock

    def publish(
        self, kind: str, action: str, actor: str, attributes: Mapping[str, str] | None = None
    ) -> Event:
        """Tell every subscriber, and remember."""
        event = Event(kind, action, actor, dict(attributes or {}), self._clock())
        self._ring.append(event)
        for subscription in tuple(self._subscriptions):
            subscription._offer(event)
        return event

    def past(
        self,
        predicate: Predicate = lambda event: True,
        since_ns: int = 0,
        until_ns: int | None = None,
    ) -> list[Event]:
        """The remembered events with ``since_ns <= time <= until_ns``, oldest first."""
        return [
            event
            for event in self._ring
            if event.time_ns >= since_ns
            and (until_ns is None or event.time_ns <= until_ns)
            and predicate(event)
        ]

    def subscribe(
        self, predicate: Predicate = lambda event: True, since_ns: int | None = None
    ) -> Subscription:
        """Listen from now on; with ``since_ns``, the remembered past comes first.

        Use as ``with bus.subscribe(...) as events: async for event in events``.
        """
        subscription = Subscription(self, predicate)
        if since_ns is not None:
            for event in self.past(predicate, since_ns):
                subscription._offer(event)
        self._subscriptions.add(subscription)
        return subscription

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def _drop(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)


class Behind(Exception):
    """So many events were not taken that the rest was not kept."""


class Subscription:
    """An endless asynchronous iterator over the matching events."""

    def __init__(self, bus: EventBus, predicate: Predicate) -> None:
        self._bus = bus
        self._predicate = predicate
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._dropped = False

    def _offer(self, event: Event) -> None:
        if not self._predicate(event):
            return
        if self._queue.qsize() < BEHIND:
            self._queue.put_nowait(event)
        else:
            self._dropped = True
            self.close()

    async def next(self) -> Event:
        """The next matching event; waits for it.  Raises ``Behind``."""
        if self._dropped and self._queue.empty():
            raise Behind
        return await self._queue.get()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        return await self.next()

    def close(self) -> None:
        """Listen no longer."""
        self._bus._drop(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
