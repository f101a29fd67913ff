"""A daemon of canned answers on a real socket: what does a client send, and what does it do then?

The answers are bytes written by the tests; nothing of the engine takes part.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

Responder = Callable[["Exchange"], None]


@dataclass
class Asked:
    """One request as it came: ``path`` without version prefix and query."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange(BaseHTTPRequestHandler):
    """One connection; ``asked`` is the request being answered."""

    protocol_version = "HTTP/1.1"
    asked: Asked
    server: FakeDaemon  # type: ignore[assignment]

    def _any(self) -> None:
        split = urlsplit(self.path)
        path = split.path
        if path.startswith("/v1."):
            path = path[path.index("/", 1) :]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {key: values[-1] for key, values in parse_qs(split.query).items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.asked = Asked(self.command, path, query, body, headers)
        self.server.requests.append(self.asked)
        self.server.answer(self)

    do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = _any

    def json(self, value: Any, status: int = 200) -> None:
        """A whole answer whose body is ``value``."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.50")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def empty(self, status: int = 204) -> None:
        self.send_response(status)
        if status == 200:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def refuse(self, status: int, message: str) -> None:
        self.json({"message": message}, status)

    def chunks(self, *pieces: bytes) -> None:
        """A chunked answer, a chunk for each piece."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (*pieces, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def hijack(self, content_type: str = "application/vnd.docker.multiplexed-stream") -> None:
        """Answer as dockerd does; the raw connection is then ``connection``."""
        head = f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {content_type}\r\n"
        self.wfile.write(f"{head}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class FakeDaemon(socketserver.ThreadingUnixStreamServer):
    """Listens on ``socket`` while it is used as a context manager; ``answer`` handles requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, socket: Path, answer: Responder) -> None:
        self.socket_path = socket
        self.answer = answer
        self.requests: list[Asked] = []
        super().__init__(str(socket), Exchange)

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.requests]

    def get_request(self) -> Any:
        connection, _ = super().get_request()
        return connection, ("local", 0)

    def __enter__(self) -> FakeDaemon:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
