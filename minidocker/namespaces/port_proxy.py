"""One small process for a container's published ports: what is sent to the machine's port
is passed on to the container's, and the answer back.

It lives as long as the container's first process, whatever becomes of the daemon; a
later daemon ends it by a word on its socket.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Sequence
from typing import Any

from minidocker.linux.messages import Channel, listen_unix
from minidocker.namespaces.poller import IN, Poller
from minidocker.namespaces.port_datagrams import Datagrams
from minidocker.namespaces.port_streams import Address, Connection, Pipes, prepare, refuse
from minidocker.namespaces.program import set_title

SHARE = 8
"""A connection takes 2 descriptors, and 4 more for pipes at the worst: so many parts has
what the process may open, and the number of connections is one of them."""
MOST_FLOWS = 1024
AT_ONCE = 64  # connections that are accepted before it is the others' turn
REST = 0.5  # seconds without accepting, when there is no room for another connection


def serve_ports(link: Channel) -> None:
    """Do what a request on ``link`` asks for, until the container or somebody ends it.

    First {"op": "proxy", "id": of the container, "socket": path to listen on, "ports": how
    many} with a pidfd; then, since a message has at most 253 descriptors, lists of
    ports until all are there: {"ports": [[address, port], ...]}, the targets, with a bound
    (and of TCP, listening) socket for each.  The answer: {"event": "started", "pid": ...}, or
    "failed" with a "message".  Nothing is expected of the other end after that.
    """
    try:
        request, listeners, targets, pidfd = _receive(link)
        control = listen_unix(request["socket"])
    except (OSError, ValueError, EOFError) as error:
        with contextlib.suppress(OSError):
            link.send({"event": "failed", "message": f"the ports cannot be published: {error}"})
        return
    try:
        set_title(f"minidocker-ports {request['id'][:12]}")
        with contextlib.suppress(OSError):
            link.send({"event": "started", "pid": os.getpid()})
        link.close()
        run(listeners, targets, pidfd, control)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(request["socket"])


def _receive(link: Channel) -> tuple[dict[str, Any], list[socket.socket], list[Address], int]:
    """Raises ``EOFError`` when the other end is gone before all is said."""
    listeners: list[socket.socket] = []
    targets: list[Address] = []
    first, (pidfd,) = _next(link)
    while len(targets) < first["ports"]:
        message, fds = _next(link)
        listeners += [socket.socket(fileno=fd) for fd in fds]
        targets += [(address, port) for address, port in message["ports"]]
    return first, listeners, targets, pidfd


def _next(link: Channel) -> tuple[dict[str, Any], list[int]]:
    received = link.receive()
    if received is None:
        raise EOFError("the request ended too early")
    return received


def run(
    listeners: Sequence[socket.socket],
    targets: Sequence[Address],
    pidfd: int,
    control: socket.socket,
) -> None:
    """Pass on until the process of ``pidfd`` ends or ``control`` says {"op": "stop"}.

    ``listeners``: listening TCP and bound UDP sockets, one for each of ``targets``, (address,
    port) as this process reaches them.
    """
    proxy = Proxy(pidfd, control, _most_descriptors())
    for listener, target in zip(listeners, targets, strict=True):
        proxy.publish(listener, target)
    proxy.run()
    # Before the end of the process, which closes its descriptors in no order that one knows:
    # whoever said "stop" may take it that the ports are free.
    for listener in listeners:
        listener.close()


def _most_descriptors() -> int:
    """What the process may open: all that it may allow itself (getrlimit(2))."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Proxy:
    """The loop.  ``descriptors``: how many the process may have open."""

    def __init__(self, pidfd: int, control: socket.socket, descriptors: int) -> None:
        self._poller, self._pipes = Poller(), Pipes()
        self._most = descriptors // SHARE
        self._datagrams = Datagrams(self._poller, min(MOST_FLOWS, self._most))
        self._streams: list[tuple[socket.socket, Address]] = []
        self._connections: set[Connection] = set()
        self._resting = self._ended = False
        self._control = control
        self._poller.watch(pidfd, IN, lambda events: self._end())
        self._poller.watch(control.fileno(), IN, lambda events: self._on_caller())

    def publish(self, listener: socket.socket, target: Address) -> None:
        """Pass on what comes to ``listener``."""
        if listener.type == socket.SOCK_DGRAM:
            self._datagrams.publish(listener, target)
            return
        listener.setblocking(False)
        prepare(listener)
        self._streams.append((listener, target))
        self._accept_from(listener, target)

    def run(self) -> None:
        """Until the end."""
        while not self._ended:
            seconds = self._datagrams.expire()
            self._poller.wait(REST if self._resting else seconds)
            if self._resting:
                self._resume()
        for connection in list(self._connections):
            connection.finish()

    def _end(self) -> None:
        self._ended = True

    # Connections

    def _accept_from(self, listener: socket.socket, target: Address) -> None:
        fd = listener.fileno()
        self._poller.watch(fd, IN, lambda events: self._on_client(listener, target))

    def _on_client(self, listener: socket.socket, target: Address) -> None:
        for _ in range(AT_ONCE):
            if len(self._connections) >= self._most:
                self._rest()
                return
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionError):  # there is none; or none any more
                return
            except OSError:  # EMFILE, ENFILE, ENOMEM: later
                self._rest()
                return
            self._connect(client, target)

    def _connect(self, client: socket.socket, target: Address) -> None:
        client.setblocking(False)
        ended = self._connections.discard
        try:
            self._connections.add(Connection(client, target, self._poller, self._pipes, ended))
        except OSError:
            refuse(client)

    def _rest(self) -> None:
        """Whoever comes now waits in the kernel's queue."""
        self._resting = True
        for listener, _ in self._streams:
            self._poller.forget(listener.fileno())

    def _resume(self) -> None:
        if len(self._connections) < self._most:
            self._resting = False
            for listener, target in self._streams:
                self._accept_from(listener, target)

    # The daemon

    def _on_caller(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._control.accept()
            caller = Channel(connection)
            connection.setblocking(False)
            self._poller.watch(caller.fileno(), IN, lambda events: self._on_word(caller))

    def _on_word(self, caller: Channel) -> None:
        """Whoever says "stop" sees the connection closed when the ports are free."""
        try:
            if caller.feed():
                while (received := caller.next()) is not None:
                    if received[0].get("op") == "stop":
                        self._end()
                return
        except (OSError, ValueError, AttributeError):  # it speaks no sense
            pass
        self._poller.forget(caller.fileno())
        caller.close()
