"""The records of networks and addresses: what is refused and why; death between any two steps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import Conflict, Forbidden, InvalidParameter, NotFound, SystemFailure
from minidocker.networks.endpoints import EndpointStore, HostPort, Joining, check_address
from minidocker.networks.network import BRIDGE_NAME, Network
from minidocker.networks.store import NetworkStore, Wanted
from minidocker.networks.subnets import read_subnet
from minidocker.records import open_records
from tests.networks.ranges import TEXTS

WEB, DB = "a" * 64, "b" * 64
KILLED = 137


class Records:
    def __init__(self, path: Path) -> None:
        self.db = open_records(path)
        self.networks = NetworkStore(self.db)
        self.endpoints = EndpointStore(self.db)

    def close(self) -> None:
        self.db.close()

    def look(self) -> tuple[object, ...]:
        return (
            self.networks.all(),
            sorted(self.endpoints.all(), key=lambda each: each.id),
            sorted(self.endpoints.published(), key=str),
        )


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path / "db")) as records:
        yield records


def configured(name: str, *subnets: str, **how: bool) -> Wanted:
    return Wanted(name, tuple((each, "", "", {}) for each in subnets), **how)  # type: ignore


# What is refused


def test_why_a_network_cannot_be_made(records: Records) -> None:
    store = records.networks
    made = store.create(Wanted("a", (("10.7.0.0/16", "", "", {}),), options={BRIDGE_NAME: "br7"}))
    second = store.create(configured("z"))
    for wanted, error, why in (
        (configured("a"), Conflict, "network with name a already exists"),
        (Wanted("z", options={BRIDGE_NAME: "br7"}), Conflict, "network with name z already exists"),
        (configured("host"), Forbidden, "operation is not permitted on predefined host network"),
        (configured("-x"), InvalidParameter, "includes invalid characters for a network name"),
        (configured("b", "10.7.9.0/24"), Forbidden, "Pool overlaps with other one on this address"),
        (configured("b", "10.8.0.0/16", "10.8.9.0/24"), Forbidden, "Pool overlaps with other one"),
        (configured("b", "10.8.0.1/16"), InvalidParameter, "it should be 10.8.0.0/16"),
        (Wanted("b", (("", "10.8.0.1", "", {}),)), InvalidParameter, "needs the subnet"),
        (
            Wanted("b", options={BRIDGE_NAME: "br7"}),
            Forbidden,
            f"cannot create network b: conflicts with network {made.id} (a): networks have same "
            "bridge name",
        ),
        (Wanted("b", options={BRIDGE_NAME: "a/b"}), InvalidParameter, "letters, digits"),
        (Wanted("b", options={"x": "y"}), InvalidParameter, "unknown option x"),
    ):
        with pytest.raises(error) as caught:
            store.create(wanted)
        assert why in str(caught.value)
        assert store.all() == [made, second]


def test_a_subnet_of_ipv6_waits_until_ipv6_is_on(records: Records) -> None:
    """As in Docker: without --ipv6 it is not looked at."""
    made = records.networks.create(configured("a", "fd00:7::/64"))
    assert [each.network.version for each in made.subnets] == [4]
    made = records.networks.create(configured("b", "fd00:7::/64", ipv6=True))
    assert [str(each.network) for each in made.subnets] == ["172.18.0.0/16", "fd00:7::/64"]
    made = records.networks.create(configured("c", ipv6=True))
    _, six = (each.network for each in made.subnets)
    assert six.subnet_of(ip_network("fd00::/8"))  # type: ignore[arg-type]
    assert six.prefixlen == 64


def test_a_default_pool_avoids_the_machine_s_routes_and_a_chosen_subnet_need_not(
    records: Records,
) -> None:
    used = [ip_network("172.17.4.0/24"), ip_network("172.16.0.0/15"), ip_network("172.18.0.9/32")]
    made = records.networks.create(configured("a"), used)
    assert str(made.subnets[0].network) == "172.19.0.0/16"
    made = records.networks.create(configured("b", "172.17.0.0/16"), used)
    assert str(made.subnets[0].network) == "172.17.0.0/16"


def test_a_resettled_network_has_a_free_subnet(records: Records, tmp_path: Path) -> None:
    made = records.networks.create(configured("bridge"))
    other = records.networks.create(configured("b"))
    moved = records.networks.resettle(made, [ip_network("172.17.0.0/24")])
    assert str(moved.subnets[0].network) == "172.19.0.0/16"
    assert str(other.subnets[0].network) == "172.18.0.0/16"
    with closing(Records(tmp_path / "db")) as again:
        assert again.networks.get("bridge") == moved


def test_a_network_is_found_by_name_by_id_and_by_the_beginning_of_one(records: Records) -> None:
    store = records.networks
    made = [store.create(configured(f"n{number}")) for number in range(17)]
    named = store.create(configured(made[0].id[:12]))  # a name goes before the beginning of an ID
    assert store.get(made[0].id[:12]) == named
    store.create(configured(made[0].id))
    assert store.get(made[0].id) == made[0]
    for ref in ("", "n", "zz"):
        with pytest.raises(NotFound, match=f"network {ref} not found"):
            store.get(ref)
    starts = [each.id[0] for each in made]
    twice = next(each for each in starts if starts.count(each) > 1)  # of 16 digits
    with pytest.raises(InvalidParameter, match="is ambiguous"):
        store.get(twice)


def test_a_network_with_containers_stays(records: Records) -> None:
    network = records.networks.create(configured("a"))
    place = records.endpoints.join(network, Joining(WEB))
    with pytest.raises(Forbidden, match=f"network a id {network.id} has active endpoints"):
        records.networks.remove(network)
    records.endpoints.leave(place)
    records.networks.remove(network)
    assert records.networks.all() == []


def test_the_default_network_stays(records: Records) -> None:
    network = records.networks.create(configured("bridge"))
    with pytest.raises(Forbidden, match="bridge is a pre-defined network and cannot be removed"):
        records.networks.remove(network)


def test_why_a_container_gets_no_address(records: Records) -> None:
    network = records.networks.create(configured("a", "10.7.0.0/30", "fd00:7::/126", ipv6=True))
    for joining, error, why in (
        (Joining(WEB, "10.7.0.1"), Forbidden, "Address already in use: 10.7.0.1"),
        (Joining(WEB, "10.7.0.3"), Forbidden, "Address already in use: 10.7.0.3"),
        (Joining(WEB, "10.8.0.2"), InvalidParameter, "contain the IP address 10.8.0.2"),
        (Joining(WEB, "fd00:7::2"), InvalidParameter, "invalid IPv4 address: fd00:7::2"),
        (Joining(WEB, ipv6="10.7.0.2"), InvalidParameter, "invalid IPv6 address: 10.7.0.2"),
        (Joining(WEB, ipv6="fd00:7::2%1"), InvalidParameter, "invalid IPv6 address: fd00:7::2%1"),
        (Joining(WEB, "x"), InvalidParameter, "invalid IPv4 address: x"),
    ):
        with pytest.raises(error) as caught:
            records.endpoints.join(network, joining)
        assert why in str(caught.value)
        assert records.endpoints.all() == []
    records.endpoints.join(network, Joining(WEB))
    with pytest.raises(Forbidden, match=f"name {WEB[:12]} already exists in network a"):
        records.endpoints.join(network, Joining(WEB))
    with pytest.raises(SystemFailure, match="no available IPv4 addresses on this network's"):
        records.endpoints.join(network, Joining(DB))


@given(st.sampled_from([4, 6]), TEXTS)
def test_any_text_is_an_address_of_the_network_or_refused(version: int, text: str) -> None:
    subnets = (read_subnet("10.0.0.0/8"), read_subnet("fd00::/8"))
    network = Network("a" * 64, "n", 0, subnets, ipv6=True)
    try:
        address, subnet = check_address(network, version, text)
    except InvalidParameter as error:
        assert error.message.startswith("invalid endpoint settings:\n")  # noqa: PT017
        return
    assert address in subnet.network
    assert address.version == version


def test_what_is_given_is_what_is_asked_for(records: Records) -> None:
    network = records.networks.create(configured("a", "10.7.0.0/16"))
    wanted = Joining(WEB, "10.7.9.9", mac="02:00:00:00:00:07", names=("web", "www"))
    made = records.endpoints.join(network, wanted)
    assert (str(made.ipv4), made.ipv6, made.mac) == ("10.7.9.9/16", None, "02:00:00:00:00:07")
    assert (made.names, made.interface) == (("web", "www"), "eth0")
    other = records.networks.create(configured("b"))
    second = records.endpoints.join(other, Joining(WEB))
    assert (second.interface, second.mac) == ("eth1", "02:42:ac:11:00:02")
    records.endpoints.leave(made)
    again = records.endpoints.join(network, Joining(WEB))
    assert (again.interface, str(again.ipv4)) == ("eth0", "10.7.0.2/16")


def test_a_port_is_one_container_s_on_each_address(records: Records) -> None:
    ports = records.endpoints
    ports.publish(HostPort(WEB, "tcp", 80, "0.0.0.0", 8080))
    for free in (("udp", "0.0.0.0", 8080), ("tcp", "::", 8080), ("tcp", "0.0.0.0", 8081)):
        ports.publish(HostPort(DB, free[0], 80, *free[1:]))
    for container in (WEB, DB):
        with pytest.raises(SystemFailure) as caught:
            ports.publish(HostPort(container, "tcp", 81, "0.0.0.0", 8080))
        assert str(caught.value) == "Bind for 0.0.0.0:8080 failed: port is already allocated"
    assert len(ports.published(DB)) == 3
    ports.unpublish(DB)
    assert ports.published() == [HostPort(WEB, "tcp", 80, "0.0.0.0", 8080)]


def test_records_from_before_an_option_are_read(records: Records, tmp_path: Path) -> None:
    made = records.networks.create(configured("a", ipv6=True))
    (row,) = records.db.execute("SELECT spec FROM networks")
    spec = json.loads(row["spec"])
    del spec["user_subnets"], spec["bridge_was_there"]
    records.db.execute("UPDATE networks SET spec = ?", (json.dumps(spec),))
    with closing(Records(tmp_path / "db")) as again:
        assert again.networks.get("a") == made


# Death between any two statements


def killed(path: Path, act: Callable[[Records], object], step: int) -> bool:
    """Do ``act`` in a child that dies just before its statement number ``step``, and closes
    nothing.  Returns whether it came so far."""
    child = os.fork()
    if child == 0:
        code, left = 1, step

        def trace(statement: str) -> None:
            nonlocal left
            if left == 0:
                os._exit(KILLED)
            left -= 1

        try:
            records = Records(path)
            records.db.set_trace_callback(trace)
            act(records)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED), "it fails by itself"
    return code == KILLED


def prepare(path: Path) -> None:
    """A network with a container in it, and one without; a published port."""
    with closing(Records(path)) as records:
        a = records.networks.create(configured("a", "10.7.0.0/29", "fd00:7::/125", ipv6=True))
        records.networks.create(configured("b", "10.8.0.0/29"))
        records.endpoints.join(a, Joining(WEB))
        records.endpoints.publish(HostPort(WEB, "tcp", 80, "0.0.0.0", 8080))


def look(path: Path) -> tuple[object, ...]:
    with closing(Records(path)) as records:
        return records.look()


ACTS: dict[str, Callable[[Records], object]] = {
    "create": lambda it: it.networks.create(configured("c", "10.9.0.0/29")),
    "remove": lambda it: it.networks.remove(it.networks.get("b")),
    "resettle": lambda it: it.networks.resettle(it.networks.get("b"), ()),
    "join": lambda it: it.endpoints.join(it.networks.get("a"), Joining(DB)),
    "leave": lambda it: it.endpoints.leave(it.endpoints.all()[0]),
    "rename": lambda it: it.endpoints.rename(it.endpoints.all()[0], ("n",)),
    "publish": lambda it: it.endpoints.publish(HostPort(DB, "tcp", 80, "::", 8080)),
    "unpublish": lambda it: it.endpoints.unpublish(WEB),
}


@pytest.mark.parametrize("name", ACTS)
def test_who_is_killed_has_done_it_or_not_begun(tmp_path: Path, name: str) -> None:
    act, step, came = ACTS[name], 0, True
    while came:
        path = tmp_path / f"db{step}"
        prepare(path)
        before = look(path)
        came = killed(path, act, step)
        if came:
            assert look(path) == before
            with closing(Records(path)) as records:
                act(records)  # nothing stands in the way of doing it now
                assert look(path) == records.look()
        assert look(path) != before
        step += 1
    assert step > 1
