"""What a network is, and what a container's place in it: values."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import Final

from minidocker.errors import InvalidParameter
from minidocker.networks.subnets import Subnet

DEFAULT: Final = "bridge"  # the network that is there from the start is called as its driver

# Options of the bridge driver (Docker's names) and what they are.
BRIDGE_NAME: Final = "com.docker.network.bridge.name"
DEFAULT_BRIDGE: Final = "com.docker.network.bridge.default_bridge"
MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"
ICC: Final = "com.docker.network.bridge.enable_icc"
HOST_BINDING: Final = "com.docker.network.bridge.host_binding_ipv4"
MTU: Final = "com.docker.network.driver.mtu"
INTERFACE_PREFIX: Final = "com.docker.network.container_iface_prefix"
_FLAGS: Final = (MASQUERADE, ICC, DEFAULT_BRIDGE)
_OPTIONS: Final = frozenset({BRIDGE_NAME, HOST_BINDING, MTU, INTERFACE_PREFIX, *_FLAGS})

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}")
# The kernel takes more (dev_valid_name()); in these no program's rules or paths end early.
_NAMES: Final = {
    BRIDGE_NAME: re.compile(r"[a-zA-Z0-9_.-]{1,15}"),  # IFNAMSIZ, less the final zero
    INTERFACE_PREFIX: re.compile(r"[a-zA-Z0-9_.-]{1,12}"),
}
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})  # Go's strconv.ParseBool


@dataclass(frozen=True)
class Network:
    """A bridge network.

    ``id``: 64 hex digits.  ``options``: of the driver, as given.  ``internal``: nothing
    outside can be reached from it.  ``user_subnets``: whether its maker chose the subnets.
    ``bridge_was_there``: it is somebody else's, and stays when the network goes.
    ``ipam_options``: kept for who asks, without meaning.
    """

    id: str
    name: str
    created_ns: int
    subnets: tuple[Subnet, ...]
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    user_subnets: bool = False
    bridge_was_there: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ipam_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def bridge(self) -> str:
        """The interface that is its switch."""
        return self.options.get(BRIDGE_NAME) or f"br-{self.id[:12]}"

    @property
    def is_default(self) -> bool:
        """The network of containers that name none: without a name service."""
        return self.name == DEFAULT

    @property
    def masquerade(self) -> bool:
        """Whether its containers go out under the machine's address."""
        return not self.internal and flag(self.options, MASQUERADE, True)

    @property
    def icc(self) -> bool:
        """Whether its containers may talk to each other."""
        return flag(self.options, ICC, True)

    @property
    def mtu(self) -> int:
        """Bytes in a packet."""
        return int(self.options.get(MTU) or 0) or 1500

    @property
    def interface_prefix(self) -> str:
        """How its interfaces in containers are called, before a number."""
        return self.options.get(INTERFACE_PREFIX) or "eth"

    @property
    def host_binding(self) -> str:
        """The machine's address at which ports are published when none is named; "" for all."""
        address = self.options.get(HOST_BINDING, "")
        return "" if address == "0.0.0.0" else address

    def gateways(self) -> list[IPv4Interface | IPv6Interface]:
        """The addresses that the bridge itself has."""
        return [
            ip_interface(f"{each.gateway}/{each.network.prefixlen}")
            for each in self.subnets
            if each.gateway
        ]


@dataclass(frozen=True)
class Endpoint:
    """A running container's place in a network: what it has while it runs, given back after.

    ``id``: 64 hex digits.  ``interface``: what it is called inside.  ``names``: what others
    of the network may call it.
    """

    id: str
    network_id: str
    container_id: str
    interface: str
    mac: str
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    names: tuple[str, ...] = ()

    @property
    def host_interface(self) -> str:
        """The end of its cable that is in the bridge; 15 characters at most."""
        return f"veth{self.id[:7]}"

    @property
    def addresses(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        return tuple(each for each in (self.ipv4, self.ipv6) if each is not None)


def flag(options: Mapping[str, str], name: str, default: bool) -> bool:
    """A yes or no among the options.  Raises ``InvalidParameter``."""
    value = options.get(name)
    if value is None:
        return default
    if value not in _TRUE | _FALSE:
        raise _unreadable(name, value, f'strconv.ParseBool: parsing "{value}": invalid syntax')
    return value in _TRUE


def check_name(name: str) -> str:
    """Raises ``InvalidParameter``."""
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f"{name} includes invalid characters for a network name, only "
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'
        )
    return name


def check_options(options: Mapping[str, str], *, ipv6: bool = False) -> None:
    """Raises ``InvalidParameter`` for an option that is unknown or makes no sense."""
    for name, value in options.items():
        if name not in _OPTIONS:
            raise InvalidParameter(
                f"unknown option {name} of the driver bridge: known are "
                + ", ".join(sorted(_OPTIONS - {DEFAULT_BRIDGE}))
            )
        if name in _FLAGS:
            flag(options, name, True)
        elif name == MTU:
            _check_mtu(value, 1280 if ipv6 else 68)  # RFC 8200, 5; RFC 791
        elif name == HOST_BINDING:
            _check_host_binding(value)
        elif value and not (_NAMES[name].fullmatch(value) and value.strip(".")):
            raise InvalidParameter(
                f"invalid value for {name}: {value!r}: an interface's name has letters, digits and "
                "_.- only, and 15 characters at most, with the number that may follow"
            )


def _check_mtu(value: str, least: int) -> None:
    if not _NUMBER.fullmatch(value):
        raise _unreadable(MTU, value, f'strconv.Atoi: parsing "{value}": invalid syntax')
    if int(value) != 0 and not least <= int(value) <= 65535:
        raise InvalidParameter(f"invalid MTU number: {value}: here it is {least} to 65535 bytes")


def _check_host_binding(value: str) -> None:
    try:
        ip_address(value)
    except ValueError as error:
        raise _unreadable(HOST_BINDING, value, "nil ip") from error


def _unreadable(name: str, value: str, why: str) -> InvalidParameter:
    return InvalidParameter(f"failed to parse {name} value: {value} ({why})")


def own_names(data_root: str) -> tuple[str, str]:
    """The bridge of a daemon's default network, and its table in the firewall.

    Several daemons may share a machine: those with other folders than usual are told apart.
    """
    if data_root == "/var/lib/minidocker":
        return "minidocker0", "minidocker"
    mark = hashlib.sha256(os.fsencode(data_root)).hexdigest()[:8]
    return f"mini-{mark}", f"minidocker-{mark}"
