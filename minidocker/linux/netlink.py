"""rtnetlink(7): interfaces, addresses and routes, asked of the kernel by messages.

A message is a header, a fixed part of its kind, and attributes: (length, type,
value), padded to four bytes, and possibly nested.  The kernel answers each with a
number: 0, or an errno.  What is written here is what a container's network takes;
init sends it from inside the container's start, where a library would cost more
memory than the container.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Self

# <linux/netlink.h>
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 1, 4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 0x8000
NETLINK_ROUTE = 0

# <linux/rtnetlink.h>
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5

# <linux/if_link.h>, <linux/if_addr.h>, <linux/veth.h>
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_PROTINFO = 1, 3, 4, 10, 12
IFLA_LINKINFO, IFLA_NET_NS_FD = 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_BRPORT_ISOLATED = 33
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
IFA_F_NODAD = 2
IFF_UP = 1

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, device type, index, flags, which flags change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, lengths, tos, table, protocol, scope, type, flags
_ATTRIBUTE = struct.Struct("=HH")
_PIECE = 1 << 16


def attribute(kind: int, value: bytes | str | int) -> bytes:
    """One attribute; text ends with a zero byte, a number is four bytes."""
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value)
    padding = b"\0" * (-len(value) % 4)
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + padding


def nested(kind: int, *inner: bytes) -> bytes:
    """An attribute whose value is attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(inner))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each attribute in ``data``; stops at what is none."""
    while len(data) >= 4:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not 4 <= length <= len(data):
            return
        yield kind & ~NLA_F_NESTED, data[4:length]
        data = data[(length + 3) & ~3 :]


class NetlinkSocket:
    """A conversation with the network namespace in which it was made, wherever its owner goes.

    Each question is one message, and its sender waits for the answer.  Raises ``OSError``
    with the kernel's errno and the name of what was asked about.
    """

    def __init__(self, protocol: int, fd: int | None = None) -> None:
        """``fd``: of such a socket, made before; it stays the caller's."""
        if fd is None:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self._sock = socket.socket(socket.AF_NETLINK, kind, protocol)
        else:
            self._sock = socket.socket(fileno=os.dup(fd))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def fileno(self) -> int:
        return self._sock.fileno()

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> bytes:
        """Send one message; the first one of the answer, which may be the acknowledgement."""
        self._send(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body)
        (_, first), *_ = self._answers(what)
        return first

    def _dump(self, kind: int, body: bytes, what: str) -> list[bytes]:
        """A list, read again when it changed while it was read."""
        torn = True
        while torn:
            self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, body)
            *found, done = self._answers(what)
            torn = any(flags & NLM_F_DUMP_INTR for flags, _ in (*found, done))
        return [message for _, message in found]

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        length = _HEADER.size + len(body)
        self._sock.send(_HEADER.pack(length, kind, flags, self._sequence, 0) + body)

    def _answers(self, what: str) -> Iterator[tuple[int, bytes]]:
        """(flags, what follows the header) of each message, the last one too: it has a number,
        0 or an errno below zero."""
        while True:
            data = self._sock.recv(_PIECE)
            while len(data) >= _HEADER.size:
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data)
                message, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    yield flags, message
                    continue
                (number,) = struct.unpack_from("=i", message)
                if number:
                    raise OSError(-number, os.strerror(-number), what)
                yield flags, message
                return


@dataclass(frozen=True)
class Link:
    """An interface.  ``kind``: "bridge", "veth"; "" for hardware and loopback.  ``up``:
    somebody opened it."""

    kind: str
    up: bool


class RouteSocket(NetlinkSocket):
    """Interfaces, addresses and routes."""

    def __init__(self, fd: int | None = None) -> None:
        super().__init__(NETLINK_ROUTE, fd)

    def index(self, name: str) -> int:
        """The number of an interface.  ENODEV: there is none of this name."""
        return int(_LINK.unpack_from(self._link(name))[2])

    def link(self, name: str) -> Link | None:
        """None: there is none of this name."""
        try:
            message = self._link(name)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        given = dict(attributes(message[_LINK.size :]))
        info = dict(attributes(given.get(IFLA_LINKINFO, b"")))
        kind = info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode()
        return Link(kind, bool(_LINK.unpack_from(message)[3] & IFF_UP))

    def _link(self, name: str) -> bytes:
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name)
        return self._ask(RTM_GETLINK, 0, body, name)

    def add_veth(
        self, name: str, master: str, peer: str, peer_namespace: int, mac: str, mtu: int
    ) -> None:
        """A pair of interfaces: ``name`` here, up, a port of the bridge ``master``, and
        ``peer`` in the network namespace of the descriptor ``peer_namespace``, down: the
        kernel cannot open one before the other is there."""
        other = (
            _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
            + attribute(IFLA_IFNAME, peer)
            + attribute(IFLA_ADDRESS, _mac(mac))
            + attribute(IFLA_MTU, mtu)
            + attribute(IFLA_NET_NS_FD, peer_namespace)
        )
        body = (
            _LINK.pack(socket.AF_UNSPEC, 0, 0, IFF_UP, IFF_UP)
            + attribute(IFLA_IFNAME, name)
            + attribute(IFLA_MTU, mtu)
            + attribute(IFLA_MASTER, self.index(master))
            + nested(
                IFLA_LINKINFO,
                attribute(IFLA_INFO_KIND, "veth"),
                nested(IFLA_INFO_DATA, nested(VETH_INFO_PEER, other)),
            )
        )
        self._ask(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, name)

    def add_bridge(self, name: str, mac: str, mtu: int) -> None:
        """A bridge, up, with no port yet.

        Without an address of its own it would have the lowest of its ports', and change it.
        """
        body = (
            _LINK.pack(socket.AF_UNSPEC, 0, 0, IFF_UP, IFF_UP)
            + attribute(IFLA_IFNAME, name)
            + attribute(IFLA_ADDRESS, _mac(mac))
            + attribute(IFLA_MTU, mtu)
            + nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, "bridge"))
        )
        self._ask(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, name)

    def isolate(self, name: str) -> None:
        """A port of a bridge talks to the bridge, and to no other port that is isolated."""
        body = _LINK.pack(socket.AF_BRIDGE, 0, self.index(name), 0, 0)
        body += nested(IFLA_PROTINFO, attribute(IFLA_BRPORT_ISOLATED, b"\1"))
        self._ask(RTM_SETLINK, 0, body, name)

    def set_up(self, name: str) -> None:
        """From here on it sends and receives."""
        body = _LINK.pack(socket.AF_UNSPEC, 0, self.index(name), IFF_UP, IFF_UP)
        self._ask(RTM_NEWLINK, 0, body, name)

    def delete_link(self, name: str) -> None:
        """Remove an interface; of a veth, both ends.  ENODEV: there is none."""
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute(IFLA_IFNAME, name)
        self._ask(RTM_DELLINK, 0, body, name)

    def add_address(self, name: str, address: Interface) -> None:
        """An address with the length of its network's prefix; IPv6 is usable at once.

        IFA_F_NODAD: our pools give no address twice, so nobody need be asked for a second.
        """
        family, packed = address_family(address), address.ip.packed
        flags = IFA_F_NODAD if family == socket.AF_INET6 else 0
        length, index = address.network.prefixlen, self.index(name)
        body = _ADDRESS.pack(family, length, flags, RT_SCOPE_UNIVERSE, index)
        body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
        if family == socket.AF_INET and length < 31:
            body += attribute(IFA_BROADCAST, address.network.broadcast_address.packed)
        self._ask(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body, str(address))

    def set_default_route(self, name: str, gateway: Address) -> None:
        """All that is not nearer goes to ``gateway``, over the interface ``name``."""
        body = _ROUTE.pack(
            *(address_family(gateway), 0, 0, 0, RT_TABLE_MAIN),
            *(RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0),
        )
        body += attribute(RTA_GATEWAY, gateway.packed) + attribute(RTA_OIF, self.index(name))
        self._ask(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, f"default via {gateway}")

    def ports(self, bridge: str) -> list[str]:
        """The names of the interfaces that are plugged into it.  ENODEV: there is none."""
        master, found = struct.pack("=I", self.index(bridge)), []
        for message in self._dump(RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0), bridge):
            given = dict(attributes(message[_LINK.size :]))
            if given.get(IFLA_MASTER) == master:
                found.append(given[IFLA_IFNAME].rstrip(b"\0").decode())
        return found

    def addresses(self, name: str) -> list[Interface]:
        """Those that an interface has, its own link-local one too.  ENODEV: as ``index``."""
        index, found = self.index(name), []
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        for message in self._dump(RTM_GETADDR, body, name):
            _, length, _, _, owner = _ADDRESS.unpack_from(message)
            if owner == index:
                given = dict(attributes(message[_ADDRESS.size :]))
                # IFA_ADDRESS is the other end's where there is only one (rtnetlink(7)).
                packed = given.get(IFA_LOCAL) or given[IFA_ADDRESS]
                found.append(ip_interface((packed, length)))
        return found

    def routes(self) -> list[Network]:
        """The networks that this namespace has a route to, default routes left out."""
        found = []
        body = _ROUTE.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)
        for message in self._dump(RTM_GETROUTE, body, "routes"):
            family, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(message)
            if table != RT_TABLE_MAIN or kind != RTN_UNICAST:
                continue
            given = dict(attributes(message[_ROUTE.size :]))
            if RTA_DST in given and family in (socket.AF_INET, socket.AF_INET6):
                found.append(ip_network((given[RTA_DST], length)))
        return found


def address_family(address: Address | Interface) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _mac(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))
