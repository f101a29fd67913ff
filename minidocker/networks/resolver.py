"""The name service at 127.0.0.11: one server for the containers of all networks.

The sockets are made in a container's network namespace and served here, on the daemon's
event loop.  What is asked there is a stranger's: each container has so many questions
under way and no more, and its turn is short, so that it can exhaust nothing but
its own share.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

from minidocker.networks import dns, upstream
from minidocker.networks.names import View, answer

IN_FLIGHT: Final = 64
"""Questions of one container that others are being asked, each with a socket of its own."""
CONNECTIONS: Final = 16
"""Connections of one container."""
IDLE: Final = 10.0
"""Seconds that a connection may be silent, or not take its reply (RFC 7766, 6.2.3)."""
AT_ONCE: Final = 8  # datagrams of one container before it is the others' turn


class NameServer:
    """The event loop's thread owns it.  ``port``: where the servers of a view listen."""

    def __init__(self, port: int = upstream.PORT) -> None:
        self._port = port
        self._served: dict[str, _Served] = {}

    async def serve(
        self, container_id: str, udp: socket.socket, tcp: socket.socket, view: Callable[[], View]
    ) -> None:
        """Answer on two bound sockets, which are this object's from here on, until ``stop``.

        ``view``: called for each question; it does not block.
        """
        await self.stop(container_id)
        served = self._served[container_id] = _Served(udp, tcp, view, self._port)
        try:
            await served.start()
        except OSError:
            await self.stop(container_id)
            raise

    def serves(self, container_id: str) -> bool:
        """Whether it has sockets here."""
        return container_id in self._served

    async def stop(self, container_id: str) -> None:
        """Close its sockets, which keep its network namespace alive; nothing if it has none."""
        served = self._served.pop(container_id, None)
        if served is not None:
            await served.stop()

    async def close(self) -> None:
        """Stop for all."""
        for container_id in list(self._served):
            await self.stop(container_id)


class _Served:
    """One container's sockets and what is under way for them."""

    def __init__(
        self, udp: socket.socket, tcp: socket.socket, view: Callable[[], View], port: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._udp, self._tcp, self._view, self._port = udp, tcp, view, port
        self._questions: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._udp.setblocking(False)
        self._loop.add_reader(self._udp, self._datagrams)
        self._server = await asyncio.start_server(
            self._connected, sock=self._tcp, limit=dns.SMALLEST
        )

    async def stop(self) -> None:
        self._loop.remove_reader(self._udp)
        if self._server is not None:
            self._server.close()
        self._udp.close()
        self._tcp.close()
        under_way = self._questions | self._connections
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def _datagrams(self) -> None:
        for _ in range(AT_ONCE):
            try:
                message, sender = self._udp.recvfrom(dns.LARGEST)
            except OSError:  # there is none now
                return
            reply = answer(message, self._view())
            if reply is not None:
                self._send(reply, sender)
            elif len(self._questions) < IN_FLIGHT:  # else it asks again, as with any lost datagram
                self._spawn(self._questions, self._pass_on(message, sender))

    async def _pass_on(self, message: bytes, sender: Any) -> None:
        query = dns.read_query(message)
        reply = await upstream.ask(message, self._view().servers, stream=False, port=self._port)
        self._send(dns.cut(query, reply, query.room), sender)

    def _send(self, reply: bytes, sender: Any) -> None:
        if reply:
            with contextlib.suppress(OSError):  # it does not read them, or is gone
                self._udp.sendto(reply, sender)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) < CONNECTIONS:
            self._spawn(self._connections, self._converse(reader, writer))
        else:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Question after question, each with two bytes before it that say its length."""
        writer.transport.set_write_buffer_limits(0)  # "drained" is then: the kernel has it all
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    message = await reader.readexactly(length)
                reply = answer(message, self._view(), dns.LARGEST)
                if reply is None:
                    servers = self._view().servers
                    reply = await upstream.ask(message, servers, stream=True, port=self._port)
                if not reply:
                    return
                writer.write(len(reply).to_bytes(2, "big") + reply)
                async with asyncio.timeout(IDLE):
                    await writer.drain()
        except (OSError, EOFError):  # it is gone, or too slow
            pass
        finally:
            writer.transport.abort()

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
