"""What a daemon has once it is up, without HTTP and in this process: its containers.

A ``Root`` is where a daemon keeps things, and a ``Daemon`` is one that is up there,
with short words for what tests ask of it again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidocker.cgroups import detect
from minidocker.containers.container import State
from minidocker.containers.events import Event, EventBus
from minidocker.containers.exec_spec import ExecSpec
from minidocker.containers.link import Client
from minidocker.containers.service import Containers, Places
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.store import ContainerStore
from minidocker.errors import NotFound
from minidocker.images.base import BASE
from minidocker.images.store import Image
from minidocker.layers.snapshot import Snapshots
from minidocker.layers.store import LayerStore
from minidocker.records import open_records

PATIENCE = 40.0  # seconds for a whole test
SLEEP = ("sleep", "1000")

Story = Callable[["Daemon"], Awaitable[None]]


@dataclass(frozen=True)
class Root:
    """A data root and an exec root; every container in it is made from ``image``."""

    data: Path
    run: Path
    layers: LayerStore
    image: Image

    @property
    def places(self) -> Places:
        return Places(self.data / "containers", self.run)

    @contextlib.contextmanager
    def store(self) -> Iterator[ContainerStore]:
        """What is on record of the containers."""
        with contextlib.closing(open_records(self.data / "minidocker.db")) as db:
            yield ContainerStore(db)

    @contextlib.asynccontextmanager
    async def daemon(self) -> AsyncIterator[Daemon]:
        """A daemon that is up; in the end it removes all its containers."""
        self.data.mkdir(exist_ok=True)
        with contextlib.closing(open_records(self.data / "minidocker.db")) as db:
            events = EventBus()
            containers = Containers(
                places=self.places,
                db=db,
                snapshots=Snapshots(self.places.root, self.layers),
                cgroups=detect(),
                events=events,
            )
            try:
                await containers.reconcile()
                yield Daemon(self, containers, events)
            finally:
                for each in containers.all():
                    with contextlib.suppress(NotFound):  # it removes itself just now
                        await containers.remove(each.id, force=True)
                await containers.close()

    def play(self, story: Story) -> None:
        """Do ``story`` with a daemon, from its beginning to its end."""

        async def whole() -> None:
            async with self.daemon() as daemon:
                await asyncio.wait_for(story(daemon), PATIENCE)

        asyncio.run(whole())


@dataclass(frozen=True)
class Daemon:
    """The containers of a root, each spoken of by its name or ID."""

    root: Root
    containers: Containers
    events: EventBus

    def create(self, *command: str, name: str | None = None, **how: Any) -> str:
        """A container of ``command``; its ID."""
        spec = ContainerSpec(image=BASE, command=command, **how)
        return self.containers.create(spec, name, self.root.image).id

    async def start(self, *command: str, **how: Any) -> str:
        """A container whose program was started; its ID."""
        id = self.create(*command, **how)
        await self.containers.start(id)
        return id

    async def ready(self, script: str, **how: Any) -> str:
        """A container whose shell has done ``script``, traps above all, and stays."""
        id = await self.start("sh", "-c", f"{script}; echo up; while :; do sleep 0.02; done", **how)
        async for line in self.lines(id, follow=True):
            if line == "up\n":
                return id
        raise AssertionError(f"it ended: {await self.log(id)}")

    async def run(self, *command: str, **how: Any) -> tuple[int, str, str]:
        """Exit code, output and error output of a container that was run to its end."""
        id = self.create(*command, **how)
        code = await self.end_of_next_run(id)
        return code, await self.log(id, stderr=False), await self.log(id, stdout=False)

    async def end_of_next_run(self, id: str) -> int:
        """Start it; its exit code."""
        ended = self.containers.wait(id, "next-exit")
        await self.containers.start(id)
        return (await ended).exit_code

    async def log(self, id: str, **wish: Any) -> str:
        """Its log as text."""
        return "".join([line async for line in self.lines(id, **wish)])

    async def lines(self, id: str, **wish: Any) -> AsyncIterator[str]:
        async for some in self.containers.logs(id, **wish):
            for line in some:
                yield line.data.decode()

    async def exec(self, id: str, *command: str, **how: Any) -> tuple[int | None, str]:
        """Exit code and output (both streams) of a command run inside."""
        spec = ExecSpec(command, attach_stdout=True, attach_stderr=True, **how)
        exec_id = self.containers.exec_create(id, spec)
        with stream() as (ours, client):
            await self.containers.exec_start(exec_id, client)
            output = await ours.read()
        return self.containers.exec_inspect(exec_id).exit_code, output

    @contextlib.contextmanager
    def attached(self, id: str, **how: Any) -> Iterator[Stream]:
        """Our end of a new connection to its streams."""
        with stream(**how) as (ours, client):
            try:
                self.containers.attach(id, client)
            except BaseException:
                client.close()
                raise
            yield ours

    def state(self, id: str) -> State:
        return self.containers.get(id).state

    def told(self, id: str) -> list[Event]:
        """The events of it, in order."""
        return self.events.past(lambda event: event.actor == id)

    def actions(self, id: str) -> list[str]:
        return [event.action for event in self.told(id)]

    def left(self, id: str) -> list[Path]:
        """What of it is on the machine: files, sockets, cgroups."""
        places, cgroups = self.root.places, Path("/sys/fs/cgroup")
        found = [places.directory(id), places.monitor(id).parent]
        found += [*cgroups.glob(f"minidocker/{id}"), *cgroups.glob(f"*/minidocker/{id}")]
        return [path for path in found if path.exists()]


class Stream:
    """The user's end of a connection, in text."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.setblocking(False)

    async def read(self) -> str:
        """To its end."""
        found = b""
        while piece := await self._receive():
            found += piece
        return found.decode()

    async def until(self, text: str) -> None:
        """Until ``text`` has come."""
        found = b""
        while text.encode() not in found:
            piece = await self._receive()
            assert piece, f"the stream ended before {text!r}: {found!r}"
            found += piece

    async def write(self, text: str) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, text.encode())

    def end(self) -> None:
        """No more input."""
        self.sock.shutdown(socket.SHUT_WR)

    async def _receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.sock, 65536)


@contextlib.contextmanager
def stream(**how: Any) -> Iterator[tuple[Stream, Client]]:
    """Our end, and a client to hand over: unframed unless ``framed``."""
    ours, theirs = socket.socketpair()
    with ours:
        yield Stream(ours), Client(theirs.detach(), **{"framed": False, **how})


async def until(true: Callable[[], object]) -> None:
    """Look until it is so: for what tells nobody when it becomes true."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether there is such a process, zombies apart."""
    try:
        return stat(pid)[0] != "Z"
    except OSError:
        return False


def cpu_time(pid: int) -> list[str]:
    """User and system time, in ticks."""
    return stat(pid)[11:13]


def stat(pid: int) -> list[str]:
    """proc(5), stat: what stands behind the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
