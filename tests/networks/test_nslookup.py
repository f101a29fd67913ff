"""What a program in a container sees: busybox's nslookup, at the address and port of Docker's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from minidocker.networks.names import Neighbour, Neighbourhood, View
from minidocker.networks.resolver import NameServer
from tests.networks.upstreams import Upstream, fails, knows, upstreams
from tests.support.need import need_program, need_root

ADDRESS = "127.0.0.11"
WEB = Neighbour(("web", "www"), (ip_address("172.18.0.2"), ip_address("fd00::2")))
WEB2 = Neighbour(("web2", "www"), (ip_address("172.18.0.3"),))

Nslookup = Callable[..., Awaitable[tuple[int, list[str]]]]


def asking(work: Callable[[Nslookup], Awaitable[None]], machine: Upstream) -> None:
    """Run ``work`` while the name service answers; what it is given runs nslookup, and
    returns its exit code and the lines that it says."""
    need_root()
    busybox = need_program("busybox")

    async def nslookup(*words: str) -> tuple[int, list[str]]:
        argv = [busybox, "nslookup", *words, ADDRESS]
        process = await asyncio.create_subprocess_exec(*argv, stdout=-1, stderr=-2)
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode().splitlines()

    async def main() -> None:
        async with upstreams(("127.0.0.1", machine)) as port:
            server = NameServer(port)
            view = View((Neighbourhood("n1", (WEB, WEB2)),), ("127.0.0.1",))
            udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for sock in (udp, tcp):
                sock.bind((ADDRESS, 53))
            tcp.listen()
            await server.serve("c1", udp, tcp, lambda: view)
            try:
                await work(nslookup)
            finally:
                await server.close()

    asyncio.run(main())


@pytest.mark.kernel
def test_nslookup_finds_neighbours_by_name_and_by_address() -> None:
    async def work(nslookup: Nslookup) -> None:
        code, lines = await nslookup("web.n1")
        assert code == 0
        assert {"Address: 172.18.0.2", "Address: fd00::2"} <= set(lines)
        code, lines = await nslookup("-type=a", "www.n1")
        assert code == 0
        assert {"Address: 172.18.0.2", "Address: 172.18.0.3"} <= set(lines)
        code, lines = await nslookup("172.18.0.3")
        assert code == 0
        assert "3.0.18.172.in-addr.arpa\tname = web2.n1" in lines

    asking(work, Upstream(fails(3)))


@pytest.mark.kernel
def test_nslookup_is_told_what_others_know_and_what_nobody_knows() -> None:
    async def work(nslookup: Nslookup) -> None:
        code, lines = await nslookup("-type=a", "a.example")
        assert (code, lines[-2]) == (0, "Address: 10.1.2.3")
        machine.behaviour = fails(3)
        code, lines = await nslookup("b.example")
        assert code == 1
        assert any("server can't find b.example: NXDOMAIN" in line for line in lines)

    machine = Upstream(knows)
    asking(work, machine)
