"""Networks and who is in them, under any order of use and with a daemon that is killed at times."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minidocker.errors import Conflict, Forbidden, InvalidParameter, NotFound, SystemFailure
from minidocker.networks.endpoints import EndpointStore, HostPort, Joining
from minidocker.networks.network import BRIDGE_NAME, Endpoint, Network
from minidocker.networks.store import NetworkStore, Wanted
from minidocker.networks.subnets import Address
from minidocker.records import open_records

# Small ones, so that they are used up; some overlap, some are within others.
SUBNETS = [
    "10.7.0.0/29",
    "10.7.0.0/30",
    "10.7.0.4/30",
    "10.7.1.0/31",
    "10.7.2.0/28",
    "172.17.0.0/28",  # a part of the first default pool
    "fd00:7::/125",
    "fd00:7::/126",
    "fd00:7:1::/64",
]
names = st.sampled_from(["bridge", "x", "y", "z", "host", "-"])
containers = st.sampled_from([each * 64 for each in "0123456789"])


def wants(name: str, subnets: list[str], ranges: bool, ipv6: bool, bridge: str) -> Wanted:
    configs = []
    for each in subnets:
        net = ip_network(each)
        part = next(net.subnets()) if ranges and net.num_addresses > 4 else ""
        configs.append((each, "", str(part), {"router": str(net[3])} if part else {}))
    options = {BRIDGE_NAME: bridge} if bridge else {}
    return Wanted(name, tuple(configs), ipv6=ipv6, options=options, labels={"l": name})


class Networks(RuleBasedStateMachine):
    """The model: name -> network, (network's name, container) -> what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.networks: dict[str, Network] = {}
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        self.ports: dict[tuple[str, str, int], HostPort] = {}
        self.killed = []
        self.open()

    def open(self) -> None:
        self.db = open_records(self.root / "db")
        self.store = NetworkStore(self.db)
        self.places = EndpointStore(self.db)

    def teardown(self) -> None:
        for db in (*self.killed, self.db):
            db.close()
        shutil.rmtree(self.root)

    @initialize()
    def the_default_network_is_there(self) -> None:
        self.networks["bridge"] = self.store.create(Wanted("bridge"))

    # -- networks

    @rule(
        name=names,
        subnets=st.lists(st.sampled_from(SUBNETS), max_size=2, unique=True),
        ranges=st.booleans(),
        ipv6=st.booleans(),
        bridge=st.sampled_from(["", "br7", "br8", "br 9"]),
    )
    def create(self, name: str, subnets: list[str], ranges: bool, ipv6: bool, bridge: str) -> None:
        wanted = wants(name, subnets, ranges, ipv6, bridge)
        with self.refused(self.why_not(name, subnets, ipv6, bridge)):
            made = self.networks[name] = self.store.create(wanted, [ip_network("172.18.0.0/15")])
            given = [str(each.network) for each in made.subnets]
            chosen = [each for each in subnets if ipv6 or ":" not in each]
            assert [each for each in given if each in SUBNETS] == chosen
            assert {each.network.version for each in made.subnets} == {4, 6} if ipv6 else {4}
            assert (made.name, made.ipv6, made.options) == (name, ipv6, wanted.options)
            self.disjoint()

    def why_not(
        self, name: str, subnets: list[str], ipv6: bool, bridge: str
    ) -> type[Exception] | None:
        if name == "-" or " " in bridge:
            return InvalidParameter
        if name == "host":
            return Forbidden
        if name in self.networks:
            return Conflict
        if bridge and any(each.bridge == bridge for each in self.networks.values()):
            return Forbidden
        used = [each.network for one in self.networks.values() for each in one.subnets]
        for text in subnets:
            net = ip_network(text)
            if net.version == 6 and not ipv6:
                continue
            if any(each.version == net.version and each.overlaps(net) for each in used):
                return Forbidden
            used.append(net)
        return None

    def disjoint(self) -> None:
        ranges = [each.network for one in self.networks.values() for each in one.subnets]
        for at, one in enumerate(ranges):
            for other in ranges[at + 1 :]:
                assert one.version != other.version or not one.overlaps(other)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name not in self.networks:
            with pytest.raises(NotFound):
                self.store.get(name)
            return
        busy = name == "bridge" or any(each == name for each, _ in self.endpoints)
        with self.refused(Forbidden if busy else None):
            self.store.remove(self.networks[name])
            del self.networks[name]

    # -- who is in them

    @precondition(lambda self: self.networks)
    @rule(data=st.data(), container=containers)
    def join(self, data: st.DataObject, container: str) -> None:
        network = self.networks[data.draw(st.sampled_from(sorted(self.networks)))]
        taken = sorted(str(each) for each in self.taken(network))
        address = data.draw(st.sampled_from(["", "", "10.7.0.2", "10.7.2.9", "fd00:7::2", *taken]))
        ipv4, ipv6 = ("", address) if ":" in address else (address, "")
        joining = Joining(container, ipv4, ipv6, names=("n", container[:12]))
        with self.refused(self.why_no_place(network, joining)):
            before = self.places.proposed(network, joining)
            made = self.places.join(network, joining)
            assert replace(before, id=made.id, mac=made.mac) == made
            expected = {version: self.choice(network, version, joining) for version in (4, 6)}
            given = {4: made.ipv4, 6: made.ipv6}
            assert {key: each and each.ip for key, each in given.items()} == expected
            own = [each.interface for (_, of), each in self.endpoints.items() if of == container]
            assert made.interface == f"eth{lowest(own)}"
            self.endpoints[network.name, container] = made

    def taken(self, network: Network) -> set[Address]:
        found = {each for one in network.subnets for each in one.never_given()}
        for (name, _), endpoint in self.endpoints.items():
            if name == network.name:
                found |= {each.ip for each in endpoint.addresses}
        return found

    def choice(self, network: Network, version: int, joining: Joining) -> Address | None:
        """What is asked for, or the lowest one that is free."""
        text = joining.ipv4 if version == 4 else joining.ipv6
        if text:
            return ip_address(text)
        taken = self.taken(network)
        for subnet in network.subnets:
            if subnet.network.version == version:
                pool = subnet.ip_range or subnet.network
                first = int(pool.network_address)
                for number in range(first, first + min(pool.num_addresses, 64)):
                    address = type(pool.network_address)(number)
                    if address not in taken:
                        return address
        return None

    def why_no_place(self, network: Network, joining: Joining) -> type[Exception] | None:
        if (network.name, joining.container_id) in self.endpoints:
            return Forbidden
        for version, text in ((4, joining.ipv4), (6, joining.ipv6)):
            if text:
                address = ip_address(text)
                if not any(address in each.network for each in network.subnets):
                    return InvalidParameter
                if address in self.taken(network):
                    return Forbidden
            elif self.choice(network, version, joining) is None and any(
                each.network.version == version for each in network.subnets
            ):
                return SystemFailure
        return None

    @precondition(lambda self: self.endpoints)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.endpoints)))
        self.places.leave(self.endpoints.pop(key))

    @precondition(lambda self: self.endpoints)
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.endpoints)))
        self.places.rename(self.endpoints[key], ("other", "names"))
        self.endpoints[key] = replace(self.endpoints[key], names=("other", "names"))

    # -- published ports

    @rule(
        container=containers,
        protocol=st.sampled_from(["tcp", "udp"]),
        host=st.sampled_from(["0.0.0.0", "::"]),
        number=st.integers(1, 3),
    )
    def publish(self, container: str, protocol: str, host: str, number: int) -> None:
        port = HostPort(container, protocol, 80, host, number)
        key = (protocol, host, number)
        with self.refused(SystemFailure if key in self.ports else None):
            self.places.publish(port)
            self.ports[key] = port

    @rule(container=containers)
    def unpublish(self, container: str) -> None:
        self.places.unpublish(container)
        kept = {key: each for key, each in self.ports.items() if each.container_id != container}
        self.ports = kept

    # -- the daemon

    @rule()
    def killed_and_started_again(self) -> None:
        """Nothing is closed, as after SIGKILL."""
        self.killed.append(self.db)
        self.open()

    @contextmanager
    def refused(self, error: type[Exception] | None) -> Iterator[None]:
        """The block raises just this; then nothing has changed, which the invariants check."""
        if error is None:
            yield
            return
        with pytest.raises(error):
            yield

    # -- what always holds

    @invariant()
    def the_records_are_the_model(self) -> None:
        assert self.store.all() == sorted(
            self.networks.values(), key=lambda each: (each.created_ns, each.name)
        )
        for network in self.networks.values():
            for ref in (network.name, network.id, network.id[:20]):
                assert self.store.get(ref) == network
        assert self.places.all() == list(self.endpoints.values())  # in the order they came
        for (name, container), endpoint in self.endpoints.items():
            assert endpoint in self.places.all(network_id=self.networks[name].id)
            assert endpoint in self.places.all(container_id=container)
            assert (endpoint.network_id, endpoint.container_id) == (
                self.networks[name].id,
                container,
            )
        assert set(self.places.published()) == set(self.ports.values())

    @invariant()
    def an_address_is_one_container_s_and_of_its_network(self) -> None:
        given = [
            (endpoint.network_id, each.ip)
            for endpoint in self.places.all()
            for each in endpoint.addresses
        ]
        assert len(given) == len(set(given))
        by_network = {each.id: each for each in self.networks.values()}
        for id, address in given:
            (subnet,) = (each for each in by_network[id].subnets if address in each.network)
            assert address not in subnet.never_given()


def lowest(names: list[str]) -> int:
    return next(number for number in range(99) if f"eth{number}" not in names)


Networks.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestNetworks = Networks.TestCase
