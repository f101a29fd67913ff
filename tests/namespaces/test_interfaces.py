"""A container's cables, as plans and for real: namespaces talk through a third one's bridge."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_interface
from typing import Any

import pytest

from minidocker.linux.messages import Channel
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import StepFailed, describe
from minidocker.namespaces.interfaces import NAME_SERVER, interface_steps
from minidocker.namespaces.rewire import rewire
from tests.support.places import Place
from tests.support.traffic import Attempt, Traffic

SIX = "/proc/sys/net/ipv6/conf"


def interface(number: int, *addresses: str, **how: Any) -> dict[str, Any]:
    """One to plug in: eth0 of container ``number``."""
    return {
        "name": "eth0",
        "host": f"veth{number}",
        "bridge": "br0",
        "mac": f"02:42:0a:07:00:{number:02x}",
        "mtu": 1400,
        "isolated": False,
        "addresses": list(addresses or (f"10.7.0.{number}/24",)),
        **how,
    }


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def host(stack: ExitStack) -> Place:
    """A namespace with the bridge "br0"."""
    place = stack.enter_context(Place())
    with place.do(RouteSocket) as route:
        route.add_bridge("br0", "02:42:0a:07:00:01", 1400)
        for address in ("10.7.0.1/24", "fd00:7::1/64"):
            route.add_address("br0", ip_interface(address))
    return place


def plug(host: Place, container: Place, *interfaces: dict[str, Any], gateways: Any = ()) -> None:
    """As a start does it: with a socket of the host's that the container holds."""
    with host.do(RouteSocket) as route:
        container.perform(interface_steps(interfaces, gateways, route.fileno()))


def test_a_plan_says_each_message() -> None:
    gateways = [("eth0", "10.7.0.1")]
    both = interface(2, "10.7.0.2/24", "fd00:7::2/64", isolated=True)
    assert describe(interface_steps([both], gateways, 9)) == [
        'RTM_NEWLINK in the host\'s network namespace: veth "veth2" in the bridge "br0", its peer '
        '"eth0" (02:42:0a:07:00:02) in this one',
        'RTM_SETLINK in the host\'s network namespace: "veth2", IFLA_BRPORT_ISOLATED: no other '
        "container of its network hears it",
        'write "0" to /proc/sys/net/ipv6/conf/eth0/disable_ipv6',
        'RTM_NEWLINK: "eth0", IFF_UP',
        'RTM_NEWADDR: 10.7.0.2/24 on "eth0"',
        'RTM_NEWADDR: fd00:7::2/64 on "eth0"',
        'RTM_NEWROUTE: default via 10.7.0.1 on "eth0"',
    ]


@pytest.mark.kernel
def test_two_containers_talk_through_the_bridge(stack: ExitStack, host: Place) -> None:
    one, other = (stack.enter_context(Place()) for _ in range(2))
    gateways = [("eth0", "10.7.0.1"), ("eth0", "fd00:7::1")]
    for number, place in ((2, one), (3, other)):
        addresses = (f"10.7.0.{number}/24", f"fd00:7::{number}/64")
        plug(host, place, interface(number, *addresses), gateways=gateways)

    (link,) = one.ip("link", "show", "eth0")
    assert (link["address"], link["mtu"]) == ("02:42:0a:07:00:02", 1400)
    for version, gateway in ((4, "10.7.0.1"), (6, "fd00:7::1")):
        (route,) = one.ip(f"-{version}", "route", "show", "default")
        assert (route["gateway"], route["dev"]) == (gateway, "eth0")

    traffic = stack.enter_context(Traffic())
    attempts, came = {}, {}
    for kind in ("tcp", "udp"):
        for number in (4, 6):
            net = {4: "10.7.0.", 6: "fd00:7::"}[number]
            traffic.serve(f"{kind}{number}", other, kind, f"{net}3", 80)
            name = f"{kind} over IPv{number}"
            attempts[name] = Attempt(one, kind, f"{net}3", 80)
            came[name] = (f"{kind}{number}", f"{net}2")
    assert traffic.send(attempts) == came


@pytest.mark.kernel
def test_ipv6_is_off_where_there_is_no_address_of_it(stack: ExitStack, host: Place) -> None:
    four, six = (stack.enter_context(Place()) for _ in range(2))
    plug(host, four, interface(2, "10.7.0.2/24"))
    plug(host, six, interface(3, "fd00:7::3/64"))
    assert (four.read(f"{SIX}/eth0/disable_ipv6"), six.read(f"{SIX}/eth0/disable_ipv6")) == (
        "1",
        "0",
    )
    assert [each["local"] for each in four.ip("addr", "show", "eth0")[0]["addr_info"]] == [
        "10.7.0.2"
    ]


@pytest.mark.kernel
def test_isolated_ports_reach_the_bridge_and_not_each_other(stack: ExitStack, host: Place) -> None:
    """Whether or not the bridge asks the firewall, of which there is none here."""
    one, other = (stack.enter_context(Place()) for _ in range(2))
    addresses = {number: (f"10.7.0.{number}/24", f"fd00:7::{number}/64") for number in (2, 3)}
    for number, place in ((2, one), (3, other)):
        plug(host, place, interface(number, *addresses[number], isolated=True))
    traffic = stack.enter_context(Traffic())
    attempts = {}
    for net in ("10.7.0.", "fd00:7::"):
        traffic.serve(f"bridge {net}", host, "tcp", f"{net}1", 80)
        traffic.serve(f"other {net}", other, "tcp", f"{net}3", 80)
        attempts[f"to the bridge {net}"] = Attempt(one, "tcp", f"{net}1", 80)
        attempts[f"to the other {net}"] = Attempt(one, "tcp", f"{net}3", 80)
    expected = [name for name in attempts if "bridge" in name]
    assert sorted(traffic.send(attempts, expected)) == sorted(expected)


@pytest.mark.kernel
def test_two_cables_of_one_container_and_one_is_pulled(stack: ExitStack, host: Place) -> None:
    container = stack.enter_context(Place())
    second = interface(3, "10.7.0.3/24", name="eth1")
    plug(host, container, interface(2), second, gateways=[("eth1", "10.7.0.1")])
    assert container.names() == {"lo", "eth0", "eth1"}
    with host.do(RouteSocket) as route:
        assert route.ports("br0") == ["veth2", "veth3"]
        route.delete_link("veth3")
    assert container.names() == {"lo", "eth0"}
    assert container.ip("route", "show", "default") == []
    plug(host, container, interface(4, "10.7.0.4/24", name="eth1"))
    assert container.names() == {"lo", "eth0", "eth1"}


@pytest.mark.kernel
def test_a_container_that_is_gone_leaves_no_cable(host: Place) -> None:
    with Place() as container:
        plug(host, container, interface(2))
    deadline = time.monotonic() + 5  # the kernel takes a namespace apart in its own time
    while host.names() != {"lo", "br0"}:
        assert time.monotonic() < deadline


@pytest.mark.kernel
def test_a_refused_pair_leaves_neither_end(stack: ExitStack, host: Place) -> None:
    container = stack.enter_context(Place())
    for wrong, number in (
        ({"bridge": "none0"}, errno.ENODEV),
        ({"mac": "01:42:0a:07:00:02"}, errno.EADDRNOTAVAIL),  # of a group
        ({"mtu": 10}, errno.EINVAL),
        ({"host": "br0"}, errno.EEXIST),
        ({"name": "lo"}, errno.EEXIST),
    ):
        with pytest.raises(StepFailed, match="RTM_NEWLINK in the host's") as caught:
            plug(host, container, interface(2, **wrong))
        assert caught.value.error.errno == number
        assert container.names() == {"lo"}
        assert host.names() == {"lo", "br0"}


@contextlib.contextmanager
def process_in(place: Place) -> Iterator[int]:
    """A pidfd of a process that waits there."""
    started = place.do(lambda: subprocess.Popen(["cat"], stdin=-1, stdout=-3))
    with started:
        pidfd = os.pidfd_open(started.pid)
        try:
            yield pidfd
        finally:
            os.close(pidfd)


def rewired(host: Place, pidfd: int, **request: Any) -> list[tuple[dict[str, Any], list[int]]]:
    """What ``rewire``, as by a process of the host's, answers: messages and descriptors."""
    ours, theirs = socket.socketpair()
    with contextlib.closing(Channel(ours)) as channel:
        with contextlib.closing(Channel(theirs)) as link:
            wanted = {"plug": [], "gateways": [], "names": False, **request}
            host.do(lambda: rewire(link, wanted, pidfd))
        found = []
        while (received := channel.receive()) is not None:
            found.append(received)
        return found


@pytest.mark.kernel
def test_a_running_container_is_plugged_in_and_asks_for_names(
    stack: ExitStack, host: Place
) -> None:
    container = stack.enter_context(Place())
    pidfd = stack.enter_context(process_in(container))
    gateways = [["eth0", "10.7.0.1"]]
    plugged, done = rewired(host, pidfd, plug=[interface(2)], gateways=gateways, names=True)
    assert (plugged[0]["names"], done) == (True, ({"event": "rewired"}, []))
    assert container.names() == {"lo", "eth0"}
    assert container.ip("route", "show", "default")[0]["gateway"] == "10.7.0.1"

    udp, tcp = (stack.enter_context(socket.socket(fileno=fd)) for fd in plugged[1])
    assert (udp.type, tcp.type) == (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    for mine in (udp, tcp):
        assert mine.getsockname() == ("127.0.0.11", 53)
        theirs = stack.enter_context(container.do(lambda mine=mine: socket.socket(type=mine.type)))
        theirs.connect(NAME_SERVER)
        theirs.send(b"who?")
        if mine is tcp:
            mine = stack.enter_context(tcp.accept()[0])
        data, peer = mine.recvfrom(16)
        assert data == b"who?"
        mine.sendto(b"you", peer or theirs.getsockname())
        assert theirs.recv(16) == b"you"


@pytest.mark.kernel
def test_what_cannot_be_rewired_is_said(stack: ExitStack, host: Place) -> None:
    container = stack.enter_context(Place())
    with process_in(container) as pidfd:
        ((failed, fds),) = rewired(host, pidfd, plug=[interface(2, bridge="none0")], names=True)
        assert (failed["event"], failed["errno"], fds) == ("failed", errno.ENODEV, [])
        assert "none0" in failed["message"]
        gone = os.dup(pidfd)
    ((failed, _),) = rewired(host, gone, plug=[interface(2)])
    os.close(gone)
    assert (failed["event"], failed["errno"]) == ("failed", errno.ESRCH)
    assert host.names() == {"lo", "br0"}
