"""A made-up name server of the machine, on loopback: UDP and TCP on one port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from dnslib import QTYPE, RR, A, DNSRecord

Reply = bytes | None
Behaviour = Callable[[DNSRecord, bool], Reply]


def knows(record: DNSRecord, stream: bool) -> Reply:
    """10.1.2.3 for every name; for big.*, a hundred addresses, over TCP only."""
    reply = record.reply()
    name = record.q.qname
    if name.matchGlob("big.*"):
        if not stream:
            reply.header.tc = 1
            return bytes(reply.pack())
        for number in range(100):
            reply.add_answer(RR(name, QTYPE.A, rdata=A(f"10.0.0.{number}"), ttl=5))
    else:
        reply.add_answer(RR(name, QTYPE.A, rdata=A("10.1.2.3"), ttl=5))
    return bytes(reply.pack())


def silent(record: DNSRecord, stream: bool) -> Reply:
    return None


def fails(rcode: int) -> Behaviour:
    def behaviour(record: DNSRecord, stream: bool) -> Reply:
        reply = record.reply()
        reply.header.rcode = rcode
        return bytes(reply.pack())

    return behaviour


@dataclass
class Upstream(asyncio.DatagramProtocol):
    """``asked``: the queries that came, in order, and from which ports."""

    behaviour: Behaviour = knows
    asked: list[DNSRecord] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.ports.append(addr[1])
        reply = self.reply(data, False)
        if reply is not None:
            self.transport.sendto(reply, addr)

    def reply(self, data: bytes, stream: bool) -> Reply:
        record = DNSRecord.parse(data)
        self.asked.append(record)
        return self.behaviour(record, stream)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                reply = self.reply(await reader.readexactly(length), True)
                if reply is not None:
                    writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()


@contextlib.asynccontextmanager
async def upstreams(*servers: tuple[str, Upstream]) -> AsyncIterator[int]:
    """Serve each at its address (127.0.0.x); the port is the same for all, and is yielded."""
    loop = asyncio.get_running_loop()
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        for address, server in servers:
            transport, _ = await loop.create_datagram_endpoint(
                lambda server=server: server,  # type: ignore[misc]
                (address, port),
            )
            stack.callback(transport.close)
            listener = await asyncio.start_server(server.converse, address, port)
            stack.callback(listener.close)
        yield port


def free_port() -> int:
    """One that nobody has on any address, neither of UDP nor of TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("", 0))
            with contextlib.suppress(OSError):
                udp.bind(("", tcp.getsockname()[1]))
                return int(tcp.getsockname()[1])
