"""Address pools: nothing is given twice, nothing reserved is given, and what is wrong is said."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import Forbidden, InvalidParameter, SystemFailure
from minidocker.networks.subnets import (
    DEFAULT_POOLS,
    Address,
    Network,
    Subnet,
    check_free,
    free_address,
    free_subnet,
    mac_address,
    overlap,
    read_subnet,
)
from tests.networks.ranges import TEXTS, members, networks, parts, subnets

# Which address is given


def pool(subnet: Subnet) -> list[Address]:
    """All that may be given out unasked, by counting them."""
    network, part = subnet.network, subnet.ip_range or subnet.network
    ends = set()
    if network.num_addresses > 2:
        ends.add(network[0])
        if network.version == 4:
            ends.add(network[-1])
    return sorted(set(part) - ends - {subnet.gateway} - set(subnet.auxiliary.values()))


@given(subnets(), st.data())
def test_the_lowest_that_nobody_has_is_given(subnet: Subnet, data: st.DataObject) -> None:
    taken = data.draw(st.frozensets(members(subnet.network), max_size=8))
    left = [each for each in pool(subnet) if each not in taken]
    assert free_address(subnet, taken) == (left[0] if left else None)


@given(subnets(), st.lists(st.integers(0, 130), max_size=20))
def test_each_is_one_s_only_and_a_released_one_comes_back(
    subnet: Subnet, releases: list[int]
) -> None:
    """Take, and at times give back; at the end the pool is exactly used up."""
    everyone, taken = pool(subnet), []
    for at in releases:
        given = free_address(subnet, frozenset(taken))
        if given is not None:
            taken.append(given)
        if at < len(taken):
            back = taken.pop(at)
            lowest = min({*everyone} - {*taken})
            assert free_address(subnet, frozenset(taken)) == lowest <= back
    while (given := free_address(subnet, frozenset(taken))) is not None:
        taken.append(given)
    assert sorted(taken) == everyone


@pytest.mark.parametrize(
    ("text", "gateway", "rest"),
    [
        ("10.7.0.0/29", "10.7.0.1", [f"10.7.0.{n}" for n in range(2, 7)]),
        ("10.7.0.0/30", "10.7.0.1", ["10.7.0.2"]),
        ("10.7.0.0/31", "10.7.0.0", ["10.7.0.1"]),  # RFC 3021
        ("10.7.0.0/32", "10.7.0.0", []),
        ("fd00::/126", "fd00::1", ["fd00::2", "fd00::3"]),
        ("fd00::/127", "fd00::", ["fd00::1"]),  # RFC 6164
        ("fd00::/128", "fd00::", []),
        ("fd00::/64", "fd00::1", ["fd00::2", "fd00::3", "fd00::4"]),
        ("10.0.0.0/8", "10.0.0.1", ["10.0.0.2", "10.0.0.3", "10.0.0.4"]),
    ],
)
def test_the_smallest_and_the_largest(text: str, gateway: str, rest: list[str]) -> None:
    subnet = read_subnet(text)
    assert str(subnet.gateway) == gateway
    taken: list[Address] = []
    while len(taken) < max(len(rest), 3) and (given := free_address(subnet, taken)) is not None:
        taken.append(given)
    assert [str(each) for each in taken] == rest


# Which subnet is given


@given(networks(), networks())
def test_to_overlap_is_mutual_and_means_a_common_address(one: Network, other: Network) -> None:
    common = one.version == other.version and (
        max(int(one[0]), int(other[0])) <= min(int(one[-1]), int(other[-1]))
    )
    assert overlap(one, other) == overlap(other, one) == common
    assert overlap(one, one)


@given(networks(), st.data())
def test_a_part_overlaps_and_cannot_be_a_network_of_its_own(
    whole: Network, data: st.DataObject
) -> None:
    part = data.draw(parts(whole))
    assert overlap(whole, part)
    for one, other in ((whole, part), (part, whole)):
        with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
            check_free(one, [ip_network("203.0.113.0/32"), other])


pooled = st.sampled_from([pool for pool, _ in DEFAULT_POOLS]).flatmap(parts)


@given(st.lists(pooled | networks(), max_size=12))
def test_a_default_pool_overlaps_with_nothing_that_is_used(used: list[Network]) -> None:
    candidates = [
        each for whole, length in DEFAULT_POOLS for each in whole.subnets(new_prefix=length)
    ]
    left = [each for each in candidates if not any(overlap(each, one) for one in used)]
    if left:
        found = free_subnet(used)
        check_free(found, used)
        assert found == left[0]
    else:
        with pytest.raises(SystemFailure, match="address pools have been fully subnetted"):
            free_subnet(used)


def test_the_default_pools_are_docker_s_and_all_of_them_are_given() -> None:
    """15 of 172.17.0.0/16 and on, then 16 of 192.168.0.0/20 and on: 31 networks."""
    used: list[Network] = []
    for _ in range(31):
        used.append(free_subnet(used))
    assert (str(used[0]), str(used[14])) == ("172.17.0.0/16", "172.31.0.0/16")
    assert (str(used[15]), str(used[30])) == ("192.168.0.0/20", "192.168.240.0/20")
    with pytest.raises(SystemFailure, match="fully subnetted"):
        free_subnet(used)


# What users write


@given(subnets())
def test_what_is_read_is_what_was_written(subnet: Subnet) -> None:
    again = read_subnet(
        str(subnet.network),
        str(subnet.gateway),
        str(subnet.ip_range or ""),
        {name: str(each) for name, each in subnet.auxiliary.items()},
    )
    assert again == subnet
    assert subnet.gateway in subnet.network
    assert subnet.ip_range is None or subnet.ip_range.subnet_of(subnet.network)  # type: ignore


@given(TEXTS, TEXTS, TEXTS, st.dictionaries(st.text(max_size=5), TEXTS, max_size=2))
def test_any_text_is_a_subnet_or_an_error_that_has_a_name(
    subnet: str, gateway: str, ip_range: str, auxiliary: dict[str, str]
) -> None:
    for arguments in ((subnet,), (subnet, gateway), (subnet, "", ip_range, auxiliary)):
        try:
            found = read_subnet(*arguments)
        except (InvalidParameter, SystemFailure):
            continue
        assert found.network == ip_network(subnet)


@given(networks(), TEXTS, TEXTS)
def test_any_text_beside_a_good_subnet(network: Network, gateway: str, ip_range: str) -> None:
    for arguments in ((gateway, ""), ("", ip_range)):
        try:
            found = read_subnet(str(network), *arguments)
        except (InvalidParameter, SystemFailure):
            continue
        assert found.gateway in network
        assert not arguments[0] or found.gateway == ip_address(arguments[0])


NO_RANGES = [
    *("", " ", "foobar", "10.5.0.0", "10.5.0.0/", "/8", "/", "10.5.0.0/24 ", "10.5.0.0/24/8"),
    *("10.5.0.0/33", "fd00::/129", "10.5.0.0/-1", "10.5.0.0/08", "10.5.0.0/255.255.0.0"),
    *("10.5.0.0/0.0.255.255", "10.05.0.0/16", "10.5.0/16", "1.2.3.4.5/8", "fd00::%1/64"),
    *("fe80::1%eth0/64", "٣.0.0.0/8", "10.5.0.0/٨"),
]


@pytest.mark.parametrize("text", NO_RANGES)
def test_what_is_no_range_is_no_cidr_block(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_subnet(text)
    assert caught.value.message == (
        f"invalid network config:\ninvalid subnet {text}: invalid CIDR block notation"
    )


# Docker's words (ValidateIPAM of 28, and what dockerd 20.10 said when asked).
WRONG = {
    ("10.5.0.3/24",): "invalid subnet 10.5.0.3/24: it should be 10.5.0.0/24",
    ("fd00:5::1/64",): "invalid subnet fd00:5::1/64: it should be fd00:5::/64",
    ("10.5.0.0/24", "", "foobar"): "invalid ip-range foobar: invalid CIDR block notation",
    ("10.5.0.0/24", "", "10.5.0.0"): "invalid ip-range 10.5.0.0: invalid CIDR block notation",
    ("10.5.0.0/24", "", "10.5.0.3/25"): "invalid ip-range 10.5.0.3/25: it should be 10.5.0.0/25",
    ("10.5.0.0/24", "", "10.5.0.3/16"): "invalid ip-range 10.5.0.3/16: "
    "CIDR block is bigger than its parent subnet 10.5.0.0/24",
    ("10.5.0.0/24", "", "10.6.0.0/25"): "invalid ip-range 10.6.0.0/25: "
    "parent subnet 10.5.0.0/24 doesn't contain ip-range",
    ("10.5.0.0/24", "", "fd00::1/64"): "invalid ip-range fd00::1/64: "
    "parent subnet is an IPv4 block",
    ("fd00::/64", "", "10.5.0.0/25"): "invalid ip-range 10.5.0.0/25: "
    "parent subnet is an IPv6 block",
    ("10.5.0.0/24", "x"): "invalid gateway x: invalid address",
    ("10.5.0.0/24", "10.5.0.1/24"): "invalid gateway 10.5.0.1/24: invalid address",
    ("10.5.0.0/24", "fd00::1"): "invalid gateway fd00::1: parent subnet is an IPv4 block",
    ("10.5.0.0/24", "10.5.1.1"): "invalid gateway 10.5.1.1: "
    "parent subnet 10.5.0.0/24 doesn't contain this address",
    ("fe80::/64", "fe80::1%eth0"): "invalid gateway fe80::1%eth0: "
    "parent subnet fe80::/64 doesn't contain this address",
    ("0.0.0.0/0",): "invalid subnet 0.0.0.0/0: it leaves no address to anybody else",
    ("::/0",): "invalid subnet ::/0: it leaves no address to anybody else",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_in_docker_s_words(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_subnet(*arguments)
    assert caught.value.message == f"invalid network config:\n{WRONG[arguments]}"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("x", "invalid address"),
        ("fd00::1", "parent subnet is an IPv4 block"),
        ("10.5.1.1", "parent subnet 10.5.0.0/24 doesn't contain this address"),
    ],
)
def test_a_wrong_auxiliary_address_is_said_by_its_name(address: str, why: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_subnet("10.5.0.0/24", "", "", {"router": address})
    assert caught.value.message == (
        f"invalid network config:\ninvalid auxiliary address router: {why}"
    )


TWICE = {
    ("10.5.0.0/24", "10.5.0.0"): "gateway (10.5.0.0): Address already in use",
    ("10.5.0.0/24", "10.5.0.255"): "gateway (10.5.0.255): Address already in use",
    ("fd00:5::/64", "fd00:5::"): "gateway (fd00:5::): Address already in use",
    ("10.5.0.0/24", "10.5.0.9", "a=10.5.0.9"): "secondary ip address (a:10.5.0.9): "
    "Address already in use",
    ("10.5.0.0/24", "", "a=10.5.0.1"): "secondary ip address (a:10.5.0.1): Address already in use",
    ("10.5.0.0/24", "", "a=10.5.0.5 b=10.5.0.5"): "secondary ip address (b:10.5.0.5): "
    "Address already in use",
    ("10.5.0.0/24", "", "a=10.5.0.255"): "secondary ip address (a:10.5.0.255): "
    "Address already in use",
    ("10.5.0.0/24", "", "", "10.5.0.0/32"): "gateway (): No available addresses on this pool",
    ("10.5.0.0/24", "", "", "10.5.0.255/32"): "gateway (): No available addresses on this pool",
}


@pytest.mark.parametrize("arguments", TWICE, ids=" ".join)
def test_an_address_with_two_owners_is_refused_as_by_dockerd(arguments: tuple[str, ...]) -> None:
    subnet, gateway, auxiliary, ip_range = (*arguments, "", "", "")[:4]
    named = dict(each.split("=") for each in auxiliary.split())
    with pytest.raises(SystemFailure) as caught:
        read_subnet(subnet, gateway, ip_range, named)
    assert caught.value.message == f"failed to allocate {TWICE[arguments]}"


def test_the_gateway_is_the_first_of_the_range() -> None:
    """As in dockerd: of the range that is given out unasked, if there is one."""
    subnet = read_subnet("10.5.0.0/24", "", "10.5.0.128/25", {"a": "10.5.0.129"})
    assert str(subnet.gateway) == "10.5.0.128"
    assert str(free_address(subnet, ())) == "10.5.0.130"


# Hardware addresses


@given(st.ip_addresses(v=4) | st.none(), st.binary(min_size=6, max_size=6))
def test_a_hardware_address_is_one_machine_s_and_locally_administered(
    address: object, chance: bytes
) -> None:
    text = mac_address(address, chance)  # type: ignore[arg-type]
    first, *rest = bytes.fromhex(text.replace(":", ""))
    assert len(text) == 17
    assert len(rest) == 5
    assert (first & 1, first & 2) == (0, 2)  # IEEE 802: not of a group; not a maker's
    if address is not None:
        assert ip_address(bytes(rest[1:])) == address
    else:
        assert bytes(rest) == chance[1:]
