"""Who is called what: how containers of a network find each other.  Pure.

A container asks at 127.0.0.11, and what it is told depends on where it is: of each network
that it is in, it sees the others by their names there, which are also known as
NAME.NETWORK.  Beyond that come its own links, which are nobody else's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from minidocker.networks import dns

Address = IPv4Address | IPv6Address

TTL: Final = 600
"""Seconds for which an answer may be remembered, as Docker says."""


@dataclass(frozen=True)
class Neighbour:
    """A container in a network.  ``names``: what others there may call it, its own first."""

    names: tuple[str, ...]
    addresses: tuple[Address, ...]

    def is_called(self, name: str) -> bool:
        """In letters of any case."""
        return name.lower() in (each.lower() for each in self.names)


@dataclass(frozen=True)
class Neighbourhood:
    """A network as one of its containers sees it.  ``links``: that one's word -> a name there."""

    network: str
    neighbours: tuple[Neighbour, ...]
    links: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> list[Neighbour]:
        """All that are called so; a link comes before a name."""
        links = {link.lower(): target for link, target in self.links.items()}
        for wanted in (links.get(name.lower()), name):
            if found := [each for each in self.neighbours if wanted and each.is_called(wanted)]:
                return found
        return []


@dataclass(frozen=True)
class View:
    """What a container can learn.

    ``networks``: in the order in which they are searched.  ``servers``: addresses of who is
    asked about all other names, first one first; none: they do not exist for it.
    ``outward``: whether also a name without a dot is asked there; not when the user
    has set ndots, since with a search domain it is asked once more.
    """

    networks: tuple[Neighbourhood, ...] = ()
    servers: tuple[str, ...] = ()
    outward: bool = True

    def lookup(self, name: str) -> list[Address] | None:
        """The addresses of all that are called so in the first network that knows the name;
        None when none does."""
        for local, network in _readings(name):
            for each in self.networks:
                if network is None or each.network.lower() == network.lower():
                    found = each.find(local)
                    if found:
                        return [address for one in found for address in one.addresses]
        return None

    def reverse(self, address: Address) -> str | None:
        """NAME.NETWORK of who has this address; None when it is of none of the networks."""
        for each in self.networks:
            for neighbour in each.neighbours:
                if address in neighbour.addresses:
                    return f"{neighbour.names[0]}.{each.network}"
        return None


def _readings(name: str) -> Iterator[tuple[str, str | None]]:
    """What ``name`` may mean: (a name, the network in which), or None for any network.

    Names and networks' names may have dots themselves.
    """
    yield name, None
    at = len(name)
    while (at := name.rfind(".", 0, at)) > 0:
        yield name[:at], name[at + 1 :]


def answer(message: bytes, view: View, room: int = 0) -> bytes | None:
    """The reply to what a container sent, whatever bytes these are.

    ``room``: bytes that a reply may have; 0: as many as the query says.  None: it asks for
    nothing of ours, and somebody else may know.  b"": there is nothing to be said.
    """
    try:
        query = dns.read_query(message)
    except dns.NoQuery:
        return b""
    except dns.BadQuery as error:
        return dns.write_error(message, error.rcode)
    found = _answers(query, view)
    if found is None:
        if view.outward or query.kind not in (dns.A, dns.AAAA) or len(query.labels) != 1:
            return None
        found = []
    # Each time in another order: whoever takes the first spreads the load.
    random.shuffle(found)
    return dns.write_reply(query, found, ttl=TTL, room=room or query.room)


def _answers(query: dns.Query, view: View) -> list[tuple[int, bytes]] | None:
    """(type, data) of each answer: none for a name that is known and has nothing of the
    kind, which is not the same as a name that does not exist.  None: it is not known here."""
    if query.net not in (dns.IN, dns.ANY) or any(b"." in label for label in query.labels):
        return None
    labels = [label.decode(errors="replace") for label in query.labels]
    address = _reversed_address(labels)
    if address is not None:
        name = view.reverse(address)
        return None if name is None else _of_kind(query.kind, _pointers(name))
    addresses = view.lookup(".".join(labels))
    return None if addresses is None else _of_kind(query.kind, map(_record, addresses))


def _of_kind(kind: int, records: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [record for record in records if kind in (record[0], dns.ANY)]


def _record(address: Address) -> tuple[int, bytes]:
    return (dns.A if address.version == 4 else dns.AAAA), address.packed


def _pointers(name: str) -> list[tuple[int, bytes]]:
    try:
        return [(dns.PTR, dns.name_data(name))]
    except ValueError:  # Docker's names may be longer than those of DNS
        return []


def _reversed_address(labels: Sequence[str]) -> Address | None:
    """The address of 2.0.18.172.in-addr.arpa (RFC 1035, 3.5) or of the 32 hexadecimal digits
    under ip6.arpa (RFC 3596, 2.5); None for any other name."""
    *digits, zone, arpa = [label.lower() for label in labels] if len(labels) > 2 else ("", "")
    digits.reverse()
    try:
        if (zone, arpa) == ("in-addr", "arpa"):
            return IPv4Address(".".join(digits))
        if (zone, arpa) == ("ip6", "arpa") and [len(digit) for digit in digits] == [1] * 32:
            return IPv6Address(":".join("".join(digits[at : at + 4]) for at in range(0, 32, 4)))
    except ValueError:
        pass
    return None
