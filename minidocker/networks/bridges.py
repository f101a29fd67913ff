"""The host's end of a network: a bridge(8) with the gateway's address, and packets passed on.

It is made when the first container comes, and stays until the network is removed or the
daemon stops with nobody in it.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import ClassVar, Final

from minidocker.errors import Forbidden
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step
from minidocker.networks.network import Network
from minidocker.networks.subnets import mac_address

FORWARDING: Final = {
    4: "/proc/sys/net/ipv4/ip_forward",
    6: "/proc/sys/net/ipv6/conf/all/forwarding",
}


@dataclass(frozen=True)
class AddBridge(Step):
    chapter: ClassVar[str] = "networks"
    name: str
    mac: str
    mtu: int

    def describe(self) -> str:
        return f'RTM_NEWLINK: bridge "{self.name}" ({self.mac})'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.add_bridge(self.name, self.mac, self.mtu)


@dataclass(frozen=True)
class AddGateway(Step):
    """``address``: what the bridge itself answers to, "172.18.0.1/16"."""

    chapter: ClassVar[str] = "networks"
    name: str
    address: str

    def describe(self) -> str:
        return f'RTM_NEWADDR: {self.address} on the bridge "{self.name}"'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.add_address(self.name, ip_interface(self.address))


@dataclass(frozen=True)
class SetBridgeUp(Step):
    chapter: ClassVar[str] = "networks"
    name: str

    def describe(self) -> str:
        return f'RTM_NEWLINK: "{self.name}", IFF_UP'

    def execute(self) -> None:
        with RouteSocket() as here:
            here.set_up(self.name)


@dataclass(frozen=True)
class PassOn(Step):
    """The machine becomes a router between its interfaces (ip-sysctl.rst)."""

    chapter: ClassVar[str] = "networks"
    path: str

    def describe(self) -> str:
        return f'write "1" to {self.path}'

    def execute(self) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)


def bridge_steps(network: Network) -> list[Step]:
    """What is missing for containers of ``network``: nothing, most of the time.

    So it does not matter who made the bridge, nor how far a daemon that was killed came.
    Raises ``Forbidden`` when the interface is there and no bridge.
    """
    name, gateways = network.bridge, network.gateways()
    steps: list[Step] = []
    with RouteSocket() as here:
        link = here.link(name)
        if link is None:
            first = next((each.ip for each in gateways if each.version == 4), None)
            mac = mac_address(first, secrets.token_bytes(6))
            steps.append(AddBridge(name, mac, network.mtu))
        elif link.kind != "bridge":
            raise Forbidden(f"existing interface {name} is not a bridge")
        elif not link.up:
            steps.append(SetBridgeUp(name))
        given = here.addresses(name) if link else []
    steps += [AddGateway(name, str(each)) for each in gateways if each not in given]
    if not network.internal:
        versions = sorted({each.network.version for each in network.subnets})
        steps += [
            PassOn(path)
            for path in (FORWARDING[version] for version in versions)
            if not _is_on(path)
        ]
    return steps


def exists(interface: str) -> bool:
    """Not by /sys/class/net, which is of the network namespace in which it was mounted."""
    return any(name == interface for _, name in socket.if_nameindex())


def cables(network: Network) -> list[str]:
    """The host's ends that are plugged into its bridge; none when others may use that, too."""
    if network.bridge_was_there or not exists(network.bridge):
        return []
    with RouteSocket() as here:
        return [each for each in here.ports(network.bridge) if each.startswith("veth")]


def remove_cables(names: Iterable[str]) -> None:
    """The host's ends of cables whose containers are gone, or are to lose them.

    Nothing happens to what is gone already.  Raises ``OSError``.
    """
    for name in names:
        _remove(name)


def remove_bridge(network: Network) -> None:
    """Unless it is somebody else's, or gone already.  Raises ``OSError``."""
    if not network.bridge_was_there:
        _remove(network.bridge)


def _remove(name: str) -> None:
    with RouteSocket() as here:
        try:
            here.delete_link(name)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise


def _is_on(path: str) -> bool:
    try:
        with open(path) as file:
            return file.read().strip() != "0"
    except FileNotFoundError:
        return True  # a kernel without it has nothing to be told
