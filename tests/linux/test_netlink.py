"""rtnetlink by our own bytes: what is made is what iproute2 says; any bytes can be read."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.linux import netlink
from minidocker.linux.netlink import Link, RouteSocket, attribute, attributes, nested
from tests.support.places import Place

MAC = "02:42:0a:07:00:02"

kinds = st.integers(0, (1 << 14) - 1)
values = st.binary(max_size=40)


# Bytes


@given(st.lists(st.tuples(kinds, values), max_size=6))
def test_attributes_read_what_attribute_wrote(given: list[tuple[int, bytes]]) -> None:
    assert list(attributes(b"".join(attribute(*each) for each in given))) == given


@given(kinds, st.lists(st.tuples(kinds, values), max_size=6))
def test_a_nested_one_holds_the_others(kind: int, given: list[tuple[int, bytes]]) -> None:
    data = nested(kind, *(attribute(*each) for each in given))
    ((found, inner),) = attributes(data)
    assert (found, list(attributes(inner))) == (kind, given)


@given(kinds, values)
def test_each_begins_at_a_multiple_of_four(kind: int, value: bytes) -> None:
    """<linux/netlink.h>, NLA_ALIGN; the length is without the padding."""
    data = attribute(kind, value)
    assert len(data) % 4 == 0
    assert struct.unpack_from("=HH", data) == (4 + len(value), kind)
    assert data[4 : 4 + len(value)] == value
    assert not any(data[4 + len(value) :])


@given(kinds, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_text_ends_with_a_zero_byte(kind: int, text: str) -> None:
    assert list(attributes(attribute(kind, text))) == [(kind, text.encode() + b"\0")]


@given(kinds, st.integers(0, (1 << 32) - 1))
def test_a_number_is_four_bytes_of_this_machine(kind: int, number: int) -> None:
    assert list(attributes(attribute(kind, number))) == [(kind, struct.pack("=I", number))]


@given(st.binary(max_size=120) | st.lists(values, max_size=4).map(b"".join))
def test_any_bytes_are_read_to_where_they_make_no_sense(data: bytes) -> None:
    found = list(attributes(data))
    assert sum(4 + len(value) for _, value in found) <= len(data)


@given(kinds, values, kinds, st.binary(min_size=1, max_size=9), st.data())
def test_one_that_is_cut_off_is_none(
    kind: int, value: bytes, last: int, cut: bytes, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, 4 + len(cut) - 1))
    whole = attribute(kind, value) + attribute(last, cut)[:kept]
    assert list(attributes(whole)) == [(kind, value)]


# A kernel of our own, for what the real one rarely says


@contextlib.contextmanager
def kernel(*answers: bytes) -> Iterator[RouteSocket]:
    """A conversation whose other end has these datagrams ready."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, RouteSocket(theirs.fileno()) as route:
        for answer in answers:
            ours.send(answer)
        ours.shutdown(socket.SHUT_WR)
        yield route


def message(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    """<linux/netlink.h>, struct nlmsghdr."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def route_to(network: str, sequence: int, flags: int = 0) -> bytes:
    net = ip_network(network)
    body = struct.pack("=8BI", socket.AF_INET, net.prefixlen, 0, 0, 254, 3, 0, 1, 0)
    return message(24, sequence, body + attribute(1, net.network_address.packed), flags)


def done(sequence: int, number: int = 0, flags: int = 0) -> bytes:
    return message(netlink.NLMSG_DONE, sequence, struct.pack("=i", number), flags)


@pytest.mark.parametrize("kind", [netlink.NLMSG_ERROR, netlink.NLMSG_DONE])
def test_a_list_that_is_refused_or_cut_off_is_an_error(kind: int) -> None:
    said = message(kind, 1, struct.pack("=i", -errno.EOPNOTSUPP))
    with (
        kernel(route_to("10.7.0.0/16", 1), said) as route,
        pytest.raises(OSError, match="routes") as caught,
    ):
        route.routes()
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("at", ["a route", "the end"])
def test_a_list_that_changed_meanwhile_is_read_again(at: str) -> None:
    torn = netlink.NLM_F_DUMP_INTR
    first = (
        route_to("10.1.0.0/16", 1, torn if at == "a route" else 0),
        done(1, flags=torn if at == "the end" else 0),
    )
    with kernel(*first, route_to("10.2.0.0/16", 2), done(2)) as route:
        assert [str(each) for each in route.routes()] == ["10.2.0.0/16"]


def test_what_answers_an_older_question_is_passed_over() -> None:
    late = (route_to("10.1.0.0/16", 7), done(7))
    with kernel(*late, route_to("10.2.0.0/16", 1) + done(1)) as route:
        assert [str(each) for each in route.routes()] == ["10.2.0.0/16"]


# The kernel, and iproute2's word for what it did


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as place:
        yield place


@pytest.fixture
def route(place: Place) -> Iterator[RouteSocket]:
    """Made in the place and used from outside of it: a socket stays where it was made."""
    with place.do(RouteSocket) as route:
        yield route


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.kernel
def test_a_bridge_is_as_it_was_ordered(place: Place, route: RouteSocket) -> None:
    route.add_bridge("br0", MAC, 1400)
    link = only(place.ip("link", "show", "br0"))
    assert (link["linkinfo"]["info_kind"], link["address"], link["mtu"]) == ("bridge", MAC, 1400)
    assert "UP" in link["flags"]
    assert link["ifindex"] == route.index("br0")
    route.add_veth("veth0", "br0", "veth1", place.fd, "02:00:00:00:00:01", 1400)
    assert only(place.ip("link", "show", "br0"))["address"] == MAC  # not its port's, though lower


@pytest.mark.kernel
def test_a_pair_has_its_ends_in_two_namespaces(place: Place, route: RouteSocket) -> None:
    route.add_bridge("br0", "02:42:0a:07:00:01", 1500)
    with Place() as other:
        route.add_veth("veth7", "br0", "eth0", other.fd, MAC, 1234)
        here = only(place.ip("link", "show", "veth7"))
        there = only(other.ip("link", "show", "eth0"))
        assert (here["linkinfo"]["info_kind"], here["master"], here["mtu"]) == ("veth", "br0", 1234)
        assert (there["linkinfo"]["info_kind"], there["address"], there["mtu"]) == (
            "veth",
            MAC,
            1234,
        )
        assert (here["link_index"], there["link_index"]) == (there["ifindex"], here["ifindex"])
        assert "UP" in here["flags"]
        assert "UP" not in there["flags"]
        assert route.ports("br0") == ["veth7"]
        for name, kind in (("br0", "bridge"), ("veth7", "veth"), ("lo", "")):
            assert route.link(name) == Link(kind, up=True)
        assert route.link("none0") is None
        assert not here["linkinfo"]["info_slave_data"]["isolated"]
        route.isolate("veth7")
        assert only(place.ip("link", "show", "veth7"))["linkinfo"]["info_slave_data"]["isolated"]
        with other.do(RouteSocket) as inside:
            assert inside.link("eth0") == Link("veth", up=False)
            inside.set_up("eth0")
        assert "UP" in only(other.ip("link", "show", "eth0"))["flags"]
        route.delete_link("veth7")
        assert other.names() == {"lo"}
        assert route.ports("br0") == []


ADDRESSES = {  # address -> broadcast
    "10.1.0.2/16": "10.1.255.255",
    "10.2.0.2/30": "10.2.0.3",
    "10.3.0.2/31": None,
    "10.4.0.2/32": None,
    "fd00:1::2/64": None,
    "fd00:2::2/127": None,
    "fd00:3::2/128": None,
}


@pytest.mark.kernel
def test_an_address_is_usable_at_once(place: Place, route: RouteSocket) -> None:
    route.add_bridge("br0", MAC, 1500)
    for each in ADDRESSES:
        route.add_address("br0", ip_interface(each))
        family = socket.AF_INET6 if ":" in each else socket.AF_INET
        with place.do(lambda family=family: socket.socket(family, socket.SOCK_DGRAM)) as sock:
            sock.bind((each.partition("/")[0], 0))
    found = only(place.ip("addr", "show", "br0"))["addr_info"]
    assert not any("tentative" in each for each in found)
    assert {
        f"{each['local']}/{each['prefixlen']}": each.get("broadcast")
        for each in found
        if each["scope"] == "global"
    } == ADDRESSES
    place.run("ip", "addr", "add", "10.9.0.1", "peer", "10.9.0.2/32", "dev", "br0")
    place.run("ip", "addr", "add", "127.0.0.9/8", "dev", "lo")
    own = [f"{each['local']}/{each['prefixlen']}" for each in found]
    assert sorted(map(str, route.addresses("br0"))) == sorted([*own, "10.9.0.1/32"])
    assert {str(each) for each in route.addresses("lo")} >= {"127.0.0.9/8"}


@pytest.mark.kernel
def test_there_is_one_default_route_and_the_last_one_holds(
    place: Place, route: RouteSocket
) -> None:
    for number in (1, 2):
        route.add_bridge(f"br{number}", f"02:00:00:00:00:0{number}", 1500)
        for version, net in ((4, f"10.{number}.0.{{}}"), (6, f"fd00:{number}::{{}}")):
            length = 24 if version == 4 else 64
            route.add_address(f"br{number}", ip_interface(f"{net.format(1)}/{length}"))
            gateway = net.format(9)
            route.set_default_route(f"br{number}", ip_address(gateway))
            shown = only(place.ip(f"-{version}", "route", "show", "default"))
            assert (shown["gateway"], shown["dev"]) == (gateway, f"br{number}")


@pytest.mark.kernel
def test_routes_are_those_of_the_main_table_without_the_default(
    place: Place, route: RouteSocket
) -> None:
    assert route.routes() == []
    route.add_bridge("br0", MAC, 1500)
    for address in ("10.7.0.1/16", "fd00:7::1/64"):
        route.add_address("br0", ip_interface(address))
    route.set_default_route("br0", ip_address("10.7.0.254"))
    place.run("ip", "route", "add", "192.0.2.0/25", "via", "10.7.0.9")
    place.run("ip", "route", "add", "unreachable", "198.51.100.0/24")
    place.run("ip", "route", "add", "203.0.113.0/24", "dev", "br0", "table", "77")
    shown = {
        ip_network(each["dst"])
        for version in "46"
        for each in place.ip(f"-{version}", "route", "show", "table", "main")
        if each["dst"] != "default" and each["type"] == "unicast"
    }
    assert {str(each) for each in shown} >= {"10.7.0.0/16", "192.0.2.0/25", "fd00:7::/64"}
    assert set(route.routes()) == shown


@pytest.mark.kernel
def test_what_takes_many_messages_is_read_to_its_end(place: Place, route: RouteSocket) -> None:
    route.add_bridge("br0", MAC, 1500)
    route.add_address("br0", ip_interface("10.7.0.1/16"))
    nets = {f"10.{a}.{b}.0/24" for a in range(8, 18) for b in range(256)}
    place.run("ip", "-batch", "-", given="".join(f"route add {net} dev br0\n" for net in nets))
    assert {str(each) for each in route.routes()} == {*nets, "10.7.0.0/16"}


@pytest.mark.kernel
def test_errors_carry_the_kernel_s_number_and_the_name(place: Place, route: RouteSocket) -> None:
    def refused(number: int, name: str, act: Any, *arguments: Any) -> None:
        with pytest.raises(OSError, match=name) as caught:
            act(*arguments)
        assert caught.value.errno == number
        assert caught.value.filename == name
        assert caught.value.strerror == os.strerror(number)

    route.add_bridge("br0", MAC, 1500)
    address = ip_interface("10.7.0.1/16")
    route.add_address("br0", address)
    refused(errno.ENODEV, "none0", route.index, "none0")
    refused(errno.ENODEV, "none0", route.ports, "none0")
    refused(errno.ENODEV, "none0", route.addresses, "none0")
    refused(errno.ENODEV, "none0", route.isolate, "none0")
    refused(errno.EOPNOTSUPP, "br0", route.isolate, "br0")
    refused(errno.ENODEV, "none0", route.set_up, "none0")
    refused(errno.ENODEV, "none0", route.delete_link, "none0")
    refused(errno.ENODEV, "none0", route.add_address, "none0", address)
    refused(errno.ENODEV, "none0", route.add_veth, "v", "none0", "w", place.fd, MAC, 1500)
    refused(errno.EEXIST, "br0", route.add_bridge, "br0", MAC, 1500)
    refused(errno.EEXIST, "10.7.0.1/16", route.add_address, "br0", address)
    refused(errno.EEXIST, "br0", route.add_veth, "br0", "br0", "w", place.fd, MAC, 1500)
    refused(errno.EINVAL, "a/b", route.add_bridge, "a/b", MAC, 1500)
    refused(errno.EADDRNOTAVAIL, "mc", route.add_bridge, "mc", "01:00:00:00:00:00", 1500)
    far = ip_address("192.0.2.1")
    refused(errno.ENETUNREACH, "default via 192.0.2.1", route.set_default_route, "br0", far)
    assert place.names() == {"lo", "br0"}


@pytest.mark.kernel
def test_a_copy_of_the_socket_is_the_same_conversation_partner(
    place: Place, route: RouteSocket
) -> None:
    """As init has it: a descriptor that was made before it left the namespace."""
    with RouteSocket(route.fileno()) as copy:
        copy.add_bridge("br0", MAC, 1500)
        assert route.index("br0") == copy.index("br0")
    assert route.ports("br0") == []  # the original is still open
