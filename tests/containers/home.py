"""The containers of one data root, without HTTP: what a daemon is made of, in this process.

``Home.tell`` runs a coroutine with a fresh ``Containers``, as a daemon would build
it, and takes every container away afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from minidocker.cgroups import detect
from minidocker.containers.events import EventBus
from minidocker.containers.link import Client
from minidocker.containers.service import Containers, ExecSpec, Places
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import MinidockerError, NotFound
from minidocker.images import store as image_store
from minidocker.images.base import BASE, make_base_image
from minidocker.images.store import Image, ImageStore
from minidocker.layers.snapshot import Snapshots
from minidocker.layers.store import LayerStore
from minidocker.namespaces.launcher_client import start_launcher
from minidocker.records import open_records
from tests.support.need import need_root

T = TypeVar("T")
PATIENCE = 20.0  # seconds for a whole story: nothing here takes so long


class Home:
    """A data root and an exec root below ``root``."""

    def __init__(self, root: Path) -> None:
        self.data, self.run = root / "data", root / "run"
        self.image: Image | None = None

    def make_image(self) -> None:
        """The embedded image, from this host's own tools."""
        self.data.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o711, exist_ok=True)
        with self.records() as (images, _, _):
            make_base_image(images)

    @contextlib.contextmanager
    def records(self) -> Iterator[tuple[ImageStore, LayerStore, Any]]:
        db = open_records(self.data / "minidocker.db", [image_store.SCHEMA])
        try:
            layers = LayerStore(self.data / "layers")
            yield ImageStore(self.data / "images", layers, db), layers, db
        finally:
            db.close()

    @contextlib.contextmanager
    def kept_launcher(self) -> Iterator[None]:
        """As long as somebody holds it, it lives: from daemon to daemon."""
        keeper = start_launcher(self.run)
        try:
            yield
        finally:
            keeper.close()

    @contextlib.asynccontextmanager
    async def containers(self) -> AsyncIterator[Engine]:
        """The containers as a daemon has them once it is up; they run on when it ends."""
        with self.records() as (images, layers, db):
            containers = Containers(
                places=Places(root=self.data / "containers", run=self.run),
                db=db,
                snapshots=Snapshots(self.data / "containers", layers),
                cgroups=detect(),
                events=EventBus(),
            )
            await containers.reconcile()
            try:
                yield Engine(containers, images.resolve(BASE))
            finally:
                await containers.close()

    def tell(self, story: Callable[[Engine], Awaitable[T]]) -> T:
        """What ``story`` returns; then all is taken away."""

        async def whole() -> T:
            async with self.containers() as engine:
                try:
                    return await asyncio.wait_for(story(engine), PATIENCE)
                finally:
                    await engine.clear()

        return asyncio.run(whole())


class Engine:
    """``containers``, and shorthands for what every story does."""

    def __init__(self, containers: Containers, image: Image) -> None:
        self.containers, self.image = containers, image

    @property
    def bus(self) -> EventBus:
        return self.containers._core.events

    def create(self, *command: str, name: str | None = None, **how: Any) -> str:
        """A container of ``command``; its ID."""
        spec = ContainerSpec(image=BASE, command=command, **how)
        return self.containers.create(spec, name, self.image).id

    async def start(self, *command: str, **how: Any) -> str:
        id = self.create(*command, **how)
        await self.containers.start(id)
        return id

    async def run(self, *command: str, **how: Any) -> tuple[int, str, str]:
        """Exit code, output and error output of a container that was run to its end."""
        id = self.create(*command, **how)
        ended = self.containers.wait(id, "next-exit")
        await self.containers.start(id)
        code = (await ended).exit_code
        return code, await self.log(id, stderr=False), await self.log(id, stdout=False)

    async def shell(self, script: str, **how: Any) -> tuple[int, str, str]:
        return await self.run("sh", "-c", script, **how)

    async def log(self, id: str, **wish: Any) -> str:
        """Its whole log as text."""
        lines = [line.data async for some in self.containers.logs(id, **wish) for line in some]
        return b"".join(lines).decode()

    async def said(self, id: str, text: str) -> None:
        """Returns when a line of its log begins with ``text``."""
        async for lines in self.containers.logs(id, follow=True):
            if any(line.data.decode().startswith(text) for line in lines):
                return
        raise AssertionError(f"it ended without saying {text!r}")

    async def exec(self, id: str, *command: str, **how: Any) -> tuple[int, str]:
        """Exit code and output (both streams, unframed) of a command run inside."""
        spec = ExecSpec(command, attach_stdout=True, attach_stderr=True, **how)
        exec_id = self.containers.exec_create(id, spec)
        ours, client = connection()
        with ours:
            with self.bus.subscribe(lambda event: event.action == "exec_die") as deaths:
                await self.containers.exec_start(exec_id, client)
                output = await read_all(ours)
                while (await deaths.next()).attributes["execID"] != exec_id:
                    pass
            code = self.containers.exec_inspect(exec_id).exit_code
            assert code is not None
            return code, output.decode()

    def attach(self, id: str, **how: Any) -> socket.socket:
        """Our end of a new connection to its streams."""
        ours, client = connection(**how)
        try:
            self.containers.attach(id, client)
        except MinidockerError:
            client.close()
            ours.close()
            raise
        return ours

    def state(self, id: str) -> Any:
        return self.containers.get(id).state

    def left(self, id: str) -> list[str]:
        """What of it is on the machine: files, sockets, cgroups."""
        core = self.containers._core
        places = [core.places.directory(id), core.places.monitor(id).parent]
        return [str(path) for path in (*places, *cgroups_of(id)) if path.exists()]

    async def clear(self) -> None:
        """Remove all, whatever their state."""
        for container in self.containers.all():
            with contextlib.suppress(NotFound):  # it removes itself just now
                await self.containers.remove(container.id, force=True)


def connection(**how: Any) -> tuple[socket.socket, Client]:
    """Two ends: ours, and a client to hand over; unframed unless ``framed``."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = replace(Client(-1, framed=False), **how)
    return ours, replace(client, fd=theirs.detach())


async def read_all(sock: socket.socket) -> bytes:
    """To the end of the stream."""
    loop, data = asyncio.get_running_loop(), b""
    while piece := await loop.sock_recv(sock, 65536):
        data += piece
    return data


async def read_until(sock: socket.socket, text: bytes) -> bytes:
    """Until ``text`` has come."""
    loop, data = asyncio.get_running_loop(), b""
    while text not in data:
        piece = await loop.sock_recv(sock, 65536)
        assert piece, f"the stream ended before {text!r}: {data!r}"
        data += piece
    return data


def cgroups_of(id: str) -> list[Path]:
    """The cgroups of a container, in whatever trees are mounted."""
    top = Path("/sys/fs/cgroup")
    return [*top.glob(f"minidocker/{id}"), *top.glob(f"*/minidocker/{id}")]


def alive(pid: int) -> bool:
    """Whether there is such a process, zombies apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One data root with one image, and one launcher, for all that ask."""
    need_root()
    home = Home(tmp_path_factory.mktemp("home"))
    home.make_image()
    with home.kept_launcher():
        yield home
