"""Ranges of addresses, small and large, and subnets with all that a user may say of them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

from hypothesis import strategies as st

from minidocker.errors import SystemFailure
from minidocker.networks.subnets import Address, Network, Subnet, read_subnet

# What users may write where a range or an address is wanted, most of it wrong.
TEXTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[0-9a-f.:]{0,12}(/[0-9.%+-]{0,4})?(%[a-z0-9])?", fullmatch=True),
    st.ip_addresses().map(str),
    st.tuples(st.ip_addresses(), st.integers(0, 130)).map(lambda each: f"{each[0]}/{each[1]}"),
)


@st.composite
def networks(draw: st.DrawFn, longest_host: int = 32) -> Network:
    """A range with at most ``longest_host`` bits left for hosts, and not all addresses."""
    bits = draw(st.sampled_from([32, 128]))
    host = draw(st.integers(0, min(longest_host, bits - 1)))
    number = draw(st.integers(0, (1 << bits) - 1)) >> host << host
    kind = IPv4Address if bits == 32 else IPv6Address
    return ip_network(f"{kind(number)}/{bits - host}")


def parts(network: Network) -> st.SearchStrategy[Network]:
    """Ranges within ``network``."""
    lengths = st.integers(network.prefixlen, network.max_prefixlen)
    return st.tuples(members(network), lengths).map(
        lambda each: ip_network(f"{each[0]}/{each[1]}", strict=False)
    )


def members(network: Network) -> st.SearchStrategy[Address]:
    first, last = int(network.network_address), int(network.broadcast_address)
    return st.integers(first, last).map(type(network.network_address))


@st.composite
def subnets(draw: st.DrawFn) -> Subnet:
    """A small one, as a user's words make it."""
    network = draw(networks(longest_host=7).filter(lambda each: each.num_addresses > 2))
    part = draw(st.none() | parts(network))
    names = draw(st.lists(members(network), max_size=3, unique=True))
    gateway = draw(st.none() | members(network))
    try:
        return read_subnet(
            str(network),
            str(gateway or ""),
            str(part or ""),
            {f"aux{number}": str(each) for number, each in enumerate(names)},
        )
    except SystemFailure:
        return read_subnet(str(network))
