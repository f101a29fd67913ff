"""Which descriptors are waited for, and who is told: epoll(7), level-triggered."""

from __future__ import annotations

import select
from collections.abc import Callable

IN, OUT = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP  # told whether or not one asks

Handler = Callable[[int], None]


class Poller:
    """One thread owns it.  A handler is called with the events, perhaps for nothing."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[int, Handler]] = {}

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Tell ``handler`` of ``events``, from now on these and no others."""
        before = self._watched.get(fd)
        if before is None:
            self._epoll.register(fd, events)
        elif before[0] != events:
            self._epoll.modify(fd, events)
        self._watched[fd] = events, handler

    def forget(self, fd: int) -> None:
        """Before it is closed; nothing happens if it is not watched."""
        if self._watched.pop(fd, None):
            self._epoll.unregister(fd)

    def wait(self, seconds: float | None) -> None:
        """Until something happens, or so many seconds; and tell who is concerned."""
        for fd, events in self._epoll.poll(seconds):
            watched = self._watched.get(fd)
            if watched:
                watched[1](events)
