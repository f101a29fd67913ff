"""Listening sockets: where they are, who may open them, and the accept loop.

UNIX sockets (0660, group ``docker`` where there is one) and TCP on loopback
only: whoever can speak to this API is root on the machine.
"""

from __future__ import annotations

import asyncio
import errno
import grp
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from minidocker.daemon.connection import Application, Connection
from minidocker.errors import InvalidParameter, SystemFailure
from minidocker.wire.http import Address, TcpAddress, UnixAddress, parse_address

BACKLOG = 512
SOCKET_GROUP = "docker"
# Out of descriptors or memory: let connections end, and try again after so long.
ACCEPT_PAUSE = 0.1

log = logging.getLogger(__name__)


def check_address(text: str) -> Address:
    """``-H``: ``unix:///PATH`` or ``tcp://HOST[:PORT]`` on loopback.

    Raises ``InvalidParameter`` for another TCP address, and as ``parse_address`` does.
    """
    address = parse_address(text)
    if isinstance(address, TcpAddress) and not _is_loopback(address.host):
        raise InvalidParameter(
            f"-H {text}: only loopback addresses, because whoever reaches this port is root here"
            " and there is no TLS; use ssh to reach the daemon from elsewhere"
        )
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(address: Address) -> socket.socket:
    """A bound, listening, non-blocking socket.  Raises ``SystemFailure`` with the reason."""
    try:
        if isinstance(address, UnixAddress):
            return _listen_unix(Path(address.path))
        return _listen_tcp(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SystemFailure(f"cannot listen on {address}: something else does") from error
        raise SystemFailure(f"cannot listen on {address}: {error.strerror}") from error


def _listen_unix(path: Path) -> socket.socket:
    """Bind under a name of our own, set owner and mode, then rename into place.

    So nobody can connect before the mode is right, and a socket file that a killed
    daemon left behind is replaced in one step.  A living one is refused.
    """
    if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
        raise OSError(errno.EEXIST, "there is a file of that name, and it is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, "in use")
    temporary = path.with_name(f".{os.getpid()}.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        temporary.unlink(missing_ok=True)
        # By way of a descriptor: the name of our own may be longer than sun_path holds.
        listener.bind(f"/proc/self/fd/{directory}/{temporary.name}")
        os.chown(temporary, -1, _group_id())
        temporary.chmod(0o660)
        listener.listen(BACKLOG)
        temporary.rename(path)
    except OSError:
        listener.close()
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(directory)
    return listener


def _group_id() -> int:
    try:
        return grp.getgrnam(SOCKET_GROUP).gr_gid
    except KeyError:
        return os.getgid()


def _listen_tcp(address: TcpAddress) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM
    )[0]
    listener = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class Server:
    """Accepts on every listener and serves each connection in a task of its own."""

    def __init__(self, listeners: Sequence[socket.socket], application: Application) -> None:
        self._listeners = listeners
        self._application = application
        self._connections: set[asyncio.Task[None]] = set()  # owned by the event loop's thread

    def start(self) -> None:
        """Begin to accept; returns at once.  The loop must be running."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            listener.setblocking(False)
            loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(BACKLOG):
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("accept: %s", error)
                loop.remove_reader(listener)
                loop.call_later(ACCEPT_PAUSE, loop.add_reader, listener, self._accept, listener)
                return
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(Connection(sock, self._application).serve())
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Accept no more, and break off what is still being said."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)
            listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def remove_socket_files(addresses: Iterable[Address]) -> None:
    """Take away the names of the UNIX sockets, at the end."""
    for address in addresses:
        if isinstance(address, UnixAddress):
            Path(address.path).unlink(missing_ok=True)
