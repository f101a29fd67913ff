"""Address pools: which subnet a network gets, and which address a container.  Pure.

A pool holds nothing: what is taken is asked of the records, so that no second
book can differ from them after a crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import chain
from typing import Final

from minidocker.errors import Conflict, Forbidden, InvalidParameter, SystemFailure

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_POOLS: Final[tuple[tuple[Network, int], ...]] = (
    *((IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    (IPv4Network("192.168.0.0/16"), 20),
)
"""Where networks that name no subnet get theirs: (range, length of each), as Docker's."""


@dataclass(frozen=True)
class Subnet:
    """One range of addresses of a network.

    ``ip_range``: the part that is given out unasked.  ``auxiliary``: name -> an address
    that is somebody else's.
    """

    network: Network
    gateway: Address | None = None
    ip_range: Network | None = None
    auxiliary: Mapping[str, Address] = field(default_factory=dict)

    def never_given(self) -> frozenset[Address]:
        """The gateway, the auxiliary ones, and those that name the network or everybody in it."""
        ends: set[Address] = set()
        if self.network.num_addresses > 2:
            ends.add(self.network.network_address)
            if isinstance(self.network, IPv4Network):
                ends.add(self.network.broadcast_address)
        own = {self.gateway} if self.gateway else set()
        return frozenset(chain(ends, own, self.auxiliary.values()))


def free_address(subnet: Subnet, taken: Collection[Address]) -> Address | None:
    """The lowest address of the pool that nobody has; None when all are taken."""
    pool = subnet.ip_range or subnet.network
    never = subnet.never_given()
    for address in _addresses(pool):
        if address not in taken and address not in never:
            return address
    return None


def _addresses(network: Network) -> Iterator[Address]:
    """All of them, lowest first, made as they are asked for."""
    first, kind = int(network.network_address), type(network.network_address)
    return (kind(first + step) for step in range(network.num_addresses))


def free_subnet(
    used: Iterable[Network], pools: Iterable[tuple[Network, int]] = DEFAULT_POOLS
) -> Network:
    """The first subnet of the pools that overlaps with none of ``used``.

    Raises ``SystemFailure`` when there is none left.
    """
    used = list(used)
    for pool, length in pools:
        for candidate in pool.subnets(new_prefix=length):
            if not any(overlap(candidate, each) for each in used):
                return candidate
    raise SystemFailure(
        "all predefined address pools have been fully subnetted: remove a network, or name a "
        "subnet with --subnet"
    )


def check_free(wanted: Network, used: Iterable[Network]) -> None:
    """Raises ``Forbidden`` when another network has a part of it."""
    if any(overlap(wanted, each) for each in used):
        raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")


def overlap(one: Network, other: Network) -> bool:
    """Whether an address is in both; none is of two families."""
    return one.version == other.version and one.overlaps(other)


def read_subnet(
    subnet: str, gateway: str = "", ip_range: str = "", auxiliary: Mapping[str, str] | None = None
) -> Subnet:
    """A subnet as users write it, completed: without a ``gateway`` it is the first address.

    Raises ``InvalidParameter`` for the first thing that is wrong (Docker's ``ValidateIPAM``).
    """
    network = _network("subnet", subnet)
    part = _network("ip-range", ip_range) if ip_range else None
    if part is not None:
        if part.version != network.version:
            raise _wrong(f"invalid ip-range {ip_range}: {_parent_is(network)}")
        if not part.subnet_of(network):  # type: ignore[arg-type]
            raise _wrong(f"invalid ip-range {ip_range}: parent subnet is not a supernet of it")
    aux = {
        name: _member(f"auxiliary address {name}", address, network)
        for name, address in (auxiliary or {}).items()
    }
    if gateway:
        asked: Address | None = _member(f"gateway {gateway}", gateway, network)
    else:
        asked = free_address(Subnet(network, None, part, aux), ())
    if asked is not None and asked in aux.values():
        raise Conflict(f"the gateway {asked} is an auxiliary address of the network as well")
    return Subnet(network, asked, part, aux)


def _network(what: str, text: str) -> Network:
    try:
        found = ip_network(text, strict=False)
    except ValueError as error:
        raise _wrong(f"invalid {what} {text}: invalid CIDR block notation") from error
    address = text.partition("/")[0]
    if "/" not in text:
        raise _wrong(f"invalid {what} {text}: invalid CIDR block notation")
    if ip_address(address) != found.network_address:
        raise _wrong(f"invalid {what} {text}: it should be {found}")
    return found


def _member(what: str, text: str, network: Network) -> Address:
    try:
        found = ip_address(text)
    except ValueError as error:
        raise _wrong(f"invalid {what}: invalid address") from error
    if found.version != network.version:
        raise _wrong(f"invalid {what}: {_parent_is(network)}")
    if found not in network:
        raise _wrong(f"invalid {what}: parent subnet does not contain this address")
    return found


def _parent_is(network: Network) -> str:
    return f"parent subnet is an IPv{network.version} block"


def _wrong(sentence: str) -> InvalidParameter:
    return InvalidParameter(f"invalid network config:\n{sentence}")


def mac_address(address: IPv4Address | None, chance: bytes) -> str:
    """The hardware address: from the IPv4 address, so that whoever remembers (ARP) who had
    it last is right; else from six ``chance`` bytes.

    02: locally administered, and of one machine (IEEE 802).
    """
    if address is not None:
        return ":".join(f"{byte:02x}" for byte in b"\x02\x42" + address.packed)
    return ":".join(f"{byte:02x}" for byte in bytes([chance[0] & 0xFC | 0x02]) + chance[1:6])
