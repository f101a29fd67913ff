"""Attaching by a web socket, for clients that are in a browser.

A monitor writes raw bytes, and these go in frames: so here, unlike with ``attach``, the
bytes pass through the daemon.  Engine API: ContainerAttachWebsocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from minidocker.containers import state as life
from minidocker.containers.link import Client
from minidocker.containers.logs import LogLine
from minidocker.daemon.container_streams import LogStyle, checked_keys
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import HIJACKED, Answer, RawConnection, Request
from minidocker.errors import InvalidParameter, MinidockerError
from minidocker.wire.websocket import (
    BINARY,
    CLOSE,
    NORMAL,
    PING,
    PONG,
    Decoder,
    WrongFrame,
    accept_key,
    closing,
    encode,
    is_key,
)

READ_SIZE = 65536
GOODBYE = 2.0  # seconds for the client's own closing frame


async def attach(engine: Engine, request: Request) -> Answer:
    """As ``container_streams.attach``; output of both streams in binary frames, unframed."""
    container = engine.containers.get(request.params["id"])
    life.advance(container.state.status, life.ATTACH, id=container.id, name=container.name)
    keys = checked_keys(request.text("detachKeys"))
    accept = handshake(request)
    stdout, stderr = request.flag("stdout"), request.flag("stderr")
    stdin = request.flag("stdin") and container.spec.open_stdin
    past: AsyncIterator[list[LogLine]] | None = None
    if request.flag("logs"):
        past = engine.containers.logs(container.id, stdout=stdout, stderr=stderr)
    raw = await request.hijack_websocket(accept)
    with _WebSocket(raw) as peer:
        if past is not None:
            style = LogStyle(framed=False)
            async for lines in past:
                await peer.say(BINARY, style.encode(lines))
        if not request.flag("stream"):
            await peer.end(NORMAL)
            return HIJACKED
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        client = Client(theirs.detach(), stdin, stdout, stderr, keys, framed=False)
        with ours:
            try:
                engine.containers.attach(container.id, client)
            except MinidockerError as error:
                client.close()
                await peer.say(BINARY, f"{error}\r\n".encode())
                await peer.end(NORMAL)
            else:
                await pump(peer, ours, stdin)
    return HIJACKED


def handshake(request: Request) -> str:
    """The key that accepts it (RFC 6455, section 4.2.1).  Raises ``InvalidParameter``."""
    key = request.headers.get("sec-websocket-key", "")
    wants = request.headers.get("upgrade", "").lower() == "websocket"
    if not wants or not is_key(key) or request.headers.get("sec-websocket-version") != "13":
        raise InvalidParameter(
            "bad handshake: a web socket of version 13 is needed (RFC 6455, section 4.1)"
        )
    return accept_key(key)


class _WebSocket:
    """The client's connection.  Two tasks write to it, each whole frames."""

    def __init__(self, raw: RawConnection) -> None:
        self._sock = socket.socket(fileno=raw.fd)
        self._sock.setblocking(False)
        self._early = raw.early
        self._writing = asyncio.Lock()

    def __enter__(self) -> _WebSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        self._sock.close()

    async def say(self, opcode: int, data: bytes) -> None:
        await self.write(encode(opcode, data))

    async def end(self, code: int) -> None:
        with contextlib.suppress(OSError):  # it may have gone already
            await self.write(closing(code))

    async def write(self, frame: bytes) -> None:
        async with self._writing:
            await asyncio.get_running_loop().sock_sendall(self._sock, frame)

    async def read(self) -> bytes:
        """What comes next; nothing at the end."""
        early, self._early = self._early, b""
        return early or await asyncio.get_running_loop().sock_recv(self._sock, READ_SIZE)


async def pump(peer: _WebSocket, monitor: socket.socket, stdin: bool) -> None:
    """Until the container's output or the client has come to its end."""
    out = asyncio.ensure_future(_out(peer, monitor))
    into = asyncio.ensure_future(_into(peer, monitor, stdin))
    try:
        await asyncio.wait((out, into), return_when=asyncio.FIRST_COMPLETED)
        if out.done():  # the client answers the closing frame with its own
            await asyncio.wait((into,), timeout=GOODBYE)
    finally:
        for task in (out, into):
            task.cancel()
        await asyncio.gather(out, into, return_exceptions=True)


async def _out(peer: _WebSocket, monitor: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(monitor, READ_SIZE):
        await peer.say(BINARY, data)
    await peer.end(NORMAL)


async def _into(peer: _WebSocket, monitor: socket.socket, stdin: bool) -> None:
    decoder, loop = Decoder(), asyncio.get_running_loop()
    while data := await peer.read():
        try:
            frames = decoder.feed(data)
        except WrongFrame as error:
            await peer.end(error.code)
            return
        for frame in frames:
            if frame.opcode == CLOSE:
                await peer.end(NORMAL)
                return
            if frame.opcode == PING:
                await peer.say(PONG, frame.data)
            elif frame.opcode < CLOSE and stdin and frame.data:
                await loop.sock_sendall(monitor, frame.data)
