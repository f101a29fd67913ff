"""UDP from a published port to the container, and back.

UDP has no connections, but who asks from one address is one client: it gets a socket of
its own to the container, so that the replies can be told from those of others.  After a
while of silence it is forgotten.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from minidocker.namespaces.poller import IN, Poller

SILENCE = 90.0
"""Seconds after which a client is forgotten, as docker-proxy does."""
AT_ONCE = 32  # datagrams of one socket before it is the others' turn
LARGEST = 65535

# <linux/in.h>, <linux/in6.h>: which of the machine's addresses a datagram was sent to.
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
_ANCILLARY = socket.CMSG_SPACE(20)  # sizeof(struct in6_pktinfo)

Address = tuple[str, int]
Ancillary = list[tuple[int, int, bytes]]
Key = tuple[object, ...]


class Flow:
    """A client.  ``client``, ``source``: where its replies go, from which of our addresses."""

    __slots__ = ("client", "heard", "key", "listener", "sock", "source")

    def __init__(self, key: Key, listener: socket.socket, client: Any, source: Ancillary) -> None:
        self.key, self.listener, self.client, self.source = key, listener, client, source
        self.heard = 0.0
        self.sock: socket.socket

    def connect(self, target: Address) -> None:
        """Raises ``OSError`` when there is no way there, or no descriptor left."""
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self.sock.connect(target)
        except OSError:
            self.sock.close()
            raise


class Datagrams:
    """The published UDP ports.  ``most``: clients at a time; a new one takes the place of who
    has been silent longest."""

    def __init__(self, poller: Poller, most: int) -> None:
        self._poller, self._most = poller, most
        self._flows: dict[Key, Flow] = {}  # who has been silent longest comes first

    def publish(self, listener: socket.socket, target: Address) -> None:
        """Pass on what comes to ``listener``, a bound socket."""
        listener.setblocking(False)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._poller.watch(listener.fileno(), IN, lambda events: self._on_asked(listener, target))

    def _on_asked(self, listener: socket.socket, target: Address) -> None:
        for _ in range(AT_ONCE):
            # What cannot be passed on is lost, as datagrams may be.
            try:
                data, extra, _, client = listener.recvmsg(LARGEST, _ANCILLARY)
            except OSError:  # there is none now
                return
            with contextlib.suppress(OSError):
                flow = self._flow_of(listener, client, _as_source(extra), target)
                self._heard(flow)
                flow.sock.send(data)

    def _flow_of(
        self, listener: socket.socket, client: Any, source: Ancillary, target: Address
    ) -> Flow:
        key = (listener.fileno(), client, *source)
        if key in self._flows:
            return self._flows[key]
        if len(self._flows) >= self._most:
            self._forget(next(iter(self._flows.values())))
        flow = Flow(key, listener, client, source)
        flow.connect(target)
        self._flows[key] = flow
        self._poller.watch(flow.sock.fileno(), IN, lambda events: self._on_reply(flow))
        return flow

    def _on_reply(self, flow: Flow) -> None:
        for _ in range(AT_ONCE):
            try:
                data = flow.sock.recv(LARGEST)
            except OSError:  # there is none now; or ECONNREFUSED: nobody listens there yet
                return
            self._heard(flow)
            with contextlib.suppress(OSError):
                flow.listener.sendmsg([data], flow.source, 0, flow.client)

    def _heard(self, flow: Flow) -> None:
        flow.heard = time.monotonic()
        self._flows[flow.key] = self._flows.pop(flow.key)

    def expire(self) -> float | None:
        """Forget who is silent; the seconds until this is worth a look again, if ever."""
        now = time.monotonic()
        while self._flows:
            flow = next(iter(self._flows.values()))
            left = flow.heard + SILENCE - now
            if left > 0:
                return left
            self._forget(flow)
        return None

    def _forget(self, flow: Flow) -> None:
        del self._flows[flow.key]
        self._poller.forget(flow.sock.fileno())
        flow.sock.close()


def _as_source(extra: Ancillary) -> Ancillary:
    """Where a datagram was sent to, as where its reply comes from.

    The interface is left out: the way back is the routing table's business.
    """
    for level, kind, data in extra:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            # What came before we asked for it says only the address in the packet's header.
            local = data[4:8] if any(data[4:8]) else data[8:12]
            return [(level, kind, bytes(4) + local + bytes(4))]
        if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            return [(level, kind, data[:16] + bytes(4))]
    return []
