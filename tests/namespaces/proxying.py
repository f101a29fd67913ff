"""A port proxy as a process of its own, between sockets of loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from minidocker.linux.messages import Channel, connect_unix, listen_unix
from tests.house.source import ROOT

ANY = ("127.0.0.1", 0)
PROGRAM = f"""
import socket, sys
sys.path.insert(0, {str(ROOT)!r})
from minidocker.namespaces.port_proxy import run
listeners, targets, pidfd, control = eval(sys.argv[1])
sockets = [socket.socket(fileno=fd) for fd in listeners]
run(sockets, targets, pidfd, socket.socket(fileno=control))
"""


def listening(address: tuple[str, int] = ANY) -> socket.socket:
    """A TCP socket, as the daemon opens those of published ports."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen(4096)
    sock.settimeout(30)
    return sock


def datagrams(address: tuple[str, int] = ANY) -> socket.socket:
    """A bound UDP socket."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(address)
    sock.settimeout(30)
    return sock


class Proxied:
    """The process; and another one that it takes for a container's first."""

    def __init__(self, folder: Path, ports: list[tuple[socket.socket, tuple[str, int]]]) -> None:
        self.place = folder / "proxy.sock"
        self.container = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        pidfd = os.pidfd_open(self.container.pid)
        control = listen_unix(str(self.place))
        fds = [each.fileno() for each, _ in ports]
        what = (fds, [target for _, target in ports], pidfd, control.fileno())
        argv = [sys.executable, "-I", "-S", "-c", PROGRAM, repr(what)]
        self.process = subprocess.Popen(argv, pass_fds=[*fds, pidfd, control.fileno()])
        control.close()
        os.close(pidfd)

    def descriptors(self, kind: str) -> int:
        """How many it has open; ``kind``: "socket:", "pipe:" (proc(5), fd), not the inherited."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        found = 0
        for each in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found += int(each.name) > 2 and str(each.readlink()).startswith(kind)
        return found

    def stop(self) -> None:
        """As the daemon does; the ports are free afterwards."""
        channel = Channel(connect_unix(str(self.place)))
        channel.send({"op": "stop"})
        assert channel.receive() is None
        channel.close()

    def end_container(self) -> None:
        assert self.container.stdin is not None
        self.container.stdin.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stop()
        with contextlib.suppress(OSError):
            self.end_container()
        assert self.process.wait(30) == 0
        self.container.wait(30)


@contextlib.contextmanager
def proxied(folder: Path, *ports: tuple[socket.socket, tuple[str, int]]) -> Iterator[Proxied]:
    """Let a proxy have ``ports``; the sockets are not ours any more."""
    proxy = Proxied(folder, list(ports))
    for sock, _ in ports:
        sock.close()
    try:
        yield proxy
    finally:
        proxy.close()


def until(condition: Callable[[], Any], patience: float = 20) -> None:
    """Wait for another process to have come that far."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)


def read_all(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def reset(sock: socket.socket) -> None:
    """Vanish: close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()
