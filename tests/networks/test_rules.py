"""The rules as text: nft(8) takes it whatever the networks are called, and knows it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.networks.network import (
    BRIDGE_NAME,
    ICC,
    MASQUERADE,
    Network,
    check_options,
)
from minidocker.networks.rules import Published, ruleset
from minidocker.networks.subnets import Address, read_subnet
from tests.networks.ranges import members, subnets
from tests.support.need import need_program
from tests.support.places import Place

flags = st.sampled_from(["true", "false"])
# Some are words or numbers to nft, or would be if they stood without quotes.
bridges = st.from_regex(r"[a-zA-Z0-9_.-]{1,15}", fullmatch=True) | st.sampled_from(
    ["drop", "br-0123456789ab", "1", "0x1f", "-", "..a", "@bridges", "eth*", 'x" drop', "a;b", "$x"]
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """One that the engine would make: of options that it takes."""
    options = {BRIDGE_NAME: draw(bridges), ICC: draw(flags), MASQUERADE: draw(flags)}
    try:
        check_options(options)
    except InvalidParameter:
        del options[BRIDGE_NAME]
    id = draw(st.integers(0, (1 << 256) - 1))
    found = tuple(draw(st.lists(subnets(), max_size=2)))
    return Network(f"{id:064x}", "n", 0, found, internal=draw(st.booleans()), options=options)


many_networks = st.lists(networks(), max_size=6, unique_by=lambda each: each.bridge)
numbers = st.integers(1, 65535)


@st.composite
def published(draw: st.DrawFn, networks: Sequence[Network]) -> Published:
    network = draw(st.sampled_from(networks))
    targets = [members(each.network) for each in network.subnets] or [st.ip_addresses()]
    hosts = st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "::1"]) | st.ip_addresses().map(str)
    return Published(
        draw(st.sampled_from(["tcp", "udp"])),
        draw(hosts),
        draw(numbers),
        str(draw(st.one_of(targets))),
        draw(numbers),
        network.bridge,
    )


@st.composite
def wanted(draw: st.DrawFn) -> tuple[list[Network], list[Published]]:
    found = draw(many_networks)
    return found, draw(st.lists(published(found), max_size=5)) if found else []


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    need_program("nft")
    with Place() as place:
        yield place


@pytest.mark.kernel
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted())
def test_nft_takes_any_rules_and_says_them_again(
    place: Place, wanted: tuple[list[Network], list[Published]]
) -> None:
    found, ports = wanted
    place.run("nft", "-f", "-", given=ruleset("minidocker", found, ports))
    listed = json.loads(place.run("nft", "-j", "list", "ruleset"))["nftables"]
    assert [each["table"]["name"] for each in listed if "table" in each] == (
        ["minidocker"] if found else []
    )
    sets = {each["set"]["name"]: each["set"] for each in listed if "set" in each}
    if found:
        assert elements(sets["bridges"]) == sorted(each.bridge for each in found)
        assert elements(sets["internal"]) == sorted(each.bridge for each in found if each.internal)
    led = [each["rule"] for each in listed if "dnat" in json.dumps(each.get("rule", {}))]
    leading = [each for each in led if each["chain"] == "published"]
    assert [target(each) for each in leading] == [
        (ip_address(each.target), each.target_port) for each in ports if leads(each)
    ]


def elements(found: dict[str, Any]) -> list[str]:
    return sorted(found.get("elem", []))


def target(rule: dict[str, Any]) -> tuple[Address, int]:
    (dnat,) = (each["dnat"] for each in rule["expr"] if "dnat" in each)
    return ip_address(dnat["addr"]), dnat["port"]


def leads(port: Published) -> bool:
    """The kernel's rules can lead it there: within a family, and not from loopback."""
    loopback = port.host.startswith("127.") or port.host == "::1"
    return (":" in port.host) == (":" in port.target) and not loopback


def test_no_networks_no_table() -> None:
    text = "table inet minidocker\ndelete table inet minidocker\n"
    assert ruleset("minidocker", [], []) == text


def test_a_port_of_the_loopback_address_is_the_proxy_s() -> None:
    network = Network("a" * 64, "n", 0, (read_subnet("10.7.0.0/24"),))
    ports = [Published("tcp", host, 80, "10.7.0.2", 80, "br") for host in ("127.0.0.2", "::1")]
    assert ruleset("t", [network], ports) == ruleset("t", [network], [])


def test_the_text_is_one_that_can_be_read() -> None:
    network = Network("a" * 64, "n", 0, (read_subnet("10.7.0.0/24"),), options={BRIDGE_NAME: "br7"})
    text = ruleset("t", [network], [Published("tcp", "0.0.0.0", 80, "10.7.0.2", 8000, "br7")])
    for line in (
        'set bridges { type ifname; elements = { "br7" } }',
        'iifname "br7" oifname "br7" accept',
        'iifname != "br7" meta nfproto ipv4 tcp dport 80 dnat ip to 10.7.0.2:8000',
        'ip saddr 10.7.0.0/24 oifname != "br7" masquerade',
    ):
        assert f" {line}\n" in text
