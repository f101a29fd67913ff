"""The name servers of the machine, asked on behalf of a container about all other names.

Each question goes out under a number and from a port of its own, both random, so that
nobody who cannot see it can answer it (RFC 5452).  What comes back is passed on as it is.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from typing import Final

from minidocker.networks import dns

PORT: Final = 53
MOST_SERVERS: Final = 3  # MAXNS of resolv.conf(5)
PATIENCE: Final = 2.0
"""Seconds for one server: a client waits 5 (RES_TIMEOUT), and the second one has a chance."""


async def ask(message: bytes, servers: Sequence[str], *, stream: bool, port: int = PORT) -> bytes:
    """The reply of the first server that knows, or that says that the name does not exist.

    ``message``: a well-formed query.  ``stream``: ask over TCP, as the container did: what
    is too long for a datagram is cut off by the server, and then the client comes again.
    A server that fails or is silent gives way to the next; at the end there is
    the last one's failure, or SERVFAIL.
    """
    query = dns.read_query(message)
    failure = dns.write_reply(query, rcode=dns.SERVFAIL)
    how = _by_stream if stream else _by_datagram
    for server in servers[:MOST_SERVERS]:
        id = secrets.randbits(16)
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await how(query, dns.with_id(message, id), id, server, port)
        except (OSError, EOFError):  # also TimeoutError
            continue
        reply = dns.with_id(reply, query.id)
        if dns.rcode_of(reply) in (dns.NOERROR, dns.NXDOMAIN):
            return reply
        failure = reply
    return failure


async def _by_datagram(query: dns.Query, message: bytes, id: int, server: str, port: int) -> bytes:
    """Connected, the socket hears nobody but the server, and of a closed port at once."""
    loop = asyncio.get_running_loop()
    family, address = _address(server, port)
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect(address)
        sock.send(message)
        while True:
            reply = await loop.sock_recv(sock, dns.LARGEST)
            if dns.answers_to(query, reply, id):
                return reply


async def _by_stream(query: dns.Query, message: bytes, id: int, server: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(len(message).to_bytes(2, "big") + message)
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.transport.abort()
    if not dns.answers_to(query, reply, id):
        raise EOFError(f"{server} answered another question")
    return reply


def _address(server: str, port: int) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """Raises ``OSError`` for what is no address; a zone (fe80::1%eth0) is the machine's."""
    found = socket.getaddrinfo(server, port, flags=socket.AI_NUMERICHOST)
    return found[0][0], found[0][4]
