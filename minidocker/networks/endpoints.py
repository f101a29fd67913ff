"""Who has which address and which port: of running containers only.

An address is taken while there is a row that says so, and free when there is none:
one row for a container in a network, one unique index for each kind of address.  A
daemon that is killed at any moment leaves the rows of what runs, and no other.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import astuple, dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from itertools import count
from typing import Final

from minidocker.errors import Forbidden, InvalidParameter, SystemFailure
from minidocker.networks.network import Endpoint, Network
from minidocker.networks.subnets import Address, Subnet, free_address, mac_address
from minidocker.records import transaction

SCHEMA: Final = """
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


class EndpointStore:
    """The event loop's thread owns it.  Needs the table of the networks."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.executescript(SCHEMA)

    def all(self, *, network_id: str = "", container_id: str = "") -> list[Endpoint]:
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
        others = self.all(network_id=network.id)
        if any(each.container_id == joining.container_id for each in others):
            raise Forbidden(
                f"endpoint with name {joining.container_id[:12]} already exists in network "
                f"{network.name}"
            )
        taken = frozenset(one.ip for each in others for one in each.addresses)
        ipv4 = _choose(network, 4, joining.ipv4, taken)
        ipv6 = _choose(network, 6, joining.ipv6, taken)
        assert not isinstance(ipv4, IPv6Interface)
        assert not isinstance(ipv6, IPv4Interface)
        own = {each.interface for each in self.all(container_id=joining.container_id)}
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


def check_address(network: Network, version: int, text: str) -> tuple[Address, Subnet]:
    """The address that a user asked for, and its subnet.  Raises ``InvalidParameter``."""
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or "%" in text:
        raise InvalidParameter(f"invalid endpoint settings:\ninvalid IPv{version} address: {text}")
    for subnet in network.subnets:
        if address in subnet.network:
            return address, subnet
    raise InvalidParameter(
        "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address "
        f"{address}"
    )


def _choose(
    network: Network, version: int, asked: str, taken: frozenset[Address]
) -> IPv4Interface | IPv6Interface | None:
    if asked:
        address, subnet = check_address(network, version, asked)
        if address in taken or address in subnet.never_given():
            raise Forbidden(f"Address already in use: {address} in network {network.name}")
        return ip_interface(f"{address}/{subnet.network.prefixlen}")
    subnets = [each for each in network.subnets if each.network.version == version]
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
