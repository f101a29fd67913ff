"""JSON lines over a UNIX socket, with descriptors beside them.

What the daemon, the launcher and the monitors say to each other: one JSON
object a line, and SCM_RIGHTS (unix(7)) for the descriptors that belong to it.
A message says in ``fds`` how many are its own; they travel with its first
byte, so they are there when the line is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

MAX_FDS = 253  # SCM_MAX_FD of the kernel
_FDS_SPACE = socket.CMSG_LEN(MAX_FDS * 4)
PIECE = 4096  # read at once: what a monitor has touched it keeps
# The shortest way through the json module, for the same reason.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode
_MAX_PATH = 107  # sun_path of unix(7), less the final zero


def listen_unix(path: str, backlog: int = 128) -> socket.socket:
    """A listening UNIX stream socket at ``path``, which may be longer than sun_path."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            sock.bind(address)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def connect_unix(path: str) -> socket.socket:
    """A UNIX stream socket connected to ``path``, which may be longer than sun_path."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _address(path: str) -> Iterator[str]:
    """A long path is named through a descriptor of its directory."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield path
        return
    directory, name = os.path.split(path)
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)


def receive_fds(sock: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """At most ``size`` bytes and the descriptors beside them, which no ``execve`` hands on.

    ``socket.recv_fds`` takes flags, and drops them (Python 3.11).
    """
    data, extra, _, _ = sock.recvmsg(size, _FDS_SPACE, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds += memoryview(content).cast("i")
    return data, fds


class Channel:
    """One end of such a conversation, blocking or not as the socket is."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send ``message``; the descriptors are duplicated, the caller keeps its own.

        Raises ``OSError`` (EPIPE, ECONNRESET) when the other end is gone.
        """
        if fds:
            message = {**message, "fds": len(fds)}
        data = _encode(message).encode() + b"\n"
        if fds:
            sent = socket.send_fds(self.sock, [data], list(fds))
            data = data[sent:]
        if data:
            self.sock.sendall(data)

    def feed(self) -> bool:
        """Read what is there; False at the end of the conversation.

        Raises ``BlockingIOError`` on a non-blocking socket with nothing to read.
        """
        data, fds = receive_fds(self.sock, PIECE)
        self._fds.extend(fds)
        self._buffer += data
        return bool(data)

    def next(self) -> tuple[dict[str, Any], list[int]] | None:
        """The next complete message and its descriptors, or None.

        Raises ``ValueError`` for what is no JSON.
        """
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        message, _ = _decode(self._buffer[:end].decode())
        del self._buffer[: end + 1]
        return message, [self._fds.popleft() for _ in range(message.get("fds", 0))]

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """Wait for the next message; None at the end of the conversation."""
        while (found := self.next()) is None:
            if not self.feed():
                return None
        return found

    def close(self) -> None:
        """Close the socket and every descriptor that nobody took."""
        while self._fds:
            os.close(self._fds.popleft())
        self.sock.close()
