"""The name service on loopback sockets, before made-up servers of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest
from dnslib import EDNS0, DNSHeader, DNSRecord

from minidocker.networks import dns, resolver, upstream
from minidocker.networks.names import Neighbour, Neighbourhood, View
from minidocker.networks.resolver import NameServer
from tests.networks.queries import question
from tests.networks.upstreams import Upstream, fails, free_port, knows, silent, upstreams

WEB = Neighbour(("web",), (ip_address("172.18.0.2"),))
ONE, TWO = "127.0.0.1", "127.0.0.2"


def view(*servers: str) -> View:
    return View((Neighbourhood("n1", (WEB,)),), servers)


@dataclass
class Client:
    """A program in the container."""

    port: int

    async def ask(self, message: bytes, patience: float = 30) -> DNSRecord:
        with self.socket() as sock:
            sock.send(message)
            return DNSRecord.parse(await receive(sock, patience))

    def socket(self) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((ONE, self.port))
        return sock

    async def connect(self) -> Conversation:
        return Conversation(*await asyncio.open_connection(ONE, self.port))


async def receive(sock: socket.socket, patience: float = 30) -> bytes:
    async with asyncio.timeout(patience):
        return await asyncio.get_running_loop().sock_recv(sock, 65535)


@dataclass
class Conversation:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, message: bytes) -> None:
        self.writer.write(len(message).to_bytes(2, "big") + message)

    async def receive(self) -> DNSRecord:
        length = int.from_bytes(await self.reader.readexactly(2), "big")
        return DNSRecord.parse(await self.reader.readexactly(length))

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(current: View, port: int = 53) -> AsyncIterator[Client]:
    """A server with one container, of which nothing is left afterwards."""
    server = NameServer(port)
    tasks = asyncio.all_tasks()
    try:
        yield await add(server, "c1", current)
    finally:
        await server.close()
        assert asyncio.all_tasks() - tasks == set()


async def add(server: NameServer, container_id: str, current: View) -> Client:
    port = free_port()
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind((ONE, port))
    tcp = socket.socket()
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # soon full
    tcp.bind((ONE, port))
    tcp.listen()
    await server.serve(container_id, udp, tcp, lambda: current)
    return Client(port)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it, and look whether a descriptor is left."""
    before = os.listdir("/proc/self/fd")
    asyncio.run(asyncio.wait_for(work, 60))
    assert os.listdir("/proc/self/fd") == before


def addresses(reply: DNSRecord) -> list[str]:
    return [str(each.rdata) for each in reply.rr]


def test_a_neighbour_is_found_over_udp_and_tcp_and_nobody_else_is_asked() -> None:
    async def work() -> None:
        machine = Upstream()
        async with upstreams((ONE, machine)) as port, serving(view(ONE), port) as client:
            assert addresses(await client.ask(question("web"))) == ["172.18.0.2"]
            conversation = await client.connect()
            for _ in range(3):
                conversation.send(question("web.n1"))
                assert addresses(await conversation.receive()) == ["172.18.0.2"]
            await conversation.close()
        assert machine.asked == []

    run(work())


def test_another_name_is_passed_on_as_it_is_under_other_numbers_and_ports() -> None:
    async def work() -> None:
        machine = Upstream()
        async with upstreams((ONE, machine)) as port, serving(view(ONE), port) as client:
            record = DNSRecord.question("a.example", "A")
            record.header = DNSHeader(id=7, rd=0, ad=1, cd=1)
            record.add_ar(EDNS0(udp_len=1400, flags="do"))
            for _ in range(8):
                reply = await client.ask(bytes(record.pack()))
                assert (reply.header.id, addresses(reply)) == (7, ["10.1.2.3"])
        for asked in machine.asked:
            record.header.id = asked.header.id
            assert asked.pack() == record.pack()
        assert len({asked.header.id for asked in machine.asked}) > 4
        assert len(set(machine.ports)) > 4

    run(work())


def test_what_is_cut_off_comes_whole_over_tcp() -> None:
    async def work() -> None:
        async with upstreams((ONE, Upstream())) as port, serving(view(ONE), port) as client:
            short = await client.ask(question("big.example", room=1232))
            assert (short.header.tc, short.rr) == (1, [])
            conversation = await client.connect()
            conversation.send(question("big.example"))
            whole = await conversation.receive()
            assert (whole.header.tc, len(whole.rr)) == (0, 100)
            await conversation.close()

    run(work())


def test_a_reply_longer_than_the_client_takes_is_cut() -> None:
    async def work() -> None:
        careless = Upstream(lambda record, stream: knows(record, True))
        async with upstreams((ONE, careless)) as port, serving(view(ONE), port) as client:
            reply = await client.ask(question("big.example"))
            assert (reply.header.tc, reply.rr) == (1, [])
            assert len((await client.ask(question("big.example", room=4096))).rr) == 100

    run(work())


@pytest.mark.parametrize("stream", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("first", [silent, fails(2), fails(5), None], ids=str)
def test_a_server_that_fails_gives_way_to_the_next(
    first: Any, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "PATIENCE", 0.2)

    async def work() -> None:
        servers = [(TWO, Upstream())] + ([(ONE, Upstream(first))] if first else [])
        async with upstreams(*servers) as port, serving(view("x", ONE, TWO), port) as client:
            if stream:
                conversation = await client.connect()
                conversation.send(question("a.example"))
                reply = await conversation.receive()
                await conversation.close()
            else:
                reply = await client.ask(question("a.example"))
            assert addresses(reply) == ["10.1.2.3"]

    run(work())


@pytest.mark.parametrize(
    ("behaviours", "rcode"),
    [
        ([], dns.SERVFAIL),
        ([silent, silent], dns.SERVFAIL),
        ([silent, fails(5)], 5),
        ([fails(5), silent], 5),
        ([fails(3), knows], dns.NXDOMAIN),
    ],
    ids=["no server", "silent ones", "refused last", "refused first", "no such name"],
)
def test_how_it_fails_is_said(
    behaviours: list[Any], rcode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "PATIENCE", 0.1)

    async def work() -> None:
        servers = [(f"127.0.0.{n}", Upstream(each)) for n, each in enumerate(behaviours, 1)]
        current = view(*(address for address, _ in servers))
        async with upstreams(*servers) as port, serving(current, port) as client:
            message = question("a.example")
            reply = await client.ask(message)
            assert reply.header.rcode == rcode
            assert reply.pack()[:2] == message[:2]

    run(work())


def test_a_false_reply_is_not_believed() -> None:
    """Another number, another question, a query: what somebody who guesses would send."""

    def liar(record: DNSRecord, stream: bool) -> bytes | None:
        lies = [DNSRecord.question("b.example").reply(), record.reply(), record]
        lies[0].header.id = record.header.id
        lies[1].header.id = record.header.id ^ 1
        for lie in lies:
            machine.transport.sendto(bytes(lie.pack()), (ONE, machine.ports[-1]))
        machine.transport.sendto(b"short", (ONE, machine.ports[-1]))
        return knows(record, stream)

    machine = Upstream(liar)

    async def work() -> None:
        async with upstreams((ONE, machine)) as port, serving(view(ONE), port) as client:
            reply = await client.ask(question("a.example"))
            assert addresses(reply) == ["10.1.2.3"]

    run(work())


def test_many_questions_are_under_way_at_once() -> None:
    """The upstream waits until it has been asked all of them."""

    async def work() -> None:
        machine = Upstream(silent)
        async with upstreams((ONE, machine)) as port, serving(view(ONE), port) as client:
            everything = [f"n{n}.example" for n in range(resolver.IN_FLIGHT)]
            asking = [asyncio.create_task(client.ask(question(name))) for name in everything]
            while len(machine.asked) < len(everything):
                await asyncio.sleep(0)
            for record, there in zip(machine.asked, machine.ports, strict=True):
                reply = knows(record, False)
                assert reply is not None
                machine.transport.sendto(reply, (ONE, there))
            replies = await asyncio.gather(*asking)
            assert [str(each.q.qname) for each in replies] == [f"{name}." for name in everything]

    run(work())


def test_a_flood_takes_only_its_own_share() -> None:
    """One container's questions fill its places; its neighbours and others' go on."""

    async def work() -> None:
        machine = Upstream(silent)
        async with upstreams((ONE, machine)) as port, serving(view(ONE), port) as client:
            other = NameServer(port)
            quiet = await add(other, "c2", view(ONE))
            with client.socket() as flood:
                for n in range(20 * resolver.IN_FLIGHT):
                    with contextlib.suppress(BlockingIOError):
                        flood.send(question(f"n{n}.example"))
                    if n % 16 == 0:
                        await asyncio.sleep(0)
                assert addresses(await client.ask(question("web"))) == ["172.18.0.2"]
                assert len(machine.asked) == resolver.IN_FLIGHT
                machine.behaviour = knows
                assert addresses(await quiet.ask(question("a.example"))) == ["10.1.2.3"]
            await other.close()

    run(work())


def test_connections_are_counted_and_idle_ones_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with serving(view()) as client:
            held = [await client.connect() for _ in range(resolver.CONNECTIONS)]
            for each in held:  # each has been accepted once it is answered
                each.send(question("web"))
                await each.receive()
            with pytest.raises((EOFError, OSError)):
                await (await client.connect()).receive()
            await held.pop().close()
            await asyncio.sleep(0.05)
            another = await client.connect()
            another.send(question("web"))
            await another.receive()
            monkeypatch.setattr(resolver, "IDLE", 0.05)
            another.send(question("web"))
            await another.receive()
            with pytest.raises((EOFError, OSError)):
                await another.receive()
            for each in (*held, another):
                await each.close()

    run(work())


def test_a_client_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "IDLE", 0.1)

    async def work() -> None:
        async with upstreams((ONE, Upstream())) as port, serving(view(ONE), port) as client:
            message = question("big.example")
            with socket.create_connection((ONE, client.port)) as sock:
                sock.sendall(300 * (len(message).to_bytes(2, "big") + message))
                with contextlib.suppress(OSError):  # it is reset in the end
                    while sock.send(b"\0"):
                        await asyncio.sleep(0.01)

    run(work())


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\0", b"\0\5abcde", b"\xff\xff" + b"x" * 70000, b"\0\x10" + bytes(16)]
)
def test_nonsense_over_tcp_harms_nobody(data: bytes) -> None:
    async def work() -> None:
        async with serving(view()) as client:
            conversation = await client.connect()
            with contextlib.suppress(OSError):
                conversation.writer.write(data)
                conversation.writer.write_eof()
                await conversation.reader.read()
            await conversation.close()
            assert addresses(await client.ask(question("web"))) == ["172.18.0.2"]

    run(work())


def test_stop_ends_what_is_under_way() -> None:
    async def work() -> None:
        async with upstreams((ONE, Upstream(silent))) as port:
            server = NameServer(port)
            before = asyncio.all_tasks()
            client = await add(server, "c1", view(ONE))
            conversation = await client.connect()
            conversation.send(question("a.example"))
            asking = asyncio.create_task(client.ask(question("b.example"), 0.3))
            await asyncio.sleep(0.05)
            await server.stop("c1")
            await server.stop("c1")
            with pytest.raises((EOFError, OSError)):
                await conversation.receive()
            await conversation.close()
            with pytest.raises(OSError):  # noqa: PT011, refused or silent
                await asking
            with pytest.raises(OSError):  # noqa: PT011
                await client.connect()
            while asyncio.all_tasks() != before:  # the upstream's own ends with its connection
                await asyncio.sleep(0.01)

    run(work())


def test_what_a_container_sees_changes_under_way() -> None:
    """A network is connected while it runs; and serving it once more takes new sockets."""

    async def work() -> None:
        server = NameServer()
        first = await add(server, "c1", View())
        assert (await first.ask(question("web"))).header.rcode == dns.SERVFAIL
        second = await add(server, "c1", view())
        assert addresses(await second.ask(question("web"))) == ["172.18.0.2"]
        with pytest.raises(OSError):  # noqa: PT011
            await first.connect()
        await server.close()

    run(work())
