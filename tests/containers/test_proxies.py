"""Published ports as the daemon starts and ends them, by way of a real launcher."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from minidocker.containers.proxies import start_proxy, stop_proxy
from minidocker.errors import SystemFailure
from minidocker.linux.messages import MAX_FDS, Channel
from minidocker.namespaces.launcher_client import start_launcher
from minidocker.networks.ports import Listening
from tests.namespaces.proxying import listening, until

ID = "0123456789abcdef" * 4


class Bench:
    """A launcher, and a process that is a container's first to all others."""

    def __init__(self, root: Path) -> None:
        self.launcher, self.place = root / "launcher.sock", root / "proxy.sock"
        self.keeper: Channel = start_launcher(root)
        self.target = listening()
        self.container = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self.pidfd = os.pidfd_open(self.container.pid)

    def ports(self, count: int) -> list[tuple[Listening, str]]:
        host, number = self.target.getsockname()
        found = []
        for _ in range(count):
            sock = listening()
            published = Listening("tcp", number, host, sock.getsockname()[1], sock)
            found.append((published, host))
        return found

    async def start(self, ports: list[tuple[Listening, str]]) -> int:
        return await start_proxy(self.launcher, self.place, ID, self.pidfd, ports)

    def end_container(self) -> None:
        assert self.container.stdin is not None
        self.container.stdin.close()
        self.container.wait(30)

    def close(self) -> None:
        self.end_container()
        os.close(self.pidfd)
        self.target.close()
        self.keeper.send({"op": "hello"})
        answer = self.keeper.receive()
        assert answer is not None
        self.keeper.close()
        # With no container left it ends by itself, and takes no proxy along.
        os.waitid(os.P_PID, answer[0]["pid"], os.WEXITED)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def talk(bench: Bench, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        accepted, _ = bench.target.accept()
        with accepted:
            accepted.sendall(b"x")
            assert client.recv(1) == b"x"


def let_go(ports: list[tuple[Listening, str]]) -> list[int]:
    """Close our descriptors; the numbers of the ports."""
    for each, _ in ports:
        each.sock.close()
    return [each.host_port for each, _ in ports]


@pytest.mark.kernel
@pytest.mark.parametrize("count", [1, MAX_FDS, MAX_FDS + 1, 2 * MAX_FDS + 7])
def test_each_port_leads_to_the_container(bench: Bench, count: int) -> None:
    """More than the descriptors of one message, too; and a later daemon can end it."""

    async def work() -> None:
        ports = bench.ports(count)
        pid = await bench.start(ports)
        numbers = let_go(ports)
        assert (
            Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"minidocker-ports 0123456789ab")
        )
        for number in {numbers[0], numbers[-1], numbers[count // 2]}:
            talk(bench, number)
        await stop_proxy(bench.place)
        for number in numbers:
            listening(("127.0.0.1", number)).close()
        assert not bench.place.exists()

    run(work())


@pytest.mark.kernel
def test_it_ends_with_the_container_and_takes_its_socket_along(bench: Bench) -> None:
    async def work() -> None:
        ports = bench.ports(1)
        pid = await bench.start(ports)
        [number] = let_go(ports)
        talk(bench, number)
        bench.end_container()
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert not bench.place.exists()
        await stop_proxy(bench.place)  # nothing happens

    run(work())


@pytest.mark.kernel
def test_a_killed_one_is_stopped_all_the_same(bench: Bench) -> None:
    async def work() -> None:
        ports = bench.ports(1)
        pid = await bench.start(ports)
        os.kill(pid, 9)
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert bench.place.exists()
        await stop_proxy(bench.place)
        assert not bench.place.exists()
        await bench.start(ports)
        [number] = let_go(ports)
        talk(bench, number)

    run(work())


@pytest.mark.kernel
def test_why_it_cannot_start_is_said(bench: Bench) -> None:
    async def work() -> None:
        ports = bench.ports(1)
        bench.place.touch()
        with pytest.raises(SystemFailure, match=f"container {ID} have no proxy: .*in use"):
            await bench.start(ports)
        assert bench.place.exists()
        let_go(ports)

    run(work())
