"""Real packets between namespaces: who gets through to whom, and under which address.

Everything is in flight at once, in one thread: what is dropped costs one short wait for all.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.support.places import Place

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PATIENCE = 5.0
"""Seconds for what is expected to get through."""
GRACE = 0.2
"""Seconds more for what is not: it would have had all the time that the others needed."""


@dataclass(frozen=True)
class Attempt:
    """A question from ``place`` to a port of ``address``."""

    place: Place
    kind: str
    address: str
    port: int


class Answer(NamedTuple):
    """Which server it came to, and whom that one saw."""

    server: str
    peer: str


def open_socket(place: Place, kind: str, address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = place.do(lambda: socket.socket(family, KINDS[kind] | socket.SOCK_NONBLOCK))
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


class Traffic(contextlib.ExitStack):
    """Servers that answer every question with itself; questions are the attempts' names."""

    def __init__(self) -> None:
        super().__init__()
        self._servers: dict[socket.socket, str] = {}
        self._selector = self.enter_context(selectors.DefaultSelector())

    def serve(self, name: str, place: Place, kind: str, address: str, port: int) -> None:
        sock = self.enter_context(open_socket(place, kind, address))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if kind == "tcp":
            sock.listen(64)
        self._servers[sock] = name
        act = self._accept if kind == "tcp" else self._serve
        self._selector.register(sock, selectors.EVENT_READ, act)

    def send(
        self, attempts: Mapping[str, Attempt], expected: Collection[str] | None = None
    ) -> dict[str, Answer]:
        """The answers to those that get through.  ``expected``: whom to wait for (all)."""
        wanted = set(attempts if expected is None else expected)
        self._answers: dict[str, Answer] = {}
        self._came: dict[str, Answer] = {}
        with contextlib.ExitStack() as clients, contextlib.ExitStack() as self._accepted:
            self._open = {}
            for name, each in attempts.items():
                sock = clients.enter_context(open_socket(each.place, each.kind, each.address))
                self._open[sock] = name
                self._selector.register(sock, selectors.EVENT_WRITE, self._ask)
                clients.callback(self._forget, sock)
                if sock.connect_ex((each.address, each.port)) not in (0, errno.EINPROGRESS):
                    self._forget(sock)
            self._until(time.monotonic() + PATIENCE, wanted)
            self._until(time.monotonic() + GRACE, set(attempts))
        return self._answers

    def ask(self, client: socket.socket) -> str:
        """The server that answers to a connected datagram socket."""
        self._open, self._answers, self._came = {client: "again"}, {}, {}
        client.send(b"again")
        self._selector.register(client, selectors.EVENT_READ, self._hear)
        self._until(time.monotonic() + PATIENCE, {"again"})
        return self._answers["again"].server

    def _until(self, deadline: float, wanted: set[str]) -> None:
        """Work until each of ``wanted`` has an answer or is refused."""
        while wanted & set(self._open.values()) and (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                sock: socket.socket = key.fileobj  # type: ignore[assignment]
                key.data(sock)

    def _ask(self, sock: socket.socket) -> None:
        """The connection is there, or refused."""
        try:
            sock.send(self._open[sock].encode())
        except OSError:
            self._forget(sock)
        else:
            self._selector.modify(sock, selectors.EVENT_READ, self._hear)

    def _hear(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # ICMP: nobody is at that port
            name = sock.recv(1024).decode()
            if name == self._open[sock]:
                self._answers[name] = self._came[name]
        self._forget(sock)

    def _forget(self, sock: socket.socket) -> None:
        if self._open.pop(sock, None) is not None:
            self._selector.unregister(sock)

    def _accept(self, server: socket.socket) -> None:
        sock = self._accepted.enter_context(server.accept()[0])
        self._servers[sock] = self._servers[server]
        self._accepted.callback(self._servers.pop, sock)
        self._accepted.callback(self._hang_up, sock)
        self._selector.register(sock, selectors.EVENT_READ, self._serve)

    def _hang_up(self, sock: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(sock)

    def _serve(self, sock: socket.socket) -> None:
        """A question, which may be late: of an earlier ``send``."""
        with contextlib.suppress(OSError):  # whoever asked is gone
            data, peer = sock.recvfrom(1024)
            if peer is None:
                peer = sock.getpeername()
                self._hang_up(sock)
            self._came[data.decode()] = Answer(self._servers[sock], peer[0])
            sock.sendto(data, peer)
