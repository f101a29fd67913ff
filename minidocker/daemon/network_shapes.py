"""Networks, and containers in them, as the API shows them.  Pure.

Engine API: NetworkSettings, EndpointSettings, PortSummary, Network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minidocker.containers.cables import Cable, names_of
from minidocker.containers.container import Container
from minidocker.containers.network_spec import Attachment
from minidocker.daemon.network_fields import write_ipam
from minidocker.daemon.times import rfc3339
from minidocker.networks.endpoints import HostPort
from minidocker.networks.network import Network
from minidocker.networks.ports import read_port

_NO_ADDRESS: Final = {
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}


@dataclass(frozen=True)
class Place:
    """Where a container is.  ``builtin``: the ID of the network none or host, if it is in it;
    ``cables`` and ``ports``: what it has while it runs."""

    builtin: str = ""
    cables: Sequence[Cable] = ()
    ports: Sequence[HostPort] = ()


def builtin_id(engine_id: str, name: str) -> str:
    """The ID of a network that is no record: always the same on one engine."""
    return hashlib.sha256(f"{engine_id} network {name}".encode()).hexdigest()


def network_settings(container: Container, place: Place) -> dict[str, Any]:
    """``NetworkSettings``.  The addresses at its top are of the default network."""
    default = [each for each in place.cables if each.network.is_default]
    pid = container.state.pid
    own = not container.spec.network_mode.startswith("container:") and pid
    return {
        "Bridge": "",
        "SandboxID": container.id if own else "",
        # No file pins the namespace: the process holds it.
        "SandboxKey": f"/proc/{pid}/ns/net" if own else "",
        "Ports": port_map(container, place.ports) if pid and place.cables else {},
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **(addresses(default[0]) if default else _NO_ADDRESS),
        "Networks": endpoints(container, place),
    }


def endpoints(container: Container, place: Place) -> dict[str, Any]:
    """Each network and the container's place in it; none of its own in ``container:X``."""
    mode = container.spec.network_mode
    if place.builtin:
        return {mode: _endpoint(container, Attachment(mode), place.builtin, None)}
    cables = {each.network.id: each for each in place.cables}
    return {
        each.name: _endpoint(container, each, each.network, cables.get(each.network))
        for each in container.spec.attachments
    }


def _endpoint(
    container: Container, attachment: Attachment, network_id: str, cable: Cable | None
) -> dict[str, Any]:
    known = attachment.name not in ("bridge", "") and bool(attachment.network)
    shown = {
        "IPAMConfig": write_ipam(attachment),
        "Links": list(attachment.links) or None,
        "Aliases": list(attachment.aliases) or None,
        "DriverOpts": None,
        "GwPriority": attachment.priority,
        "NetworkID": network_id,
        "DNSNames": list(names_of(container, attachment)) if known else None,
        **(addresses(cable) if cable else _NO_ADDRESS),
    }
    if attachment.mac and cable is None:
        shown["MacAddress"] = attachment.mac
    return shown


def addresses(cable: Cable) -> dict[str, Any]:
    """What a container has in a network while it runs."""
    endpoint, network = cable.endpoint, cable.network
    gateway = {each.version: str(each.ip) for each in network.gateways() if not network.internal}
    four, six = endpoint.ipv4, endpoint.ipv6
    return {
        "EndpointID": endpoint.id,
        "Gateway": gateway.get(4, "") if four else "",
        "GlobalIPv6Address": str(six.ip) if six else "",
        "GlobalIPv6PrefixLen": six.network.prefixlen if six else 0,
        "IPAddress": str(four.ip) if four else "",
        "IPPrefixLen": four.network.prefixlen if four else 0,
        "IPv6Gateway": gateway.get(6, "") if six else "",
        "MacAddress": endpoint.mac,
    }


def port_map(container: Container, ports: Iterable[HostPort]) -> dict[str, Any]:
    """``Ports``: of every port that is exposed or published where it is reached; null: nowhere."""
    shown: dict[str, Any] = dict.fromkeys(container.spec.exposed_ports)
    for each in ports:
        key = f"{each.container_port}/{each.protocol}"
        reached = {"HostIp": each.host, "HostPort": str(each.host_port)}
        shown[key] = [*(shown.get(key) or ()), reached]
    return shown


def port_rows(container: Container, place: Place) -> list[dict[str, Any]]:
    """``Ports`` of the list; nothing is reached in no network, or the host's."""
    if not (container.state.running and place.cables):
        return []
    rows: list[dict[str, Any]] = [
        {
            "IP": each.host,
            "PrivatePort": each.container_port,
            "PublicPort": each.host_port,
            "Type": each.protocol,
        }
        for each in place.ports
    ]
    published = {(row["PrivatePort"], row["Type"]) for row in rows}
    exposed = [read_port(each) for each in container.spec.exposed_ports]
    return rows + [
        {"PrivatePort": port, "Type": protocol}
        for port, protocol in exposed
        if (port, protocol) not in published
    ]


def network(shown: Network, members: Iterable[tuple[Container, Cable]] = ()) -> dict[str, Any]:
    """``Network``; ``members``: the running containers in it, for inspect."""
    return {
        "Name": shown.name,
        "Id": shown.id,
        "Created": rfc3339(shown.created_ns),
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": True,
        "EnableIPv6": shown.ipv6,
        "IPAM": {
            "Driver": "default",
            "Options": dict(shown.ipam_options) or (None if shown.is_default else {}),
            "Config": [_subnet(each) for each in shown.subnets],
        },
        "Internal": shown.internal,
        "Attachable": shown.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {container.id: _member(container, cable) for container, cable in members},
        "Options": dict(shown.options),
        "Labels": dict(shown.labels),
    }


def _subnet(subnet: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"Subnet": str(subnet.network)}
    if subnet.ip_range:
        shown["IPRange"] = str(subnet.ip_range)
    if subnet.gateway:
        shown["Gateway"] = str(subnet.gateway)
    if subnet.auxiliary:
        shown["AuxiliaryAddresses"] = {key: str(one) for key, one in subnet.auxiliary.items()}
    return shown


def _member(container: Container, cable: Cable) -> dict[str, str]:
    endpoint = cable.endpoint
    return {
        "Name": container.name,
        "EndpointID": endpoint.id,
        "MacAddress": endpoint.mac,
        "IPv4Address": str(endpoint.ipv4 or ""),
        "IPv6Address": str(endpoint.ipv6 or ""),
    }


def builtin(
    name: str, driver: str, id: str, created_ns: int, members: Iterable[Container]
) -> dict[str, Any]:
    """``Network`` of none and host, where containers have no address."""
    nothing = {"EndpointID": "", "MacAddress": "", "IPv4Address": "", "IPv6Address": ""}
    return {
        "Name": name,
        "Id": id,
        "Created": rfc3339(created_ns),
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": []},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {each.id: {"Name": each.name, **nothing} for each in members},
        "Options": {},
        "Labels": {},
    }
