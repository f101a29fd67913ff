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
    """``addresses``: the gateway's, "172.18.0.1/16"."""

    chapter: ClassVar[str] = "networks"
    name: str
    addresses: tuple[str, ...]
    mtu: int

    def describe(self) -> str:
        return f'RTM_NEWLINK, RTM_NEWADDR: bridge "{self.name}" with {" and ".join(self.addresses)}'

    def execute(self) -> None:
        given = [ip_interface(each) for each in self.addresses]
        first = next((each.ip for each in given if each.version == 4), None)
        mac = mac_address(first, secrets.token_bytes(6))
        with RouteSocket() as here:
            here.add_bridge(self.name, mac, self.mtu)
            try:
                for each in given:
                    here.add_address(self.name, each)
            except OSError:
                here.delete_link(self.name)
                raise


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
    """What is missing for containers of ``network``: nothing, most of the time."""
    steps: list[Step] = []
    if not exists(network.bridge):
        addresses = tuple(str(each) for each in network.gateways())
        steps.append(AddBridge(network.bridge, addresses, network.mtu))
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


def ports(bridge: str) -> list[str]:
    """The interfaces that are plugged into it; none when there is no such bridge."""
    if not exists(bridge):
        return []
    with RouteSocket() as here:
        return here.ports(bridge)


def remove_bridge(name: str) -> None:
    """Nothing happens when it is gone already.  Raises ``OSError``."""
    _remove(name)


def remove_cables(names: Iterable[str]) -> None:
    """The host's ends of cables whose containers are gone, or are to lose them."""
    for name in names:
        _remove(name)


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
