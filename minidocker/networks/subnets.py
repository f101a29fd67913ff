"""Address pools: which subnet a network gets, and which address a container.  Pure.

A pool holds nothing: what is taken is asked of the records, so that no second
book can differ from them after a crash.
"""

from __future__ import annotations

import re
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

from minidocker.errors import Forbidden, InvalidParameter, SystemFailure

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_POOLS: Final[tuple[tuple[Network, int], ...]] = (
    *((IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    (IPv4Network("192.168.0.0/16"), 20),
)
"""Where networks that name no subnet get theirs: (range, length of each), as Docker's."""
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")  # of a prefix; a netmask is none


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

    Raises ``InvalidParameter`` for the first thing that is wrong (Docker's ``ValidateIPAM``),
    ``SystemFailure`` when an address has two owners or there is none for the gateway.
    """
    network = _network("subnet", subnet)
    _check_masked("subnet", subnet, network)
    if network.prefixlen == 0:
        raise _wrong(f"invalid subnet {subnet}: it leaves no address to anybody else")
    part = _range(ip_range, network) if ip_range else None
    own = {
        name: _member(f"auxiliary address {name}", address, network)
        for name, address in (auxiliary or {}).items()
    }
    asked = _member(f"gateway {gateway}", gateway, network) if gateway else None
    bare = Subnet(network, None, part)
    chosen = free_address(bare, ()) if asked is None else asked
    if chosen is None:
        raise SystemFailure("failed to allocate gateway (): No available addresses on this pool")
    # In Docker's order: when the gateway's is also somebody else's, that one is refused.
    owners = {f"gateway ({chosen})": chosen}
    owners |= {f"secondary ip address ({name}:{each})": each for name, each in own.items()}
    taken = set(bare.never_given())
    for owner, address in owners.items():
        if address in taken:
            raise SystemFailure(f"failed to allocate {owner}: Address already in use")
        taken.add(address)
    return Subnet(network, chosen, part, own)


def _network(what: str, text: str) -> Network:
    """As Go's ``netip.ParsePrefix``: no netmask, no zone, and not yet without host bits."""
    _, _, length = text.partition("/")
    try:
        if not _LENGTH.fullmatch(length) or "%" in text:
            raise ValueError
        return ip_network(text, strict=False)
    except ValueError as error:
        raise _wrong(f"invalid {what} {text}: invalid CIDR block notation") from error


def _check_masked(what: str, text: str, found: Network) -> None:
    if ip_address(text.partition("/")[0]) != found.network_address:
        raise _wrong(f"invalid {what} {text}: it should be {found}")


def _range(text: str, network: Network) -> Network:
    found = _network("ip-range", text)
    if found.version != network.version:
        raise _wrong(f"invalid ip-range {text}: {_parent_is(network)}")
    if found.prefixlen < network.prefixlen:
        raise _wrong(
            f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {network}"
        )
    _check_masked("ip-range", text, found)
    if not overlap(found, network):
        raise _wrong(f"invalid ip-range {text}: parent subnet {network} doesn't contain ip-range")
    return found


def _member(what: str, text: str, network: Network) -> Address:
    try:
        found = ip_address(text)
    except ValueError as error:
        raise _wrong(f"invalid {what}: invalid address") from error
    if found.version != network.version:
        raise _wrong(f"invalid {what}: {_parent_is(network)}")
    if found not in network or "%" in text:  # an address with a zone is in no subnet
        raise _wrong(f"invalid {what}: parent subnet {network} doesn't contain this address")
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
