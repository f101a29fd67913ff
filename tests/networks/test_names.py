"""Who is found under which name, from where; expectations seen with dockerd 20.10."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from dnslib import RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from minidocker.networks import dns
from minidocker.networks.names import Neighbour, Neighbourhood, View, answer
from tests.networks.queries import queries, question

WEB = Neighbour(("web", "www", "3122bf0db23b", "Mixed"), (ip_address("172.18.0.2"),))
WEB2 = Neighbour(("web2", "www", "aa22bf0db23b"), (ip_address("172.18.0.3"),))
SIX = Neighbour(("six", "b.c"), (ip_address("172.19.0.2"), ip_address("fd00::2")))
VIEW = View(
    (
        Neighbourhood("n1", (WEB, WEB2), {"linked": "web", "Gone": "removed"}),
        Neighbourhood("my.net", (SIX,)),
    ),
    ("192.0.2.53",),
)


def ask(name: str, kind: str = "A", view: View = VIEW) -> DNSRecord | None:
    reply = answer(question(name, kind), view)
    return None if reply is None else DNSRecord.parse(reply)


def told(name: str, kind: str = "A", view: View = VIEW) -> set[str] | None:
    """What is answered; None: it is not ours to answer."""
    reply = ask(name, kind, view)
    if reply is None:
        return None
    assert reply.header.rcode == dns.NOERROR
    assert all(each.ttl == 600 and each.rname == reply.q.qname for each in reply.rr)
    return {str(each.rdata) for each in reply.rr}


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "WEB",
        "3122bf0db23b",
        "mixed",
        "linked",
        "Linked",
        "web.n1",
        "WEB.n1",
        "web.N1",
        "linked.n1",
        "3122bf0db23b.n1",
        "MIXED.n1",
    ],
)
def test_a_container_is_found_by_each_of_its_names(name: str) -> None:
    assert told(name) == {"172.18.0.2"}


@pytest.mark.parametrize("name", ["www", "www.n1", "WWW"])
def test_one_name_of_several_has_all_their_addresses(name: str) -> None:
    assert told(name) == {"172.18.0.2", "172.18.0.3"}


@pytest.mark.parametrize("name", ["six", "six.my.net", "b.c", "b.c.my.net", "B.C.My.Net"])
def test_names_and_networks_may_have_dots(name: str) -> None:
    assert told(name) == {"172.19.0.2"}
    assert told(name, "AAAA") == {"fd00::2"}


@pytest.mark.parametrize(
    "name",
    [
        "nope",
        "web.n2",
        "six.n1",
        "web.my.net",
        "x.web",
        "web.n1.example",
        "localhost",
        "gone",
        "n1",
        "312",
        "3122bf0db23b" + "0" * 51,
        "c.my.net",
    ],
)
def test_what_no_network_knows_is_asked_elsewhere(name: str) -> None:
    assert told(name) is None


@pytest.mark.parametrize("kind", ["AAAA", "MX", "TXT", "SRV", "HTTPS", "CNAME", "PTR"])
def test_a_known_name_without_such_a_record_exists_all_the_same(kind: str) -> None:
    assert told("web", kind) == set()


def test_any_record_is_every_address() -> None:
    assert told("six", "ANY") == {"172.19.0.2", "fd00::2"}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("2.0.18.172.in-addr.arpa", "web.n1."),
        ("2.0.18.172.IN-ADDR.ARPA", "web.n1."),
        (ip_address("172.19.0.2").reverse_pointer, "six.my.net."),
        (ip_address("fd00::2").reverse_pointer, "six.my.net."),
        (ip_address("fd00::2").reverse_pointer.upper(), "six.my.net."),
    ],
)
def test_an_address_leads_back_to_its_container(name: str, found: str) -> None:
    assert told(name, "PTR") == {found}
    assert told(name, "A") == set()


@pytest.mark.parametrize(
    "name",
    [
        "1.0.18.172.in-addr.arpa",
        "18.172.in-addr.arpa",
        "02.0.18.172.in-addr.arpa",
        "2.0.18.172.x.in-addr.arpa",
        "in-addr.arpa",
        "arpa",
        "x.ip6.arpa",
        "0x2.0.18.172.in-addr.arpa",
        ip_address("fd00::2").reverse_pointer[2:],
        "0." + ip_address("fd00::2").reverse_pointer,
    ],
)
def test_other_reverse_names_are_asked_elsewhere(name: str) -> None:
    assert told(name, "PTR") is None


def test_a_name_too_long_for_dns_has_no_way_back() -> None:
    long = Neighbour(("a" * 64,), (ip_address("10.0.0.1"),))
    assert told("1.0.0.10.in-addr.arpa", "PTR", View((Neighbourhood("n", (long,)),))) == set()


def test_the_first_network_that_knows_a_name_is_the_one() -> None:
    other = Neighbourhood("n2", (Neighbour(("web", "more"), (ip_address("10.9.9.9"),)),))
    view = replace(VIEW, networks=(*VIEW.networks, other))
    assert told("web", view=view) == {"172.18.0.2"}
    assert told("web.n2", view=view) == {"10.9.9.9"}
    assert told("more", view=view) == {"10.9.9.9"}
    turned = replace(view, networks=view.networks[::-1])
    assert told("web", view=turned) == {"10.9.9.9"}


def test_a_link_comes_before_a_name_and_goes_with_its_target() -> None:
    def linked(target: str) -> View:
        return View((Neighbourhood("n1", (WEB, WEB2), {"web2": target}),))

    assert told("web2", view=linked("web")) == {"172.18.0.2"}
    assert told("web2", view=linked("removed")) == {"172.18.0.3"}


def test_with_ndots_a_name_without_a_dot_stays_inside() -> None:
    view = replace(VIEW, outward=False)
    assert told("nope", view=view) == set()
    assert told("nope", "AAAA", view) == set()
    assert told("nope", "MX", view) is None
    assert told("nope.example", view=view) is None
    assert told("web", view=view) == {"172.18.0.2"}


def test_another_class_is_not_ours() -> None:
    assert answer(question("web")[:-1] + b"\3", VIEW) is None  # CHAOS
    assert answer(question("web")[:-2] + b"\0\xff", VIEW) is not None


def test_a_dot_within_a_label_is_no_separator() -> None:
    message = question("web-n1").replace(b"web-n1", b"web.n1")
    assert answer(message, VIEW) is None


def test_every_address_comes_first_now_and_then() -> None:
    firsts = Counter(str(reply.a.rdata) for _ in range(200) if (reply := ask("www")))
    assert len(firsts) == 2
    assert min(firsts.values()) > 40  # of 100 expected: chance says less once in 10^17


def test_many_addresses_go_into_a_datagram_as_far_as_they_fit() -> None:
    crowd = [
        Neighbour((f"c{n}", "all"), (ip_address(f"10.0.{n >> 8}.{n & 255}"),)) for n in range(300)
    ]
    view = View((Neighbourhood("n", tuple(crowd)),))
    for room, at_most in ((0, 512), (1232, 1232), (100, 512)):
        reply = answer(question("all", room=room), view)
        assert reply is not None
        assert at_most - 16 < len(reply) <= at_most
        assert DNSRecord.parse(reply).header.tc == 1
    whole = answer(question("all"), view, dns.LARGEST)
    assert whole is not None
    assert len({str(each.rdata) for each in DNSRecord.parse(whole).rr}) == 300


@pytest.mark.parametrize(
    ("message", "rcode"),
    [
        (question("web")[:-2], "FORMERR"),
        (question("web")[:12], "FORMERR"),
        (b"\0\1\1\0" + bytes(8), "FORMERR"),
        (b"\0\1\x10\0" + bytes(8), "NOTIMP"),
    ],
    ids=["cut off", "header only", "no question", "status"],
)
def test_a_malformed_query_is_told_so(message: bytes, rcode: str) -> None:
    reply = answer(message, VIEW)
    assert reply is not None
    assert RCODE[DNSRecord.parse(reply).header.rcode] == rcode


@pytest.mark.parametrize("message", [b"", b"a", bytes(11), b"\0\1\x81\x80" + bytes(8)])
def test_what_is_no_query_gets_no_reply(message: bytes) -> None:
    assert answer(message, VIEW) == b""


NAMES = st.sampled_from(["web", "db", "api.v1", "www", "a", "n1", "n.2"])
ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)
NEIGHBOURS = st.builds(
    Neighbour,
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    st.lists(ADDRESSES, min_size=1, max_size=2).map(tuple),
)
NETWORKS = st.builds(
    Neighbourhood,
    st.sampled_from(["n1", "n.2", "web"]),
    st.lists(NEIGHBOURS, max_size=4).map(tuple),
    st.dictionaries(NAMES, NAMES, max_size=2),
)
VIEWS = st.builds(View, st.lists(NETWORKS, max_size=3).map(tuple), outward=st.booleans())


@given(st.binary(max_size=600) | queries().map(lambda record: bytes(record.pack())), VIEWS)
def test_whatever_the_bytes_the_reply_is_a_reply_or_none(message: bytes, view: View) -> None:
    reply = answer(message, view)
    if not reply:
        return
    read = DNSRecord.parse(reply)
    assert read.header.qr == 1
    assert reply[:2] == message[:2]
    assert len(reply) <= max(512, len(message) + 512)


@given(VIEWS)
def test_everybody_is_found_by_name_and_network_and_by_address(view: View) -> None:
    for network in view.networks:
        for neighbour in network.neighbours:
            for name in neighbour.names:
                assert view.lookup(name.upper()) is not None
                found = view.lookup(f"{name}.{network.network}")
                assert found is not None
            for address in neighbour.addresses:
                name = view.reverse(address)
                assert name is not None
                assert view.lookup(name) is not None


@given(VIEWS, NAMES, st.sampled_from(["", ".n1", ".n.2", ".web"]))
def test_what_is_found_is_called_so(view: View, name: str, network: str) -> None:
    asked = name + network
    owners = {
        address
        for each in view.networks
        for neighbour in each.neighbours
        for address in neighbour.addresses
        if {asked, asked.removesuffix(f".{each.network}")}
        & {*neighbour.names, *(link for link, to in each.links.items() if to in neighbour.names)}
    }
    found = view.lookup(asked)
    assert (found is not None) == bool(owners)
    assert set(found or ()) <= owners


@given(VIEWS, ADDRESSES)
def test_only_who_is_there_is_found_by_address(
    view: View, address: IPv4Address | IPv6Address
) -> None:
    everybody = [a for net in view.networks for one in net.neighbours for a in one.addresses]
    assert (view.reverse(address) is not None) == (address in everybody)
