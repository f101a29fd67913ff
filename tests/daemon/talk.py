"""One connection to a running daemon, byte for byte: what no HTTP library would show."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.engine import Engine

PATIENCE = 30.0
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


class Talk:
    """The client's end.  ``ask`` sends a request and reads the head of its answer."""

    def __init__(self, path: Path, patience: float = PATIENCE, version: str = "/v1.50") -> None:
        self.version = version
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(patience)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def ask(self, method: str, path: str, body: Any = None, more: str = "") -> int:
        """Status of the answer, whose headers are then in ``headers``.

        ``body``: JSON, or bytes whose type is among ``more``: lines of the head.
        """
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            kind = "" if isinstance(body, bytes) else "Content-Type: application/json\r\n"
            more = f"{kind}Content-Length: {len(data)}\r\n{more}"
        head = f"{method} {self.version}{path} HTTP/1.1\r\nHost: docker\r\n{more}\r\n"
        self.sock.sendall(head.encode("latin-1") + data)
        return self.head(method)

    def head(self, method: str = "GET") -> int:
        """Read the head of the next answer: its status."""
        self.status_line = self.file.readline().decode("latin-1").rstrip()
        self.headers: dict[str, str] = {}
        while line := self.file.readline().decode("latin-1").rstrip():
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self.status = int(self.status_line.split()[1])
        self.bodiless = method == "HEAD" or self.status in (204, 304)
        return self.status

    def chunk(self) -> bytes:
        """The next chunk of a body in chunks; nothing at its end."""
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        self.file.readline()
        return data

    def whole(self) -> bytes:
        """The rest of the answer's body."""
        if self.bodiless:
            return b""
        if "content-length" in self.headers:
            return self.file.read(int(self.headers["content-length"]))
        if self.headers.get("transfer-encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self.file.read()

    def body(self) -> Any:
        return json.loads(self.whole())

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def talks(engine: Engine) -> Iterator[Callable[[], Talk]]:
    """``begin()``: one more connection; all are closed at the end."""
    opened: list[Talk] = []

    def begin() -> Talk:
        opened.append(Talk(engine.socket))
        return opened[-1]

    try:
        yield begin
    finally:
        for talk in opened:
            talk.close()
