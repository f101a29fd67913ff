"""A real ``Containers`` service in this process: its launcher, its image, its clients' ends.

A test is a coroutine that ``Ground.play`` runs with a ``Stage``: the service, and
short words for what tests do with it again and again.  At its end every container
that is still there is removed, and the service closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from minidocker.cgroups import detect
from minidocker.containers.container import Container
from minidocker.containers.events import Event, EventBus
from minidocker.containers.exec_spec import Exec, ExecSpec
from minidocker.containers.link import Client
from minidocker.containers.service import Containers, Places
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.waits import WaitResult
from minidocker.images.base import make_base_image
from minidocker.images.store import SCHEMA, ImageStore
from minidocker.layers.snapshot import Snapshots
from minidocker.layers.store import LayerStore
from minidocker.namespaces.launcher_client import start_launcher
from minidocker.records import open_records

PATIENCE = 40.0  # seconds for a whole story
FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
STUBBORN = ("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")


class Ground:
    """The image and the exec root, which all tests share; each has a data root of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.run = root, root / "run"
        self.run.mkdir(parents=True)
        self.layers = LayerStore(root / "layers")
        db = open_records(root / "images.db", [SCHEMA])
        self.image = make_base_image(ImageStore(root / "images", self.layers, db))
        db.close()

    def play(self, data: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
        """Run ``story`` on a service whose containers are in ``data``."""

        async def performance() -> None:
            async with self.stage(data) as stage:
                await asyncio.wait_for(story(stage), PATIENCE)

        asyncio.run(performance())

    @contextlib.asynccontextmanager
    async def stage(self, data: Path, *, clear: bool = True) -> AsyncIterator[Stage]:
        """A service on ``data``; ``clear``: in the end its containers are removed."""
        data.mkdir(parents=True, exist_ok=True)
        keeper = start_launcher(self.run)
        db = open_records(data / "minidocker.db")
        events = EventBus()
        containers = Containers(
            places=Places(data / "containers", self.run),
            db=db,
            snapshots=Snapshots(data / "containers", self.layers),
            cgroups=detect(),
            events=events,
        )
        stage = Stage(self, containers, events, data)
        try:
            await containers.reconcile()
            yield stage
        finally:
            if clear:
                for each in containers.all():
                    with contextlib.suppress(Exception):
                        await containers.remove(each.id, force=True)
            await containers.close()
            stage.close()
            db.close()
            keeper.close()


class Stream:
    """The client's end of an attached connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.setblocking(False)
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        """To its end."""
        found = b""
        while data := await self._loop.sock_recv(self.sock, 65536):
            found += data
        return found

    async def until(self, text: bytes) -> bytes:
        """Until ``text`` was read."""
        found = b""
        while text not in found:
            data = await self._loop.sock_recv(self.sock, 65536)
            assert data, f"the stream ended before {text!r}: {found!r}"
            found += data
        return found

    async def write(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    def end(self) -> None:
        """No more input."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()


class Stage:
    """One service, and what a test says to it."""

    def __init__(self, ground: Ground, containers: Containers, events: EventBus, data: Path):
        self.ground, self.containers, self.events, self.data = ground, containers, events, data
        self._streams: list[Stream] = []

    def create(self, *command: str, name: str | None = None, **how: Any) -> Container:
        spec = ContainerSpec(image="minidocker/base", command=command, **how)
        return self.containers.create(spec, name, self.ground.image)

    async def started(self, *command: str, name: str | None = None, **how: Any) -> Container:
        """A container that runs."""
        made = self.create(*command, name=name, **how)
        await self.containers.start(made.id)
        return self.now(made)

    def now(self, container: Container) -> Container:
        return self.containers.get(container.id)

    def client(self, **how: Any) -> tuple[Client, Stream]:
        ours, theirs = socket.socketpair()
        stream = Stream(ours)
        self._streams.append(stream)
        return Client(theirs.detach(), **{"framed": False, **how}), stream

    def attach(self, container: Container, **how: Any) -> Stream:
        client, stream = self.client(**how)
        self.containers.attach(container.id, client)
        return stream

    async def run(self, *command: str, **how: Any) -> tuple[int, str]:
        """Exit code and output (both streams), attached before the start."""
        made = self.create(*command, **how)
        stream = self.attach(made, stdin=how.get("open_stdin", False))
        waiter = self.containers.wait(made.id, "next-exit")
        await self.containers.start(made.id)
        output = await stream.read()
        return (await waiter).exit_code, output.decode()

    async def sh(self, script: str, **how: Any) -> tuple[int, str]:
        return await self.run("sh", "-c", script, **how)

    async def exec(self, container: Container, *command: str, **how: Any) -> tuple[Exec, str]:
        spec = ExecSpec(command, attach_stdout=True, attach_stderr=True, **how)
        client, stream = self.client()
        try:
            id = self.containers.exec_create(container.id, spec)
            await self.containers.exec_start(id, client)
        except BaseException:
            client.close()
            raise
        output = await stream.read()
        await until(lambda: not self.containers.exec_inspect(id).running)
        return self.containers.exec_inspect(id), output.decode()

    async def ended(self, container: Container) -> WaitResult:
        return await self.containers.wait(container.id)

    async def log(self, container: Container, **how: Any) -> list[bytes]:
        batches = self.containers.logs(container.id, **how)
        return [line.data async for batch in batches for line in batch]

    def actions(self, container: Container) -> list[str]:
        """What was told of it, in order."""
        return [each.action for each in self.told(container)]

    def told(self, container: Container) -> list[Event]:
        return self.events.past(lambda event: event.actor == container.id)

    def close(self) -> None:
        for stream in self._streams:
            stream.close()


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Look until it is so: for what tells nobody when it becomes true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        await asyncio.sleep(0.01)


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """(stream number, bytes) of Docker's multiplexed stream."""
    found = []
    while data:
        kind, size = struct.unpack(">BxxxI", data[:8])
        found.append((kind, data[8 : 8 + size]))
        data = data[8 + size :]
    return found
