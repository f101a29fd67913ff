"""What the rules mean, asked of real packets: from each of a machine to each, and to its ports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.linux.plan import StepFailed
from minidocker.networks.firewall import Firewall, forget_flows
from minidocker.networks.network import Network
from minidocker.networks.rules import Published
from tests.networks.machine import (
    EVERY,
    HOST,
    NAMES,
    OUTSIDE,
    PORT,
    PUBLISHED,
    Machine,
    address,
    with_flags,
)
from tests.support.need import need_program
from tests.support.places import Place
from tests.support.traffic import Answer, Attempt, open_socket

pytestmark = pytest.mark.kernel

Wanted = dict[str, Answer | None]
"""An attempt's name -> the server that it comes to and as whom, or nobody."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    need_program("nft")
    with Machine() as machine:
        yield machine


def seen(machine: Machine, wanted: Wanted, attempts: dict[str, Attempt]) -> None:
    """The attempts come to where they are wanted to, and nowhere else."""
    expected = {name: answer for name, answer in wanted.items() if answer}
    assert machine.traffic.send(attempts, expected) == expected


# From each to each


def everybody(
    machine: Machine, networks: Sequence[Network], kind: str
) -> tuple[Wanted, dict[str, Attempt]]:
    by_name = {each.name: each for each in networks}
    wanted: Wanted = {}
    attempts = {}
    for source, place in machine.places.items():
        for target in machine.places:
            for version, where in machine.addresses[target].items():
                name = f"{kind}{version} {source} -> {target}"
                attempts[name] = Attempt(place, kind, where, PORT)
                peer = peer_of(by_name, source, target, version)
                came = f"{target} {version} {kind}"
                wanted[name] = Answer(came, peer or machine.addresses[source][version])
                if not may(by_name, source, target):
                    wanted[name] = None
    return wanted, attempts


def may(networks: dict[str, Network], source: str, target: str) -> bool:
    """The rule, in other words than the rules."""
    if source == target or "host" in (source, target):
        return True
    of, to = (networks.get(each.partition(".")[0]) for each in (source, target))
    if to is None:
        return of is None or not of.internal
    return of == to and to.icc


def peer_of(networks: dict[str, Network], source: str, target: str, version: int) -> str:
    """Who the target sees, when it is not the source's own address."""
    if source == "host" and target.partition(".")[0] in NAMES:
        return address(NAMES.index(target.partition(".")[0]) + 1, 1, version)
    of = networks.get(source.partition(".")[0])
    return HOST[version] if of and of.masquerade and target == "outside" else ""


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "not asked"])
def test_each_reaches_whom_it_may_and_nobody_else(machine: Machine, asked: bool) -> None:
    """Whether or not the bridges ask the firewall about what they pass on themselves."""
    machine.bridges_ask_the_firewall(asked)
    machine.apply(machine.networks)
    for kind in ("tcp", "udp"):
        seen(machine, *everybody(machine, machine.networks, kind))


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(flags=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=5, max_size=5))
def test_any_mixture_of_networks(machine: Machine, flags: list[tuple[bool, bool]]) -> None:
    changed = [with_flags(each, *flag) for each, flag in zip(machine.networks, flags, strict=True)]
    machine.apply(changed)
    seen(machine, *everybody(machine, changed, "tcp"))


# Published ports

LOOPBACK = {4: "127.0.0.1", 6: "::1"}
TARGETS = {4: "10.1.0.2", 6: "fd00:1::2"}


def published(machine: Machine) -> list[Published]:
    ports = [
        Published(kind, EVERY[version], PUBLISHED, TARGETS[version], PORT, "br-plain")
        for kind in ("tcp", "udp")
        for version in (4, 6)
    ]
    return [
        *ports,
        *(
            Published("tcp", HOST[version], 8081, address(2, 2, version), PORT, "br-other")
            for version in (4, 6)
        ),
        Published("tcp", "127.0.0.1", 8082, TARGETS[4], PORT, "br-plain"),
        Published("tcp", "::", 8083, TARGETS[4], PORT, "br-plain"),
        Published("tcp", "0.0.0.0", 8084, "10.4.0.2", PORT, "br-quiet"),
        Published("tcp", "0.0.0.0", 8085, "10.3.0.2", PORT, "br-internal"),
    ]


@pytest.mark.parametrize("version", [4, 6])
def test_a_published_port_leads_to_its_container(machine: Machine, version: int) -> None:
    machine.apply(machine.networks, published(machine))
    host, own = HOST[version], machine.addresses
    gateway = address(1, 1, version)  # of plain: who comes over its bridge from elsewhere
    ways: dict[tuple[str, str, str, int], tuple[str, str] | None] = {
        ("outside", "tcp", host, 8080): ("plain.2", OUTSIDE[version]),
        ("outside", "udp", host, 8080): ("plain.2", OUTSIDE[version]),
        ("outside", "tcp", host, 8081): ("other.2", OUTSIDE[version]),
        ("outside", "tcp", host, 8079): None,
        ("outside", "udp", host, 8081): None,
        # The host itself, at any of its addresses but the loopback's, which is the proxy's.
        ("host", "tcp", host, 8080): ("plain.2", host),
        ("host", "udp", host, 8080): ("plain.2", host),
        ("host", "tcp", address(2, 1, version), 8080): ("plain.2", gateway),
        ("host", "tcp", host, 8081): ("other.2", host),
        ("host", "tcp", address(2, 1, version), 8081): None,
        ("host", "tcp", LOOPBACK[version], 8080): ("proxy", LOOPBACK[version]),
        # Containers of other networks, by the host's address.
        ("other.2", "tcp", host, 8080): ("plain.2", gateway),
        ("other.2", "udp", host, 8080): ("plain.2", gateway),
        ("bare.2", "tcp", host, 8080): ("plain.2", own["bare.2"][version]),
        ("quiet.2", "tcp", host, 8080): ("plain.2", gateway),
        ("internal.2", "tcp", host, 8080): None,
        ("other.2", "tcp", address(2, 1, version), 8080): ("plain.2", gateway),
        # Those of its own network, and it itself: the proxy answers them.
        ("plain.3", "tcp", host, 8080): ("proxy", own["plain.3"][version]),
        ("plain.2", "tcp", host, 8080): ("proxy", own["plain.2"][version]),
        # The container's address is nobody's business, published or not.
        ("outside", "tcp", TARGETS[version], 8080): None,
        ("outside", "tcp", TARGETS[version], PORT): None,
        ("other.2", "tcp", TARGETS[version], PORT): None,
    }
    if version == 4:
        ways |= {
            ("outside", "tcp", host, 8082): None,
            ("outside", "tcp", host, 8083): None,
            ("outside", "tcp", host, 8084): ("quiet.2", OUTSIDE[4]),
            ("quiet.3", "tcp", host, 8084): None,
            ("outside", "tcp", host, 8085): None,
        }
    wanted, attempts = {}, {}
    for (source, kind, where, port), came in ways.items():
        name = f"{source} -> {kind} {where} {port}"
        attempts[name] = Attempt(machine.places[source], kind, where, port)
        wanted[name] = Answer(f"{came[0]} {version} {kind}", came[1]) if came else None
    seen(machine, wanted, attempts)


def test_a_port_that_is_published_no_more_leads_nowhere(machine: Machine) -> None:
    attempts = {"outside": Attempt(machine.places["outside"], "tcp", HOST[4], 8080)}
    came = Answer("plain.2 4 tcp", OUTSIDE[4])
    machine.apply(machine.networks, published(machine))
    assert machine.traffic.send(attempts) == {"outside": came}
    machine.apply(machine.networks)
    assert machine.traffic.send(attempts) == {"outside": Answer("proxy 4 tcp", OUTSIDE[4])}


def test_a_conversation_with_who_has_left_goes_to_who_has_the_port_now(machine: Machine) -> None:
    """Of UDP: one that has begun leads to where it led, as long as there are packets."""

    def publish(target: str) -> None:
        port = Published("udp", HOST[4], PUBLISHED, target, PORT, "br-plain")
        machine.apply(machine.networks, [port])

    with open_socket(machine.places["outside"], "udp", HOST[4]) as client:
        client.connect((HOST[4], PUBLISHED))
        publish("10.1.0.2")
        assert machine.traffic.ask(client) == "plain.2 4 udp"
        publish("10.1.0.3")
        assert machine.traffic.ask(client) == "plain.2 4 udp"
        machine.host.do(lambda: forget_flows([ip_address("10.1.0.2")]))
        assert machine.traffic.ask(client) == "plain.3 4 udp"


# The table


@pytest.fixture
def place() -> Iterator[Place]:
    need_program("nft")
    with Place() as place:
        yield place


def tables(place: Place) -> list[str]:
    found = json.loads(place.run("nft", "-j", "list", "tables"))["nftables"]
    return sorted(f"{each['table']['family']} {each['table']['name']}" for each in found[1:])


OTHERS = """
table inet minidocker2 {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "br-plain" counter packets 0 bytes 0 accept
	}
}
table ip minidocker {
	set internal {
		type ifname
	}
}
"""


def test_only_its_own_table_comes_changes_and_goes(machine: Machine, place: Place) -> None:
    place.run("nft", "-f", "-", given=OTHERS)
    firewall = Firewall("minidocker")
    networks, ports = machine.networks, published(machine)
    for wanted, there in (
        ((networks, ()), True),
        ((networks, ports), True),
        ((networks[:1], ports[:1]), True),
        (((), ()), False),
    ):
        steps = firewall.steps(*wanted)
        assert len(steps) == 1
        place.perform(steps)
        assert firewall.steps(*wanted) == []
        own = ["inet minidocker"] if there else []
        assert tables(place) == sorted([*own, "inet minidocker2", "ip minidocker"])
        for other in ("inet minidocker2", "ip minidocker"):
            assert place.run("nft", "list", "table", *other.split()) in OTHERS


def test_what_a_daemon_left_that_was_killed_is_replaced(machine: Machine, place: Place) -> None:
    place.perform(Firewall("minidocker").steps(machine.networks, published(machine)))
    again = Firewall("minidocker")
    place.perform(again.steps(machine.networks, []))
    assert "8080" not in place.run("nft", "list", "table", "inet", "minidocker")
    place.perform(Firewall("minidocker").steps([], []))
    assert tables(place) == []


def test_what_nft_refuses_is_said_and_tried_again(machine: Machine, place: Place) -> None:
    firewall = Firewall("no table")
    for _ in range(2):
        with pytest.raises(StepFailed, match=r"nft refuses: .*syntax error"):
            place.perform(firewall.steps(machine.networks, []))
    assert tables(place) == []
