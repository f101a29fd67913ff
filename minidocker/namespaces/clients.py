"""Attached clients: the sockets of ``docker attach``, ``run`` and ``exec``.

The daemon passes the connection itself to the monitor and steps out: bytes go
from the container to the client through one process, and an attached terminal
survives the end of the daemon.  Each output chunk is preceded by Docker's
8-byte header unless there is a terminal (Engine API, ContainerAttach, "Stream format").
"""

from __future__ import annotations

import base64
import itertools
import os
import socket
import struct
from collections import deque
from collections.abc import Mapping
from typing import Any

HIGH_WATER = 1 << 20
"""Bytes that may wait for a slow client before the container itself has to wait."""

PIECES = 64  # in one call; the kernel takes IOV_MAX, 1024
_STREAM_NUMBER = {"stdout": 1, "stderr": 2}
_CTRL = {f"ctrl-{chr(code + 64).lower()}": code for code in range(32)}  # ctrl-@ to ctrl-_


def parse_detach_keys(text: str) -> bytes:
    """``"ctrl-p,ctrl-q"`` as the bytes that a terminal sends for it.

    Each key is one ASCII character, ``DEL``, or ctrl- with a small letter or one of
    ``@ [ \\ ] ^ _`` (moby/term, ``ToBytes``).  Raises ``ValueError`` for anything else.
    """
    keys = bytearray()
    for key in text.split(","):
        if len(key) == 1 and key.isascii():
            keys += key.encode()
        elif key in _CTRL:
            keys.append(_CTRL[key])
        elif key == "DEL":
            keys.append(127)
        else:
            raise ValueError(f"Unknown character: '{key}'")
    return bytes(keys)


class DetachKeys:
    """Finds the key sequence in what is typed, however it is cut into pieces."""

    def __init__(self, keys: bytes) -> None:
        self.keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on of ``data``, and whether the sequence has been typed.

        A beginning of the sequence is held back until it is clear what it becomes.
        """
        if not self.keys:
            return data, False
        data = self._held + data
        at = data.find(self.keys)
        if at >= 0:
            return data[:at], True
        keep = next(
            (
                n
                for n in range(min(len(self.keys) - 1, len(data)), 0, -1)
                if data.endswith(self.keys[:n])
            ),
            0,
        )
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep], False


class Client:
    """One attached connection.  The monitor's loop owns it."""

    def __init__(self, fd: int, wish: Mapping[str, Any]) -> None:
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(False)
        self.wants = {name for name in ("stdout", "stderr") if wish.get(name)}
        self.reads = bool(wish.get("stdin"))
        self.framed = bool(wish.get("framed"))
        self.keys = DetachKeys(parse_detach_keys(wish.get("detach_keys") or "ctrl-p,ctrl-q"))
        self.early = base64.b64decode(wish.get("early") or "")
        self.gone = False
        self.waiting = 0  # bytes in the queue
        self._queue: deque[memoryview] = deque()

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, stream: str, data: bytes) -> None:
        """Queue a chunk of output, and write what the socket takes at once."""
        if self.gone or stream not in self.wants:
            return
        idle = not self._queue
        if self.framed:
            self._put(struct.pack(">BxxxI", _STREAM_NUMBER[stream], len(data)))
        self._put(data)
        if idle:
            self.flush()

    def _put(self, piece: bytes) -> None:
        self._queue.append(memoryview(piece))
        self.waiting += len(piece)

    def flush(self) -> None:
        """Write what the socket takes; pieces are sent from where they are, never joined."""
        try:
            while self._queue:
                sent = self.sock.sendmsg(itertools.islice(self._queue, PIECES))
                self.waiting -= sent
                while self._queue and sent >= len(self._queue[0]):
                    sent -= len(self._queue.popleft())
                if sent:
                    self._queue[0] = self._queue[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            self.gone = True
            self._queue.clear()
            self.waiting = 0

    def read(self) -> bytes | None:
        """What the client typed; b"" at its end of input; None when there is nothing now."""
        try:
            return self.sock.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            self.gone = True
            return b""

    def close(self) -> None:
        """End the conversation: the other side reads to the end, then sees it closed.

        Input that nobody will read is read away first: closing a socket with unread
        data is an error at the other end (ECONNRESET), where there was none.
        """
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.sock.close()


class Input:
    """The container's standard input: a pipe or the terminal, written without blocking.

    ``ending``: close it as soon as what is queued has been written.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.ending = False
        self._queue = bytearray()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def done(self) -> bool:
        return self.ending and not self._queue

    def write(self, data: bytes) -> None:
        self._queue += data
        self.flush()

    def flush(self) -> None:
        """Write what fits."""
        try:
            while self._queue:
                del self._queue[: os.write(self.fd, self._queue[:65536])]
        except BlockingIOError:
            return
        except OSError:  # EPIPE: the program closed its standard input
            self._queue.clear()
