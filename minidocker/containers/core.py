"""What the parts of this package share: the records, who runs, who waits, who is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from minidocker.cgroups.driver import Cgroup, Driver
from minidocker.containers.container import Container
from minidocker.containers.events import EventBus
from minidocker.containers.launch import Places, cgroup_path
from minidocker.containers.link import Client, Link
from minidocker.containers.networking import Networking
from minidocker.containers.settle import Host
from minidocker.containers.store import ContainerStore
from minidocker.containers.waits import WaitRegistry
from minidocker.containers.warm import WarmLauncher
from minidocker.errors import Conflict
from minidocker.layers.snapshot import Snapshots

log = logging.getLogger(__name__)

T = TypeVar("T")
TRACES_KEPT = 16  # of containers that are gone


@dataclass
class Run:
    """A container while it runs.  ``link`` is None when its monitor was killed.

    ``pidfd``: of its first process.  ``ended`` is set when the container has ended and
    what it had of the kernel is given back.
    """

    id: str
    pid: int
    pidfd: int
    link: Link | None
    stopped_by_user: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def signal(self, number: int) -> None:
        """To its first process; nothing happens when that has just ended."""
        import signal

        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def close(self) -> None:
        """Give the descriptors back."""
        if self.link is not None:
            self.link.close()
            self.link = None
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class Core:
    """The event loop's thread owns all of it.

    ``arriving``: clients that attached before the start.  ``daemon_traces``: the
    daemon's own steps of the last start; ``old_traces``: whole ones, of the removed.
    """

    def __init__(
        self,
        places: Places,
        store: ContainerStore,
        snapshots: Snapshots,
        cgroups: Driver | None,
        events: EventBus,
        launcher: WarmLauncher,
        networking: Networking,
    ) -> None:
        self.launcher, self.networking = launcher, networking
        self.places, self.store, self.snapshots = places, store, snapshots
        self.cgroups, self.events = cgroups, events
        self.machine = cgroups.machine() if cgroups else None
        self.host = Host.read()
        self.waits = WaitRegistry()
        self.runs: dict[str, Run] = {}
        self.arriving: dict[str, list[Client]] = {}
        self.daemon_traces: dict[str, list[dict[str, Any]]] = {}
        self.old_traces: OrderedDict[str, tuple[list[dict[str, Any]], bytes]] = OrderedDict()
        self.when_forgotten: list[Callable[[str], None]] = []
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()

    def lock(self, id: str) -> asyncio.Lock:
        """Held by whoever starts or removes the container."""
        return self._locks.setdefault(id, asyncio.Lock())

    def running(self, container: Container) -> Run:
        """Its run.  Raises ``Conflict`` when it does not run."""
        run = self.runs.get(container.id)
        if run is None:
            raise Conflict(f"container {container.id} is not running")
        return run

    def cgroup(self, container: Container) -> Cgroup | None:
        return self.cgroups.open(cgroup_path(container)) if self.cgroups else None

    def publish(self, container: Container, action: str, **attributes: str) -> None:
        """Tell who listens that something happened to ``container``."""
        self.events.publish(
            "container", action, container.id, {**container.attributes, **attributes}
        )

    async def hand_over(self, id: str, client: Client) -> None:
        """Give the client to the monitor; whether or not that works, our descriptor is closed."""
        run = self.runs.get(id)
        try:
            if run is not None and run.link is not None:
                message = {"op": "attach", "client": client.to_message()}
                await run.link.send(message, [client.fd])
        except OSError:
            pass  # it ended just now: the client sees the end of its stream
        finally:
            client.close()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let ``work`` go on beside; whatever goes wrong in it goes to the log."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` to its end, also when the one who asked has hung up meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("in the background: %s", error, exc_info=error)

    def forget(self, id: str) -> None:
        """It was removed: keep its trace for a while, drop the rest."""
        self.daemon_traces.pop(id, None)
        for forget in self.when_forgotten:
            forget(id)
        for client in self.arriving.pop(id, ()):
            client.close()

    def trace_id(self, ref: str) -> str:
        """The ID of a container that is, or was a moment ago.  Raises ``NotFound``."""
        if len(ref) == 64 and ref in self.old_traces:
            return ref
        return self.store.get(ref).id

    def keep_trace(self, id: str) -> None:
        """Before the files go: ``docker run --rm`` may ask how it all went a moment too late."""
        with contextlib.suppress(OSError):
            text = self.places.trace(id).read_bytes()
            self.old_traces[id] = (self.daemon_traces.get(id, []), text)
            while len(self.old_traces) > TRACES_KEPT:
                self.old_traces.popitem(last=False)

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for run in self.runs.values():
            run.close()
        for clients in self.arriving.values():
            for client in clients:
                client.close()
        self.arriving.clear()
        self.launcher.close()
