"""The networks on record: one SQLite row each, and the same in memory."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import (
    ip_address,
    ip_network,
)
from typing import Any, Final

from minidocker.errors import Conflict, Forbidden, InvalidParameter, NotFound
from minidocker.networks.network import (
    BRIDGE_NAME,
    DEFAULT,
    Network,
    check_name,
    check_options,
)
from minidocker.networks.subnets import Network as AddressRange
from minidocker.networks.subnets import (
    Subnet,
    check_free,
    free_subnet,
    overlap,
    read_subnet,
)

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS networks (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_ns INTEGER NOT NULL,
    spec       TEXT NOT NULL              -- JSON object: subnets, options, labels, ...
);
"""

TAKEN_NAMES: Final = ("host", "none", "default", "container")


@dataclass(frozen=True)
class Wanted:
    """A network that is to be made.  ``subnets``: (subnet, gateway, ip_range, auxiliary) as
    the user wrote them; none of a family: it gets one of the default pools.
    ``bridge_was_there``: the machine has an interface of the wanted bridge's name already."""

    name: str
    subnets: tuple[tuple[str, str, str, Mapping[str, str]], ...] = ()
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    bridge_was_there: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ipam_options: Mapping[str, str] = field(default_factory=dict)


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
        check_options(wanted.options, ipv6=wanted.ipv6)
        self.check_new(wanted)
        network = Network(
            id=secrets.token_hex(32),
            name=wanted.name,
            created_ns=time.time_ns(),
            subnets=self._subnets(wanted, list(used)),
            internal=wanted.internal,
            attachable=wanted.attachable,
            ipv6=wanted.ipv6,
            user_subnets=any(subnet for subnet, *_ in wanted.subnets),
            bridge_was_there=wanted.bridge_was_there,
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
        if any(each.name == wanted.name for each in self._networks.values()):
            raise Conflict(f"network with name {wanted.name} already exists")
        bridge = wanted.options.get(BRIDGE_NAME)
        for each in self._networks.values():
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

    def resettle(self, network: Network, used: Iterable[AddressRange]) -> Network:
        """Another subnet for a network that has none of its own choice, and nobody in it."""
        own = [each.network for one in self.all() if one != network for each in one.subnets]
        subnet = read_subnet(str(free_subnet([*own, *used])))
        changed = replace(network, subnets=(subnet,))
        self._db.execute("UPDATE networks SET spec = ? WHERE id = ?", (_spec(changed), changed.id))
        self._networks[network.id] = changed
        return changed

    def remove(self, network: Network) -> None:
        """Raises ``Forbidden`` for the default network and while containers are in it."""
        if network.name == DEFAULT:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        try:
            self._db.execute("DELETE FROM networks WHERE id = ?", (network.id,))
        except sqlite3.IntegrityError as error:  # endpoints refer to it
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has "
                "active endpoints"
            ) from error
        del self._networks[network.id]


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
            "user_subnets": network.user_subnets,
            "bridge_was_there": network.bridge_was_there,
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
