"""What the kernel is to forget of conversations, and what it is to keep."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from minidocker.linux.conntrack import ConntrackSocket
from tests.support.need import need_program
from tests.support.places import Place
from tests.support.traffic import Traffic, open_socket

# Whoever sends to .9 comes to .1.
RULES = """
table inet led {
	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr 10.7.0.9 dnat ip to 10.7.0.1
		ip6 daddr fd00:7::9 dnat ip6 to fd00:7::1
	}
}
"""


@pytest.fixture
def place() -> Iterator[Place]:
    """It has the addresses .1 to .3 itself, of both families."""
    need_program("nft")
    with Place() as place:
        for host in range(1, 4):
            place.run("ip", "addr", "add", f"10.7.0.{host}/24", "dev", "lo")
            place.run("ip", "addr", "add", f"fd00:7::{host}/64", "dev", "lo", "nodad")
        place.run("nft", "-f", "-", given=RULES)
        yield place


@pytest.mark.kernel
@pytest.mark.parametrize("net", ["10.7.0.", "fd00:7::"])
def test_what_an_address_began_and_what_leads_to_it_is_forgotten(place: Place, net: str) -> None:
    def talk() -> None:
        """Conversations from .2 to .1, from .3 to .9 (that is .1), and from .3 to .2."""
        for source, target, server in ((2, 1, 1), (3, 9, 1), (3, 2, 2)):
            with open_socket(place, "udp", net) as client:
                client.bind((f"{net}{source}", 0))
                client.connect((f"{net}{target}", 80))
                assert traffic.ask(client) == f"{net}{server}"

    def forget(host: int) -> int:
        return flows.forget(ip_address(f"{net}{host}"))

    with Traffic() as traffic, place.do(ConntrackSocket) as flows:
        for host in (1, 2):
            traffic.serve(f"{net}{host}", place, "udp", f"{net}{host}", 80)
        for orders in ({1: 2, 2: 1, 3: 0}, {2: 2, 3: 1, 1: 0}, {3: 2, 1: 1, 2: 0}):
            talk()
            assert forget(9) == 0  # nobody answers from there
            assert {host: forget(host) for host in orders} == orders
