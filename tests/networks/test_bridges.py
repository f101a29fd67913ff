"""The host's end: what is missing is made, what was there stays, and is left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any

import pytest

from minidocker.errors import Forbidden
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step, describe
from minidocker.networks import bridges
from minidocker.networks.bridges import AddBridge, AddGateway, PassOn, bridge_steps
from minidocker.networks.network import BRIDGE_NAME, MTU, Network
from minidocker.networks.subnets import read_subnet
from tests.support.places import Place

FOUR, SIX = read_subnet("10.7.0.0/24"), read_subnet("fd00:7::/64")
FORWARD_FOUR = "/proc/sys/net/ipv4/ip_forward"
FORWARD_SIX = "/proc/sys/net/ipv6/conf/all/forwarding"


def network(**how: Any) -> Network:
    values = {"options": {BRIDGE_NAME: "br7", MTU: "1400"}, "subnets": (FOUR, SIX), **how}
    return Network("a" * 64, "n", 0, **values)


@pytest.fixture
def host() -> Iterator[Place]:
    with Place() as place:
        for path in (FORWARD_FOUR, FORWARD_SIX):
            place.write(path, "0")
        yield place


def steps(host: Place, network: Network) -> list[Step]:
    return host.do(lambda: bridge_steps(network))


def given(host: Place, name: str = "br7") -> set[str]:
    with host.do(RouteSocket) as route:
        return {str(each) for each in route.addresses(name) if not each.is_link_local}


def test_a_plan_says_each_message() -> None:
    plan = [AddBridge("br7", "02:42:0a:07:00:01", 1400), AddGateway("br7", "10.7.0.1/24")]
    assert describe([*plan, PassOn(FORWARD_FOUR)]) == [
        'RTM_NEWLINK: bridge "br7" (02:42:0a:07:00:01)',
        'RTM_NEWADDR: 10.7.0.1/24 on the bridge "br7"',
        'write "1" to /proc/sys/net/ipv4/ip_forward',
    ]


@pytest.mark.kernel
def test_what_is_missing_is_made_once(host: Place) -> None:
    plan = steps(host, network())
    assert [type(each) for each in plan] == [AddBridge, AddGateway, AddGateway, PassOn, PassOn]
    host.perform(plan)
    (link,) = host.ip("link", "show", "br7")
    assert (link["linkinfo"]["info_kind"], link["mtu"]) == ("bridge", 1400)
    assert link["address"] == "02:42:0a:07:00:01"  # of its first address
    assert given(host) == {"10.7.0.1/24", "fd00:7::1/64"}
    assert (host.read(FORWARD_FOUR), host.read(FORWARD_SIX)) == ("1", "1")
    assert steps(host, network()) == []


@pytest.mark.kernel
def test_a_network_that_nobody_leaves_passes_nothing_on(host: Place) -> None:
    host.perform(steps(host, network(internal=True)))
    assert (host.read(FORWARD_FOUR), host.read(FORWARD_SIX)) == ("0", "0")
    host.perform(steps(host, network(subnets=(FOUR,))))
    assert (host.read(FORWARD_FOUR), host.read(FORWARD_SIX)) == ("1", "0")


@pytest.mark.kernel
def test_a_half_made_bridge_is_completed(host: Place) -> None:
    """Whichever step was the last before the daemon was killed."""
    whole = network()
    for done in range(1, 5):
        host.perform(steps(host, whole)[:done])
        host.perform(steps(host, whole))
        assert given(host) == {"10.7.0.1/24", "fd00:7::1/64"}
        assert steps(host, whole) == []
        host.do(lambda: bridges.remove_bridge(whole))


@pytest.mark.kernel
def test_somebody_else_s_bridge_is_used_and_stays(host: Place) -> None:
    mine, theirs = network(), network(bridge_was_there=True)
    host.run("ip", "link", "add", "br7", "type", "bridge")
    host.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br7")
    host.run("ip", "link", "add", "veth1", "master", "br7", "type", "veth", "peer", "veth2")
    host.run("ip", "link", "add", "tap7", "master", "br7", "type", "veth", "peer", "tap8")
    plan = steps(host, theirs)
    assert describe(plan)[0] == 'RTM_NEWLINK: "br7", IFF_UP'
    host.perform(plan)
    assert "UP" in host.ip("link", "show", "br7")[0]["flags"]
    assert given(host) == {"192.0.2.1/24", "10.7.0.1/24", "fd00:7::1/64"}

    assert host.do(lambda: bridges.cables(mine)) == ["veth1"]
    assert host.do(lambda: bridges.cables(theirs)) == []
    host.do(lambda: bridges.remove_bridge(theirs))
    assert "br7" in host.names()
    host.do(lambda: bridges.remove_bridge(mine))
    assert "br7" not in host.names()


@pytest.mark.kernel
def test_what_is_no_bridge_is_left_alone(host: Place) -> None:
    host.run("ip", "link", "add", "br7", "type", "veth", "peer", "br8")
    with pytest.raises(Forbidden, match=re.escape("existing interface br7 is not a bridge")):
        steps(host, network())
    with pytest.raises(Forbidden, match=re.escape("existing interface lo is not a bridge")):
        steps(host, network(options={BRIDGE_NAME: "lo"}))
    assert given(host) == set()
    assert given(host, "lo") == {"127.0.0.1/8", "::1/128"}


@pytest.mark.kernel
def test_what_is_gone_already_is_removed_in_peace(host: Place) -> None:
    host.do(lambda: bridges.remove_bridge(network()))
    host.do(lambda: bridges.remove_cables(["veth1", "veth2"]))
    assert host.do(lambda: bridges.cables(network())) == []
    host.run("ip", "link", "add", "veth1", "type", "veth", "peer", "veth2")
    host.do(lambda: bridges.remove_cables(["veth2", "veth1"]))
    assert host.names() == {"lo"}


@pytest.mark.kernel
def test_interfaces_are_those_of_whoever_asks(host: Place) -> None:
    with host.do(RouteSocket) as route:
        route.add_bridge("br7", "02:42:0a:07:00:01", 1500)
        route.add_address("br7", ip_interface("10.7.0.1/24"))
    assert host.do(lambda: bridges.exists("br7"))
    assert not bridges.exists("br7")
    assert not host.do(lambda: bridges.exists(""))
