"""A container's cables: veth(4) pairs from its network namespace to the host's bridges.

Init does all of it from inside its namespace, but for one message: the pair is made by a
socket of the host's namespace, which the starter opened and init still holds, since a
socket stays in the namespace that it was made in.  So nobody waits for anybody, and no
interface is ever moved.

The order is the kernel's: an interface can be opened when its peer is there; an IPv6
address can be given when it is not switched off; a route needs the interface up.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Any, ClassVar

from minidocker.linux.messages import Channel
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step

NAME_SERVER = ("127.0.0.11", 53)
"""Where the containers of a network ask for each other's names."""


def interface_steps(
    interfaces: Iterable[Mapping[str, Any]], gateways: Iterable[Sequence[str]], route_fd: int
) -> list[Step]:
    """Plug in every interface, then say where all that is not nearer goes.

    An interface: ``name``, ``host`` (the other end's name), ``bridge``, ``mac``, ``mtu``,
    ``isolated`` (from the others of the bridge), ``addresses`` ("172.18.0.2/16").  A gateway:
    (interface, address).  ``route_fd``: a netlink socket of the host's network namespace.
    """
    steps: list[Step] = []
    for each in interfaces:
        name = each["name"]
        steps.append(
            AddVeth(route_fd, each["host"], each["bridge"], name, each["mac"], each["mtu"])
        )
        if each["isolated"]:
            steps.append(IsolatePort(route_fd, each["host"]))
        steps.append(SwitchIpv6(name, any(":" in address for address in each["addresses"])))
        steps.append(SetLinkUp(name))
        steps += [AddAddress(name, address) for address in each["addresses"]]
    return steps + [SetDefaultRoute(name, gateway) for name, gateway in gateways]


@dataclass(frozen=True)
class AddVeth(Step):
    """``route_fd`` speaks for the host's network namespace; ``peer`` comes into this one's."""

    chapter: ClassVar[str] = "networks"
    route_fd: int
    name: str
    bridge: str
    peer: str
    mac: str
    mtu: int

    def describe(self) -> str:
        return (
            f'RTM_NEWLINK in the host\'s network namespace: veth "{self.name}" in the bridge '
            f'"{self.bridge}", its peer "{self.peer}" ({self.mac}) in this one'
        )

    def execute(self) -> None:
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with RouteSocket(self.route_fd) as host:
                host.add_veth(self.name, self.bridge, self.peer, here, self.mac, self.mtu)
        finally:
            os.close(here)


@dataclass(frozen=True)
class IsolatePort(Step):
    """Before the other end is up, so that not one packet gets through.

    The bridge does it by itself; whether it asks the firewall is up to the machine
    (br_netfilter).
    """

    chapter: ClassVar[str] = "networks"
    route_fd: int
    name: str

    def describe(self) -> str:
        return (
            f'RTM_SETLINK in the host\'s network namespace: "{self.name}", IFLA_BRPORT_ISOLATED: '
            "no other container of its network hears it"
        )

    def execute(self) -> None:
        with RouteSocket(self.route_fd) as host:
            host.isolate(self.name)


@dataclass(frozen=True)
class SwitchIpv6(Step):
    """An interface without IPv6 addresses has not even its own local one, as Docker's."""

    chapter: ClassVar[str] = "networks"
    name: str
    on: bool

    @property
    def path(self) -> str:
        return f"/proc/sys/net/ipv6/conf/{self.name}/disable_ipv6"

    def describe(self) -> str:
        return f'write "{int(not self.on)}" to {self.path}'

    def execute(self) -> None:
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if self.on:
                raise
            return  # a kernel without IPv6 has nothing to switch off
        try:
            os.write(fd, b"0" if self.on else b"1")
        finally:
            os.close(fd)


@dataclass(frozen=True)
class SetLinkUp(Step):
    chapter: ClassVar[str] = "networks"
    name: str

    def describe(self) -> str:
        return f'RTM_NEWLINK: "{self.name}", IFF_UP'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.set_up(self.name)


@dataclass(frozen=True)
class AddAddress(Step):
    chapter: ClassVar[str] = "networks"
    name: str
    address: str

    def describe(self) -> str:
        return f'RTM_NEWADDR: {self.address} on "{self.name}"'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.add_address(self.name, ip_interface(self.address))


@dataclass(frozen=True)
class SetDefaultRoute(Step):
    chapter: ClassVar[str] = "networks"
    name: str
    gateway: str

    def describe(self) -> str:
        return f'RTM_NEWROUTE: default via {self.gateway} on "{self.name}"'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.set_default_route(self.name, ip_address(self.gateway))


@dataclass(frozen=True)
class OpenNameSockets(Step):
    """The daemon answers on them, from outside: they are of the namespace they were made in."""

    chapter: ClassVar[str] = "networks"
    socket_fd: int

    def describe(self) -> str:
        address, port = NAME_SERVER
        return f"bind(udp and tcp, {address}:{port}), and send both sockets out to the daemon"

    def execute(self) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(fileno=os.dup(self.socket_fd)) as out,
        ):
            udp.bind(NAME_SERVER)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(NAME_SERVER)
            tcp.listen()
            Channel(out).send({"names": True}, [udp.fileno(), tcp.fileno()])
