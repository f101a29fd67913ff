"""Streams of a container: attach, logs, and the wait for its end.

All three send their head at once, for clients block on it: ``docker run`` attaches
and waits before it starts.  An attached connection is handed to the container's
monitor, and no byte of it passes through here again.
Engine API: ContainerAttach, ContainerLogs, ContainerWait, ContainerResize.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from minidocker.containers import state as life
from minidocker.containers.link import DEFAULT_DETACH_KEYS, Client
from minidocker.containers.logs import LogLine
from minidocker.containers.waits import Waiter
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import HIJACKED, Answer, Request, Response, Stream, json_line
from minidocker.daemon.filters import parse_time
from minidocker.daemon.times import rfc3339_fixed
from minidocker.errors import InvalidParameter, MinidockerError
from minidocker.namespaces.clients import parse_detach_keys
from minidocker.wire import frames
from minidocker.wire.http import MULTIPLEXED_STREAM, RAW_STREAM

_NUMBERS = {"stdout": frames.STDOUT, "stderr": frames.STDERR}


async def attach(engine: Engine, request: Request) -> Answer:
    """``logs``: first what it has said so far; ``stream``: then what it says."""
    container = engine.containers.get(request.params["id"])
    life.advance(container.state.status, life.ATTACH, id=container.id, name=container.name)
    keys = checked_keys(request.text("detachKeys"))
    stdout, stderr = request.flag("stdout"), request.flag("stderr")
    framed = not container.spec.tty
    past: AsyncIterator[list[LogLine]] | None = None
    if request.flag("logs"):
        past = engine.containers.logs(container.id, stdout=stdout, stderr=stderr)
    raw = await request.hijack(framed)
    client = Client(
        fd=raw.fd,
        stdin=request.flag("stdin") and container.spec.open_stdin,
        stdout=stdout,
        stderr=stderr,
        detach_keys=keys,
        framed=framed,
        early=raw.early,
    )
    try:
        if past is not None:
            style = LogStyle(framed=framed)
            async for lines in past:
                await send_all(client.fd, style.encode(lines))
        if request.flag("stream"):
            engine.containers.attach(container.id, client)
        else:
            os.close(client.fd)
    except (MinidockerError, OSError) as error:
        await say_and_close(client, str(error))
    return HIJACKED


def checked_keys(text: str, name: str = "detach") -> str:
    """The detach keys as given.  Raises ``InvalidParameter`` for what are none."""
    try:
        parse_detach_keys(text or DEFAULT_DETACH_KEYS)
    except ValueError:
        raise InvalidParameter(f"Invalid {name} keys ({text}) provided") from None
    return text


async def say_and_close(client: Client, message: str) -> None:
    """The last words on a connection that was given away in vain, on its output."""
    data = f"{message}\r\n".encode()
    with contextlib.suppress(OSError):  # the client may be gone as well
        await send_all(client.fd, frames.encode(frames.STDOUT, data) if client.framed else data)
    os.close(client.fd)


async def send_all(fd: int, data: bytes) -> None:
    """Write to a hijacked connection.  The descriptor stays open."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(sock, data)


async def resize(engine: Engine, request: Request) -> Answer:
    rows, columns = request.number("h"), request.number("w")
    if rows is None or columns is None:
        raise InvalidParameter("a terminal's size is two numbers: h (rows) and w (columns)")
    engine.containers.resize(request.params["id"], rows, columns)
    return Response(200)


# Logs


@dataclass(frozen=True)
class LogStyle:
    """``details``: before the text what the log's options add to it, and a space."""

    framed: bool
    timestamps: bool = False
    details: bool = False

    def encode(self, lines: list[LogLine]) -> bytes:
        """The bytes for some lines; a frame for each."""
        texts = [line.data for line in lines]
        if self.details:
            shown = [details_of(line.attributes or {}) for line in lines]
            texts = [more + text for more, text in zip(shown, texts, strict=True)]
        if self.timestamps:
            whens = [f"{fixed(line)} ".encode() for line in lines]
            texts = [when + text for when, text in zip(whens, texts, strict=True)]
        if self.framed:
            header = frames.HEADER.pack
            numbers = [_NUMBERS[line.stream] for line in lines]
            texts = [header(n, len(t)) + t for n, t in zip(numbers, texts, strict=True)]
        return b"".join(texts)


def details_of(attributes: Mapping[str, str]) -> bytes:
    """``a=1,b=x+y``, sorted, and a space (moby api/server/httputils/write_log_stream.go)."""
    pairs = sorted(attributes.items())
    text = ",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs)
    return f"{text} ".encode()


def fixed(line: LogLine) -> str:
    """The line's time with nine digits, as this engine writes it into the file anyway."""
    return line.when if len(line.when) == 30 else rfc3339_fixed(line.time_ns)


async def logs(engine: Engine, request: Request) -> Answer:
    """In frames without a terminal; what cannot be read is refused before the head is sent."""
    container = engine.containers.get(request.params["id"])
    stdout, stderr = request.flag("stdout"), request.flag("stderr")
    if not (stdout or stderr):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    now = time.time_ns()
    since, until = request.text("since"), request.text("until")
    lines = engine.containers.logs(
        container.id,
        stdout=stdout,
        stderr=stderr,
        since_ns=parse_time(since, now) if since else 0,
        until_ns=parse_time(until, now) if until not in ("", "0") else None,
        tail=parse_tail(request.text("tail")),
        follow=request.flag("follow"),
    )
    framed = not container.spec.tty
    style = LogStyle(framed, request.flag("timestamps"), request.flag("details"))
    multiplexed = framed and request.version >= (1, 42)
    return Stream(_encoded(lines, style), MULTIPLEXED_STREAM if multiplexed else RAW_STREAM)


async def _encoded(batches: AsyncIterator[list[LogLine]], style: LogStyle) -> AsyncIterator[bytes]:
    async for lines in batches:
        yield style.encode(lines)


def parse_tail(text: str) -> int | None:
    """The last so many lines; None for all: "all", nothing, or what is no count at all."""
    return int(text) if text.isascii() and text.isdecimal() else None


# Wait


async def wait(engine: Engine, request: Request) -> Answer:
    """Registered before the head is sent: whoever starts the container after it misses nothing."""
    waiter = engine.containers.wait(request.params["id"], request.text("condition"))
    return Stream(_end(waiter), close=waiter.cancel)


async def _end(waiter: Waiter) -> AsyncIterator[bytes]:
    result = await waiter
    shown: dict[str, object] = {"StatusCode": result.exit_code}
    if result.error:
        shown["Error"] = {"Message": result.error}
    yield json_line(shown)
