"""A server that answers with a small application, and a client of raw bytes."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from minidocker.daemon.exchange import (
    HIJACKED,
    Answer,
    Job,
    RawConnection,
    Request,
    Response,
    Stream,
    json_response,
)
from minidocker.daemon.server import Server, listen
from minidocker.wire.http import UnixAddress

PATIENCE = 20.0


class Echo:
    """Answers what it was asked; what it does for a path is a method below."""

    headers = (("Server", "echo"),)

    def __init__(self) -> None:
        self.gone = asyncio.Event()  # /lasting was cancelled
        self.began = asyncio.Event()
        self.given: list[RawConnection] = []

    def job(self, request: Request) -> Job:
        name = request.path.partition("/")[2].partition("/")[0] or "echo"
        handler: Callable[[Request], Awaitable[Answer]] = getattr(self, name)

        async def run() -> Answer:
            return await handler(request)

        return Job(run, lasting=name == "lasting")

    async def echo(self, request: Request) -> Answer:
        body = await request.body()
        return json_response(
            {
                "method": request.method,
                "path": request.path,
                "query": request.raw_query,
                "body": body.decode("latin-1"),
            }
        )

    async def unread(self, request: Request) -> Answer:
        return Response(200, b"not read", "text/plain")

    async def nothing(self, request: Request) -> Answer:
        return Response(204)

    async def stream(self, request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"{number};".encode()

        return Stream(chunks(), "text/plain")

    async def lasting(self, request: Request) -> Answer:
        async def chunks() -> AsyncIterator[bytes]:
            self.began.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.gone.set()
            yield b""

        return Stream(chunks(), "text/plain")

    async def hijack(self, request: Request) -> Answer:
        raw = await request.hijack(framed=True)
        self.given.append(raw)
        os.set_blocking(raw.fd, True)
        with socket.socket(fileno=raw.fd) as sock:
            while data := (raw.early or await asyncio.to_thread(sock.recv, 100)):
                raw = RawConnection(raw.fd, b"")
                sock.sendall(data.upper())
        return HIJACKED


class Wire:
    """The client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def pause(self) -> None:
        """Leave what comes in the socket."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    def arrived(self) -> bytes:
        """What lies in the socket."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as sock:
            try:
                return sock.recv(1 << 16, socket.MSG_PEEK)
            except BlockingIOError:
                return b""

    def half_close(self) -> None:
        self.writer.write_eof()

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


T = TypeVar("T")
Talk = Callable[[Wire, Echo], Awaitable[T]]


def with_server(talk: Talk[T]) -> T:
    """Run ``talk`` with one connection to a server on a UNIX socket."""
    return asyncio.run(_serve(talk))


async def _serve(talk: Talk[T]) -> T:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sock"
        echo = Echo()
        server = Server([listen(UnixAddress(str(path)))], echo)
        server.start()
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 22)
        wire = Wire(reader, writer)
        try:
            return await talk(wire, echo)
        finally:
            wire.close()
            await server.close()
