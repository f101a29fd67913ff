"""The networks on record, and who has which address in them.

An address is taken while there is a row that says so, and free when there is none:
one row for a container in a network, one unique index for each kind of address.  A
daemon that is killed at any moment leaves the rows of what runs, and no other.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from ipaddress import (
    IPv4Interface,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)
from itertools import count
from typing import Any, Final

from minidocker.errors import Conflict, Forbidden, InvalidParameter, NotFound, SystemFailure
from minidocker.networks.network import (
    BRIDGE_NAME,
    DEFAULT,
    Endpoint,
    Network,
    check_name,
    check_options,
)
from minidocker.networks.subnets import (
    Address,
    Subnet,
    check_free,
    free_address,
    free_subnet,
    mac_address,
    overlap,
    read_subnet,
)
from minidocker.networks.subnets import Network as AddressRange
from minidocker.records import transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS networks (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_ns INTEGER NOT NULL,
    spec       TEXT NOT NULL              -- JSON object: subnets, options, labels, ...
);
CREATE TABLE IF NOT EXISTS endpoints (    -- of running containers
    id           TEXT PRIMARY KEY,
    network_id   TEXT NOT NULL REFERENCES networks(id),
    container_id TEXT NOT NULL,
    interface    TEXT NOT NULL,           -- eth0
    mac          TEXT NOT NULL,
    ipv4         TEXT,                    -- 172.18.0.2/16
    ipv6         TEXT,
    names        TEXT NOT NULL,           -- JSON list
    UNIQUE (network_id, container_id),
    UNIQUE (network_id, ipv4),
    UNIQUE (network_id, ipv6),
    UNIQUE (container_id, interface)
);
CREATE TABLE IF NOT EXISTS published (    -- ports of running containers
    container_id   TEXT NOT NULL,
    protocol       TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    host           TEXT NOT NULL,         -- 0.0.0.0
    host_port      INTEGER NOT NULL,
    UNIQUE (protocol, host, host_port)
);
"""

TAKEN_NAMES: Final = ("host", "none", "default", "container")


@dataclass(frozen=True)
class Wanted:
    """A network that is to be made.  ``subnets``: (subnet, gateway, ip_range, auxiliary) as
    the user wrote them; none of a family: it gets one of the default pools."""

    name: str
    subnets: tuple[tuple[str, str, str, Mapping[str, str]], ...] = ()
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ipam_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Joining:
    """What a container wants of a network.  Addresses "": any that is free."""

    container_id: str
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostPort:
    """A port of the machine (``host``: one of its addresses, 0.0.0.0 or ::) that is a
    container's while it runs."""

    container_id: str
    protocol: str
    container_port: int
    host: str
    host_port: int


class NetworkStore:
    """The event loop's thread owns it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.executescript(SCHEMA)
        rows = db.execute("SELECT * FROM networks")
        self._networks = {row["id"]: _network(row) for row in rows}

    # Networks

    def all(self) -> list[Network]:
        """Oldest first."""
        return sorted(self._networks.values(), key=lambda each: (each.created_ns, each.name))

    def get(self, ref: str) -> Network:
        """By name, ID or prefix of an ID.  Raises ``NotFound``, ``InvalidParameter``."""
        by_name = [each for each in self._networks.values() if each.name == ref]
        if ref in self._networks or by_name:
            return self._networks.get(ref) or by_name[0]
        found = [each for each in self._networks.values() if ref and each.id.startswith(ref)]
        if len(found) > 1:
            raise InvalidParameter(f"network {ref} is ambiguous ({len(found)} matches found on ID)")
        if not found:
            raise NotFound(f"network {ref} not found")
        return found[0]

    def create(self, wanted: Wanted, used: Iterable[AddressRange] = ()) -> Network:
        """Make and record it.

        ``used``: what the machine has routes to; a subnet from the default pools avoids
        it.  Raises ``Conflict`` (name), ``Forbidden`` (overlap), ``InvalidParameter``,
        ``SystemFailure`` (no pool left).
        """
        check_name(wanted.name)
        check_options(wanted.options)
        self.check_new(wanted)
        network = Network(
            id=secrets.token_hex(32),
            name=wanted.name,
            created_ns=time.time_ns(),
            subnets=self._subnets(wanted, list(used)),
            internal=wanted.internal,
            attachable=wanted.attachable,
            ipv6=wanted.ipv6,
            options=dict(wanted.options),
            labels=dict(wanted.labels),
            ipam_options=dict(wanted.ipam_options),
        )
        self._db.execute(
            "INSERT INTO networks VALUES (?, ?, ?, ?)",
            (network.id, network.name, network.created_ns, _spec(network)),
        )
        self._networks[network.id] = network
        return network

    def check_new(self, wanted: Wanted) -> None:
        """Raises ``Conflict`` or ``Forbidden`` when the name, or the bridge's, is somebody's."""
        if wanted.name in TAKEN_NAMES:
            raise Forbidden(f"operation is not permitted on predefined {wanted.name} network")
        bridge = wanted.options.get(BRIDGE_NAME)
        for each in self._networks.values():
            if each.name == wanted.name:
                raise Conflict(f"network with name {wanted.name} already exists")
            if bridge and each.bridge == bridge:
                raise Forbidden(
                    f"cannot create network {wanted.name}: conflicts with network {each.id} "
                    f"({each.name}): networks have same bridge name"
                )

    def _subnets(self, wanted: Wanted, used: list[AddressRange]) -> tuple[Subnet, ...]:
        own = [subnet.network for each in self._networks.values() for subnet in each.subnets]
        found: list[Subnet] = []
        for subnet, gateway, ip_range, auxiliary in wanted.subnets:
            if not subnet:
                if gateway or ip_range or auxiliary:
                    raise InvalidParameter(
                        "invalid network config:\na gateway, an ip-range or an auxiliary address "
                        "needs the subnet that it is in"
                    )
                continue
            read = read_subnet(subnet, gateway, ip_range, auxiliary)
            if read.network.version == 6 and not wanted.ipv6:
                continue  # as Docker: it is for when IPv6 is on
            check_free(read.network, [*own, *(each.network for each in found)])
            found.append(read)
        if not any(each.network.version == 4 for each in found):
            found.insert(0, read_subnet(str(free_subnet([*own, *used]))))
        if wanted.ipv6 and not any(each.network.version == 6 for each in found):
            found.append(read_subnet(str(_unique_local(own))))
        return tuple(found)

    def rename_bridge(self, network: Network, bridge: str) -> Network:
        """Another name for its interface: the first one was taken on this machine."""
        changed = replace(network, options={**network.options, BRIDGE_NAME: bridge})
        self._db.execute("UPDATE networks SET spec = ? WHERE id = ?", (_spec(changed), changed.id))
        self._networks[network.id] = changed
        return changed

    def remove(self, network: Network) -> None:
        """Raises ``Forbidden`` for the default network and while containers are in it."""
        if network.name == DEFAULT:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if self.endpoints(network_id=network.id):
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has "
                "active endpoints"
            )
        self._db.execute("DELETE FROM networks WHERE id = ?", (network.id,))
        del self._networks[network.id]

    # Endpoints

    def endpoints(self, *, network_id: str = "", container_id: str = "") -> list[Endpoint]:
        """Those of one network, of one container, or all; in the order in which they came."""
        rows = self._db.execute(
            "SELECT * FROM endpoints WHERE ? IN ('', network_id) AND ? IN ('', container_id) "
            "ORDER BY rowid",
            (network_id, container_id),
        )
        return [_endpoint(row) for row in rows]

    def join(self, network: Network, joining: Joining) -> Endpoint:
        """Give a container its addresses in ``network``, and write it down.

        Raises as ``proposed``.
        """
        with transaction(self._db):
            endpoint = self.proposed(network, joining)
            row = _endpoint_row(endpoint)
            self._db.execute("INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return endpoint

    def proposed(self, network: Network, joining: Joining) -> Endpoint:
        """What ``join`` would give now.

        Raises ``Forbidden`` (it is in it already; the address is taken),
        ``InvalidParameter`` (an address of no subnet), ``SystemFailure`` (none left).
        """
        others = self.endpoints(network_id=network.id)
        if any(each.container_id == joining.container_id for each in others):
            raise Forbidden(
                f"endpoint with name {joining.container_id[:12]} already exists in network "
                f"{network.name}"
            )
        taken = frozenset(one.ip for each in others for one in each.addresses)
        ipv4 = _choose(network, 4, joining.ipv4, taken)
        ipv6 = _choose(network, 6, joining.ipv6, taken) if network.ipv6 else None
        assert not isinstance(ipv4, IPv6Interface)
        assert not isinstance(ipv6, IPv4Interface)
        own = {each.interface for each in self.endpoints(container_id=joining.container_id)}
        names = (f"{network.interface_prefix}{number}" for number in count())
        return Endpoint(
            id=secrets.token_hex(32),
            network_id=network.id,
            container_id=joining.container_id,
            interface=next(name for name in names if name not in own),
            mac=joining.mac or mac_address(ipv4.ip if ipv4 else None, secrets.token_bytes(6)),
            ipv4=ipv4,
            ipv6=ipv6,
            names=joining.names,
        )

    def leave(self, endpoint: Endpoint) -> None:
        """Its addresses are free again."""
        self._db.execute("DELETE FROM endpoints WHERE id = ?", (endpoint.id,))

    def rename(self, endpoint: Endpoint, names: tuple[str, ...]) -> None:
        """Others of the network may call it by these names from now on."""
        self._db.execute(
            "UPDATE endpoints SET names = ? WHERE id = ?", (json.dumps(names), endpoint.id)
        )

    # Published ports

    def publish(self, port: HostPort) -> None:
        """Write down that the machine's port is the container's.

        Raises ``SystemFailure`` when it is another's, in dockerd's words.
        """
        try:
            self._db.execute("INSERT INTO published VALUES (?, ?, ?, ?, ?)", astuple(port))
        except sqlite3.IntegrityError as error:
            raise SystemFailure(
                f"Bind for {port.host}:{port.host_port} failed: port is already allocated"
            ) from error

    def unpublish(self, container_id: str) -> None:
        """All of the container's ports are free again."""
        self._db.execute("DELETE FROM published WHERE container_id = ?", (container_id,))

    def published(self, container_id: str = "") -> list[HostPort]:
        """Those of one container, or all; in the order in which they came."""
        rows = self._db.execute(
            "SELECT * FROM published WHERE ? IN ('', container_id) ORDER BY rowid", (container_id,)
        )
        return [HostPort(*row) for row in rows]


def check_address(network: Network, text: str) -> tuple[Address, Subnet]:
    """The address that a user asked for, and its subnet.  Raises ``InvalidParameter``."""
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid IP address: {text}") from error
    for subnet in network.subnets:
        if address in subnet.network:
            return address, subnet
    raise InvalidParameter(
        f"no configured subnet contains IP address {address}: network {network.name} has "
        + ", ".join(str(each.network) for each in network.subnets)
    )


def _choose(
    network: Network, version: int, asked: str, taken: frozenset[Address]
) -> IPv4Interface | IPv6Interface | None:
    subnets = [each for each in network.subnets if each.network.version == version]
    if asked:
        address, subnet = check_address(network, asked)
        if address in taken or address in subnet.never_given():
            raise Forbidden(f"Address already in use: {address} in network {network.name}")
        return ip_interface(f"{address}/{subnet.network.prefixlen}")
    for subnet in subnets:
        free = free_address(subnet, taken)
        if free is not None:
            return ip_interface(f"{free}/{subnet.network.prefixlen}")
    if not subnets:
        return None
    raise SystemFailure(
        f"no available IPv{version} addresses on this network's address pools: {network.name} "
        f"({network.id})"
    )


def _unique_local(used: list[AddressRange]) -> AddressRange:
    """A /64 of our own for networks that ask for IPv6 and name none (RFC 4193)."""
    while True:
        found = ip_network((b"\xfd" + secrets.token_bytes(7) + bytes(8), 64))
        if not any(overlap(each, found) for each in used):
            return found


def _spec(network: Network) -> str:
    return json.dumps(
        {
            "subnets": [
                {
                    "network": str(each.network),
                    "gateway": str(each.gateway or ""),
                    "ip_range": str(each.ip_range or ""),
                    "auxiliary": {name: str(one) for name, one in each.auxiliary.items()},
                }
                for each in network.subnets
            ],
            "internal": network.internal,
            "attachable": network.attachable,
            "ipv6": network.ipv6,
            "options": dict(network.options),
            "labels": dict(network.labels),
            "ipam_options": dict(network.ipam_options),
        }
    )


def _network(row: sqlite3.Row) -> Network:
    spec: dict[str, Any] = json.loads(row["spec"])
    subnets = tuple(
        Subnet(
            ip_network(each["network"]),
            ip_address(each["gateway"]) if each["gateway"] else None,
            ip_network(each["ip_range"]) if each["ip_range"] else None,
            {name: ip_address(one) for name, one in each["auxiliary"].items()},
        )
        for each in spec.pop("subnets")
    )
    return Network(row["id"], row["name"], row["created_ns"], subnets, **spec)


def _endpoint_row(endpoint: Endpoint) -> tuple[str | None, ...]:
    return (
        endpoint.id,
        endpoint.network_id,
        endpoint.container_id,
        endpoint.interface,
        endpoint.mac,
        str(endpoint.ipv4) if endpoint.ipv4 else None,
        str(endpoint.ipv6) if endpoint.ipv6 else None,
        json.dumps(endpoint.names),
    )


def _endpoint(row: sqlite3.Row) -> Endpoint:
    return Endpoint(
        row["id"],
        row["network_id"],
        row["container_id"],
        row["interface"],
        row["mac"],
        IPv4Interface(row["ipv4"]) if row["ipv4"] else None,
        IPv6Interface(row["ipv6"]) if row["ipv6"] else None,
        tuple(json.loads(row["names"])),
    )
