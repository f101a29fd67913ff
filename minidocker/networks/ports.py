"""Publishing: which port of the machine leads to which of a container's.

A published port is a socket of this machine that listens: so no other program can have
the port, and its proxy has something to accept.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from minidocker.errors import InvalidParameter, Refused, SystemFailure

_PORT: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?", re.ASCII)
_KINDS: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
EVERYWHERE: Final = ("0.0.0.0", "::")
_BACKLOG: Final = 4096
_TRIES: Final = 16  # until a port that the kernel chose is free for both families


@dataclass(frozen=True)
class Binding:
    """``host_ports``: the ones to try, in order; none: any.  ``hosts``: the machine's addresses."""

    protocol: str
    container_port: int
    hosts: tuple[str, ...]
    host_ports: range | None


@dataclass(frozen=True)
class Listening:
    """A published port with its socket, which is the holder's to close."""

    protocol: str
    container_port: int
    host: str
    host_port: int
    sock: socket.socket


def read_port(text: str) -> tuple[int, str]:
    """``80/tcp``, ``53/udp``, ``80`` as (port, protocol).

    Raises ``InvalidParameter``, and ``Refused`` for sctp.
    """
    found = _PORT.fullmatch(text)
    if found is None or found[2] or not 1 <= int(found[1]) <= 65535:
        raise InvalidParameter(f"invalid port specification: {text!r}")
    protocol = (found[3] or "tcp").lower()
    if protocol == "sctp":
        raise Refused(f"port {text}: sctp is not supported, only tcp and udp are")
    if protocol not in _KINDS:
        raise InvalidParameter(f"invalid proto: {protocol}")
    return int(found[1]), protocol


def read_binding(port: str, host: str, host_port: str, default_host: str = "") -> Binding:
    """A ``-p`` as the API has it.  ``default_host``: the network's.

    Raises ``InvalidParameter``.
    """
    number, protocol = read_port(port)
    host = host or default_host
    try:
        hosts = (str(ip_address(host)),) if host else EVERYWHERE
    except ValueError as error:
        raise InvalidParameter(
            f"invalid IP address {host} in -p {host}:{host_port}:{port}"
        ) from error
    return Binding(protocol, number, hosts, _range(host_port))


def _range(text: str) -> range | None:
    if text in ("", "0"):
        return None
    found = _PORT.fullmatch(text)
    if found is None or found[3]:
        raise InvalidParameter(f"invalid port specification: {text!r}")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= 65535:
        raise InvalidParameter(f"invalid port specification: {text!r}: it is 1 to 65535")
    return range(first, last + 1)


def listen(binding: Binding, taken: Collection[tuple[str, str, int]]) -> list[Listening]:
    """Open the binding's port on each of its addresses: the same number on all.

    ``taken``: (protocol, address, port) of other containers.  Raises ``SystemFailure`` with
    dockerd's words; then nothing is open.
    """
    ports: Sequence[int] | range = binding.host_ports or [0] * _TRIES
    trouble: SystemFailure | None = None
    for port in ports:
        try:
            return _listen_at(binding, port, taken)
        except SystemFailure as error:
            trouble = trouble or error
    assert trouble is not None
    if binding.host_ports and len(binding.host_ports) > 1:
        first, last = binding.host_ports[0], binding.host_ports[-1]
        raise SystemFailure(
            f"Bind for {binding.hosts[0]}:{first}-{last} failed: all ports are allocated"
        ) from trouble
    raise trouble


def _listen_at(
    binding: Binding, port: int, taken: Collection[tuple[str, str, int]]
) -> list[Listening]:
    with contextlib.ExitStack() as stack:
        found = []
        for host in _hosts(binding.hosts):
            if port and _is_taken((binding.protocol, host, port), taken):
                raise SystemFailure(f"Bind for {host}:{port} failed: port is already allocated")
            sock = _open(binding.protocol, host, port)
            stack.callback(sock.close)
            port = sock.getsockname()[1]  # the kernel's choice holds for the other family too
            found.append(Listening(binding.protocol, binding.container_port, host, port, sock))
        stack.pop_all()
        return found


def _is_taken(wanted: tuple[str, str, int], taken: Collection[tuple[str, str, int]]) -> bool:
    """A port on every address is one on each."""
    protocol, host, port = wanted
    wide = EVERYWHERE[":" in host]
    return any(
        (each[0], each[2]) == (protocol, port)
        and (":" in each[1]) == (":" in host)
        and (each[1] in (host, wide) or host == wide)
        for each in taken
    )


def _hosts(hosts: Sequence[str]) -> Iterator[str]:
    """Without those of IPv6 where the kernel has none, unless it was asked for."""
    for host in hosts:
        if hosts == EVERYWHERE and host == "::" and not os.path.exists("/proc/net/if_inet6"):
            continue
        yield host


def _open(protocol: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, _KINDS[protocol])
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if protocol == "tcp":
            sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        version = "6" if family == socket.AF_INET6 else "4"
        why = "address already in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise SystemFailure(
            f"Error starting userland proxy: listen {protocol}{version} {shown}:{port}: "
            f"bind: {str(why).lower()}"
        ) from error
    return sock
