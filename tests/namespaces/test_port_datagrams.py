"""UDP through the proxy: replies find who asked; the silent are forgotten."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.namespaces import port_datagrams
from minidocker.namespaces.poller import Poller
from minidocker.namespaces.port_datagrams import Datagrams
from tests.namespaces.proxying import datagrams, proxied, until


class Here:
    """The published port in this process: what has come by now is passed on by ``go``."""

    def __init__(self, most: int) -> None:
        self.target, self.listener = datagrams(), datagrams()
        self.poller = Poller()
        self.datagrams = Datagrams(self.poller, most)
        self.datagrams.publish(self.listener, self.target.getsockname())
        self.address = self.listener.getsockname()

    def go(self) -> None:
        """On loopback a datagram is there as soon as it was sent."""
        self.poller.wait(0)

    def ask(self, client: socket.socket, word: bytes) -> tuple[str, int]:
        """Who seems to ask, as the container sees it."""
        client.sendto(word, self.address)
        self.go()
        data, who = self.target.recvfrom(65535)
        assert data == word
        return who

    @property
    def clients(self) -> int:
        return len(self.datagrams._flows)

    def close(self) -> None:
        with contextlib.suppress(AttributeError):
            for flow in list(self.datagrams._flows.values()):
                self.datagrams._forget(flow)
        for sock in (self.target, self.listener):
            sock.close()


@contextlib.contextmanager
def here(most: int = 100, clients: int = 0) -> Iterator[tuple[Here, list[socket.socket]]]:
    bench = Here(most)
    asking = [datagrams() for _ in range(clients)]
    try:
        yield bench, asking
    finally:
        bench.close()
        for each in asking:
            each.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=50)), max_size=30))
def test_each_reply_goes_to_who_asked(questions: list[tuple[int, bytes]]) -> None:
    with here(clients=5) as (bench, clients):
        seen: dict[int, set[tuple[str, int]]] = {}
        for number, word in questions:
            who = bench.ask(clients[number], word)
            seen.setdefault(number, set()).add(who)
            bench.target.sendto(b"re: " + word, who)
            bench.go()
            data, sender = clients[number].recvfrom(100)
            assert (data, sender) == (b"re: " + word, bench.address)
        assert all(len(each) == 1 for each in seen.values())  # the same port as long as it asks
        assert len({who for each in seen.values() for who in each}) == len(seen) == bench.clients


def test_a_client_may_be_answered_late_and_often_and_unasked_once_known() -> None:
    with here(clients=1) as (bench, [client]):
        who = bench.ask(client, b"subscribe")
        for number in range(100):
            bench.target.sendto(str(number).encode(), who)
        for _ in range(4):
            bench.go()
        assert [client.recv(10) for _ in range(100)] == [str(n).encode() for n in range(100)]


@pytest.mark.parametrize("size", [0, 1, 1500, 65507])
def test_a_datagram_stays_one(size: int) -> None:
    with here(clients=1) as (bench, [client]):
        who = bench.ask(client, os.urandom(size))
        bench.target.sendto(bytes(size), who)
        bench.go()
        assert client.recv(65535) == bytes(size)


def test_the_one_that_is_silent_longest_makes_room() -> None:
    with here(most=3, clients=5) as (bench, clients):
        ports = [bench.ask(client, b"x") for client in clients[:3]]
        assert bench.ask(clients[0], b"x") == ports[0]
        bench.target.sendto(b"x", ports[1])
        bench.go()  # a reply is a sign of life too
        ports.append(bench.ask(clients[3], b"x"))  # takes the place of 2
        assert bench.clients == 3
        assert [bench.ask(clients[n], b"x") for n in (0, 1, 3)] == [ports[n] for n in (0, 1, 3)]
        assert bench.ask(clients[4], b"x") not in ports
        assert bench.clients == 3


def test_the_silent_are_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(port_datagrams.time, "monotonic", lambda: now)
    with here(clients=2) as (bench, clients):
        assert bench.datagrams.expire() is None
        bench.ask(clients[0], b"x")
        now += 50
        bench.ask(clients[1], b"x")
        assert bench.datagrams.expire() == port_datagrams.SILENCE - 50 == 40
        now += 40
        assert bench.datagrams.expire() == 50
        assert bench.clients == 1
        now += 50
        assert bench.datagrams.expire() is None
        assert bench.clients == 0


def test_a_service_that_starts_later_is_reached() -> None:
    """What was refused before is forgotten."""
    with here(clients=1) as (bench, [client]):
        address = bench.target.getsockname()
        bench.target.close()
        for _ in range(3):
            client.sendto(b"early", bench.address)
            bench.go()
            bench.go()
        bench.target = datagrams(address)
        client.sendto(b"lost, since it is told of the last refusal", bench.address)
        bench.go()
        bench.go()
        client.sendto(b"late", bench.address)
        bench.go()
        words = [bench.target.recv(100)]
        if words != [b"late"]:
            words.append(bench.target.recv(100))
        assert words[-1] == b"late"


@pytest.mark.parametrize(
    ("everywhere", "asked"), [("0.0.0.0", "127.0.0.7"), ("::", "::1"), ("::", "::ffff:127.0.0.7")]
)
def test_the_reply_comes_from_the_address_that_was_asked(
    everywhere: str, asked: str, tmp_path: Path
) -> None:
    try:
        listener = datagrams((everywhere, 0))
        client = datagrams((everywhere, 0))
        client.connect((asked, listener.getsockname()[1]))  # so it hears nobody else
    except OSError:
        pytest.skip("this test needs IPv6 on loopback")
    target = datagrams()
    with proxied(tmp_path, (listener, target.getsockname())) as proxy, client, target:
        for word in (b"early", b"late"):  # the first one before the proxy has begun
            client.send(word)
            data, who = target.recvfrom(100)
            target.sendto(b"re: " + data, who)
            assert client.recv(100) == b"re: " + word
        until(lambda: proxy.descriptors("socket:") == 3)  # the port, its own, one client
