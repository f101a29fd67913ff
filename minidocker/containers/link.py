"""The daemon's end of the conversation with the launcher and the monitors.

One JSON message a line over a UNIX socket, descriptors beside it
(``linux/messages.py``).  A request to the launcher turns the connection into
the link to the new monitor; a monitor of before the daemon's restart is
reached by its own socket and greets with "running".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidocker.linux.messages import Channel, connect_unix

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


@dataclass(frozen=True)
class Client:
    """Someone at the other end of a hijacked connection.

    ``fd``: its socket, which the monitor will read and write directly.
    ``framed``: wrap the output in Docker's 8-byte stream frames.
    ``early``: bytes of its standard input that were read already.
    """

    fd: int
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    detach_keys: str = ""
    framed: bool = True
    early: bytes = b""

    def to_message(self) -> dict[str, Any]:
        """As the launch protocol has it; the descriptor travels beside it."""
        return {
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "detach_keys": self.detach_keys or DEFAULT_DETACH_KEYS,
            "framed": self.framed,
            "early": base64.b64encode(self.early).decode(),
        }

    def close(self) -> None:
        """Let go of our descriptor; the monitor may have its own."""
        os.close(self.fd)


class Link:
    """A conversation with one monitor.  The event loop's thread owns it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._channel = Channel(sock)
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()

    @classmethod
    def connect(cls, path: Path) -> Link:
        """Raises ``OSError`` (ENOENT, ECONNREFUSED) when nobody listens there."""
        # A connect to a UNIX socket does not wait, unless 128 others are in the queue.
        return cls(connect_unix(str(path)))

    async def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send one message.  The descriptors stay the caller's.

        Raises ``OSError`` (EPIPE, ECONNRESET) when the other end is gone.
        """
        if fds:
            message = {**message, "fds": len(fds)}
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        async with self._sending:
            while fds:
                try:
                    sent = socket.send_fds(self._channel.sock, [data], list(fds))
                except BlockingIOError:
                    await self._writable()
                else:
                    data, fds = data[sent:], ()
            if data:
                await self._loop.sock_sendall(self._channel.sock, data)

    async def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size; nothing happens when the other end is gone."""
        with contextlib.suppress(OSError):
            await self.send({"op": "resize", "rows": rows, "cols": columns})

    def heard(self) -> list[dict[str, Any]]:
        """The messages that have arrived by now, without their descriptors; never waits."""
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            self._channel.feed()
        found = []
        while (message := self._channel.next()) is not None:
            found.append(message[0])
        return found

    async def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next message and its descriptors; None at the end of the conversation.

        One task at a time may receive.
        """
        while (found := self._channel.next()) is None:
            try:
                if not self._channel.feed():
                    return None
            except BlockingIOError:
                await self._readable()
            except ConnectionResetError:
                return None
        return found

    def close(self) -> None:
        self._channel.close()

    async def _readable(self) -> None:
        fd, ready = self._channel.fileno(), self._loop.create_future()
        self._loop.add_reader(fd, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(fd)

    async def _writable(self) -> None:
        fd, ready = self._channel.fileno(), self._loop.create_future()
        self._loop.add_writer(fd, _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(fd)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
