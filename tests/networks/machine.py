"""A machine with networks of every kind, two containers in each, and somebody outside.

    outside 203.0.113.2 ---- 203.0.113.1 host ---- br-plain 10.1.0.1 ---- plain.2, plain.3
            2001:db8::2      2001:db8::1      ---- br-other 10.2.0.1 ---- ...

Everybody knows a way to everybody: the outside sends what is for the containers to the host,
and the containers what is for anybody else to their gateway, neighbours included where a
network keeps them apart.  So whatever does not get through was stopped on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from pathlib import Path

from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import perform
from minidocker.namespaces.interfaces import interface_steps
from minidocker.networks.bridges import bridge_steps
from minidocker.networks.firewall import Firewall
from minidocker.networks.network import BRIDGE_NAME, ICC, MASQUERADE, Network
from minidocker.networks.rules import Published
from minidocker.networks.subnets import mac_address, read_subnet
from tests.support.places import Place
from tests.support.traffic import Traffic

HOST = {4: "203.0.113.1", 6: "2001:db8::1"}
OUTSIDE = {4: "203.0.113.2", 6: "2001:db8::2"}
PORT = 80
"""At which everybody serves."""
PUBLISHED = 8080
"""At which the host listens: what comes here was led nowhere else, and is the proxy's."""
EVERY = {4: "0.0.0.0", 6: "::"}
NAMES = ("plain", "other", "internal", "quiet", "bare")
_CALLS = ("iptables", "ip6tables")


def network(number: int, name: str) -> Network:
    """10.number.0.0/24 and fd00:number::/64, and the options that its name stands for."""
    options = {BRIDGE_NAME: f"br-{name}"}
    if name == "quiet":
        options[ICC] = "false"
    if name == "bare":
        options[MASQUERADE] = "0"
    subnets = (read_subnet(f"10.{number}.0.0/24"), read_subnet(f"fd00:{number}::/64"))
    id = f"{number:064x}"
    return Network(id, name, 0, subnets, internal=name == "internal", ipv6=True, options=options)


def address(number: int, host: int, version: int) -> str:
    return f"10.{number}.0.{host}" if version == 4 else f"fd00:{number}::{host}"


class Machine(ExitStack):
    """``places``: name -> namespace, "host", "outside", "plain.2".  ``addresses``: name ->
    version -> the address at which it is found.  ``traffic``: everybody serves TCP and UDP."""

    def __init__(self) -> None:
        super().__init__()
        self.networks = [network(number, name) for number, name in enumerate(NAMES, 1)]
        self.host = self.enter_context(Place())
        self.places = {"host": self.host, "outside": self.enter_context(Place())}
        self.addresses = {"host": HOST, "outside": OUTSIDE}
        self.firewall = Firewall("minidocker")
        self._join_outside()
        for number, each in enumerate(self.networks, 1):
            self.host.do(lambda each=each: perform(bridge_steps(each)))
            for place in (2, 3):
                self._plug(each, number, place)
        self.traffic = self.enter_context(Traffic())
        for name, place in self.places.items():
            for version, address in self.addresses[name].items():
                for kind in ("tcp", "udp"):
                    self.traffic.serve(f"{name} {version} {kind}", place, kind, address, PORT)
        for version, every in EVERY.items():
            self.traffic.serve(f"proxy {version} tcp", self.host, "tcp", every, PUBLISHED)

    def _join_outside(self) -> None:
        outside = self.places["outside"]
        with self.host.do(RouteSocket) as here, outside.do(RouteSocket) as there:
            here.add_bridge("wan0", "02:00:00:00:00:01", 1500)
            here.add_veth("wan1", "wan0", "eth0", outside.fd, "02:00:00:00:00:02", 1500)
            there.set_up("eth0")
            for version, length in ((4, 24), (6, 64)):
                here.add_address("wan0", ip_interface(f"{HOST[version]}/{length}"))
                there.add_address("eth0", ip_interface(f"{OUTSIDE[version]}/{length}"))
                there.set_default_route("eth0", ip_address(HOST[version]))

    def _plug(self, network: Network, number: int, host: int) -> None:
        name, place = f"{network.name}.{host}", self.enter_context(Place())
        found = {version: address(number, host, version) for version in (4, 6)}
        interface = {
            "name": "eth0",
            "host": f"veth{number}{host}",
            "bridge": network.bridge,
            "mac": mac_address(ip_address(found[4]), b""),  # type: ignore[arg-type]
            "mtu": 1500,
            "isolated": not network.icc,
            "addresses": [f"{found[4]}/24", f"{found[6]}/64"],
        }
        gateways = [("eth0", address(number, 1, version)) for version in (4, 6)]
        with self.host.do(RouteSocket) as route:
            place.perform(interface_steps([interface], gateways, route.fileno()))
        if not network.icc:
            for version, length in ((4, 32), (6, 128)):
                neighbour = f"{address(number, 5 - host, version)}/{length}"
                gateway = address(number, 1, version)
                place.run("ip", f"-{version}", "route", "add", neighbour, "via", gateway)
        self.places[name], self.addresses[name] = place, found

    def apply(self, networks: Sequence[Network], published: Sequence[Published] = ()) -> None:
        """As the engine does when anything has changed."""
        self.host.perform(self.firewall.steps(networks, published))

    def bridges_ask_the_firewall(self, ask: bool) -> None:
        """br_netfilter, where the kernel has it: it is per namespace, and on at first."""
        for call in _CALLS:
            path = f"/proc/sys/net/bridge/bridge-nf-call-{call}"
            if Path(path).exists():
                self.host.write(path, str(int(ask)))


def with_flags(network: Network, internal: bool, masquerade: bool) -> Network:
    options = {**network.options, MASQUERADE: str(masquerade).lower()}
    return replace(network, internal=internal, options=options)
