"""From what a container wants of networks to what it gets: values for the launcher.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.containers.container import Container
from minidocker.containers.network_spec import Attachment, PortBinding
from minidocker.containers.spec import ContainerSpec
from minidocker.networks.endpoints import HostPort, Joining
from minidocker.networks.network import Endpoint, Network
from minidocker.networks.ports import Binding, read_binding, read_port


@dataclass(frozen=True)
class Cable:
    """A running container's end in one network, and why it has it."""

    network: Network
    endpoint: Endpoint
    attachment: Attachment


def joining(container: Container, attachment: Attachment, network: Network) -> Joining:
    """What it asks of the records.  The default network knows no names."""
    return Joining(
        container.id,
        attachment.ipv4,
        attachment.ipv6,
        attachment.mac,
        () if network.is_default else names_of(container, attachment),
    )


def names_of(container: Container, attachment: Attachment) -> tuple[str, ...]:
    """What the others of a network may call it: by name, alias, short ID, host name."""
    hostname = container.spec.hostname or container.short_id
    found = (container.name, *attachment.aliases, container.short_id, hostname)
    return tuple(dict.fromkeys(name for name in found if name))


def interface(cable: Cable) -> dict[str, Any]:
    """As ``namespaces/interfaces.py`` wants it."""
    endpoint = cable.endpoint
    return {
        "name": endpoint.interface,
        "host": endpoint.host_interface,
        "bridge": cable.network.bridge,
        "mac": endpoint.mac,
        "mtu": cable.network.mtu,
        "isolated": not cable.network.icc,
        "addresses": [str(each) for each in endpoint.addresses],
    }


def gateways(cables: Sequence[Cable]) -> list[tuple[str, str]]:
    """(interface, address) of the way out, one for IPv4 and one for IPv6.

    Of the network with the highest priority, then the one that came first; an internal
    network has no way out.
    """
    found: dict[int, tuple[str, str]] = {}
    for cable in sorted(cables, key=lambda each: -each.attachment.priority):
        if cable.network.internal:
            continue
        for gateway in cable.network.gateways():
            has = any(each.version == gateway.version for each in cable.endpoint.addresses)
            if has:
                found.setdefault(gateway.version, (cable.endpoint.interface, str(gateway.ip)))
    return list(found.values())


def has_names(cables: Iterable[Cable]) -> bool:
    """Whether it asks the name service: in any network but the default one."""
    return any(not cable.network.is_default for cable in cables)


def bindings(spec: ContainerSpec, cables: Sequence[Cable]) -> list[Binding]:
    """The ports to publish: those that were asked for, and with ``-P`` all that are exposed."""
    ways_out = [each for each in cables if not each.network.internal]
    if not ways_out:
        return []
    host = ways_out[0].network.host_binding
    asked = list(spec.port_bindings)
    if spec.publish_all:
        have = {read_port(each.port) for each in asked}
        exposed = {read_port(each): each for each in spec.exposed_ports}
        asked += [PortBinding(text) for port, text in sorted(exposed.items()) if port not in have]
    return [read_binding(each.port, each.host, each.host_port, host) for each in asked]


def same_port(port: HostPort) -> Binding:
    """What ``listen`` makes this very port of."""
    only = range(port.host_port, port.host_port + 1)
    return Binding(port.protocol, port.container_port, (port.host,), only)
