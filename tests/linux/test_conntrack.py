"""What the kernel is to forget of conversations, and what it is to keep."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from minidocker.linux.conntrack import ConntrackSocket
from tests.support.need import need_program
from tests.support.places import Place
from tests.support.traffic import Attempt, Traffic

ADDRESSES = ("10.7.0.1", "10.7.0.2", "10.7.0.3", "fd00:7::1", "fd00:7::2", "fd00:7::3")
TRACKED = """
table inet tracked {
	chain output {
		type filter hook output priority filter; policy accept;
		ct state new counter
	}
}
"""


@pytest.fixture
def place() -> Iterator[Place]:
    """One that has every address itself, and follows who talks to whom."""
    need_program("nft")
    with Place() as place:
        for address in ADDRESSES:
            length = 128 if ":" in address else 32
            place.run("ip", "addr", "add", f"{address}/{length}", "dev", "lo", *nodad(address))
        place.run("nft", "-f", "-", given=TRACKED)
        yield place


def nodad(address: str) -> list[str]:
    return ["nodad"] if ":" in address else []


@pytest.mark.kernel
def test_what_leads_to_an_address_or_comes_from_it_is_forgotten(place: Place) -> None:
    with Traffic() as traffic, place.do(ConntrackSocket) as flows:
        attempts = {}
        for address in ADDRESSES:
            for kind in ("tcp", "udp"):
                traffic.serve(f"{kind} {address}", place, kind, address, 80)
                name = f"{kind} to {address}"
                attempts[name] = Attempt(place, kind, address, 80)
        assert len(traffic.send(attempts)) == len(attempts)
        # Whoever talks to itself is at both ends: one conversation, found once.
        for address in ADDRESSES:
            assert flows.forget(ip_address(address)) == 2
            assert flows.forget(ip_address(address)) == 0
        assert len(traffic.send(attempts)) == len(attempts)
        assert flows.forget(ip_address("10.7.0.9")) == 0
        assert flows.forget(ip_address("10.7.0.2")) == 2
