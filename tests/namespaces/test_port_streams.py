"""What TCP promises holds through the proxy: order, ends, resets, backpressure."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import select
import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.namespaces.port_streams import SPARE
from tests.namespaces.proxying import Proxied, listening, proxied, read_all, reset, until
from tests.support.need import missing

CHUNKS = st.lists(
    st.binary(min_size=1, max_size=20)
    | st.integers(1, 300_000).map(lambda size: os.urandom(1) * size),
    max_size=8,
)


class Bench:
    """One proxy: ``connect`` makes a pair, the client's socket and the container's."""

    def __init__(self, port: int, target: socket.socket, proxy: Proxied) -> None:
        self.port, self.target, self.proxy = port, target, proxy

    def connect(self) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(("127.0.0.1", self.port), 30)
        accepted, _ = self.target.accept()
        accepted.settimeout(30)
        return client, accepted

    @contextlib.contextmanager
    def pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        client, accepted = self.connect()
        with client, accepted:
            yield client, accepted


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    target, listener = listening(), listening()
    port = listener.getsockname()[1]
    with proxied(tmp_path_factory.mktemp("p"), (listener, target.getsockname())) as proxy, target:
        yield Bench(port, target, proxy)


@pytest.fixture
def no_leak(bench: Bench) -> Iterator[None]:
    """What a connection has opened in the proxy is closed after it, but for spare pipes."""
    yield
    until(lambda: bench.proxy.descriptors("socket:") == 2)  # the port, and its own
    assert bench.proxy.descriptors("pipe:") <= 2 * SPARE


class Talk(threading.Thread):
    """One end of a conversation: says its chunks, ends, and hears all that the other says."""

    def __init__(self, sock: socket.socket, chunks: list[bytes], last: bool) -> None:
        super().__init__()
        self.sock, self.chunks, self.last = sock, chunks, last
        self.heard = b""

    def run(self) -> None:
        reader = threading.Thread(target=self.listen)
        reader.start()
        if self.last:  # it speaks when the other has ended: only a half of it is closed
            reader.join()
        for chunk in self.chunks:
            self.sock.sendall(chunk)
        self.sock.shutdown(socket.SHUT_WR)
        reader.join()

    def listen(self) -> None:
        self.heard = read_all(self.sock)


@settings(max_examples=40, deadline=None)
@given(CHUNKS, CHUNKS, st.sampled_from(["client", "container", "neither"]))
def test_bytes_arrive_in_order_and_each_half_ends_by_itself(
    bench: Bench, there: list[bytes], back: list[bytes], last: str
) -> None:
    with bench.pair() as (client, accepted):
        talks = [
            Talk(client, there, last == "client"),
            Talk(accepted, back, last == "container"),
        ]
        for talk in talks:
            talk.start()
        for talk in talks:
            talk.join()
        assert talks[1].heard == b"".join(there)
        assert talks[0].heard == b"".join(back)


@pytest.mark.usefixtures("no_leak")
def test_a_sender_waits_for_a_slow_receiver_and_nothing_is_lost(bench: Bench) -> None:
    client, accepted = bench.connect()
    client.setblocking(False)
    sent, digest = 0, hashlib.sha256()
    while select.select([], [client], [], 0.5)[1]:
        piece = os.urandom(1 << 16)
        count = client.send(piece)
        digest.update(piece[:count])
        sent += count
    assert 1 << 16 < sent < 64 << 20  # the kernel's buffers, and one pipe
    client.shutdown(socket.SHUT_WR)
    heard = read_all(accepted)
    assert len(heard) == sent
    assert hashlib.sha256(heard).digest() == digest.digest()
    accepted.sendall(b"thanks")
    client.setblocking(True)
    assert client.recv(10) == b"thanks"
    client.close()
    accepted.close()


@pytest.mark.usefixtures("no_leak")
def test_a_refused_connection_is_reset(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody, listener = listening(), listening()
    address, port = nobody.getsockname(), listener.getsockname()[1]
    nobody.close()
    with (
        proxied(tmp_path_factory.mktemp("p"), (listener, address)),
        socket.create_connection(("127.0.0.1", port), 30) as client,
        pytest.raises(ConnectionResetError),
    ):
        client.recv(1)


@pytest.mark.usefixtures("no_leak")
@pytest.mark.parametrize("who", ["client", "container"])
@pytest.mark.parametrize("after", ["nothing", "a word", "its end", "the other's end", "too much"])
def test_who_vanishes_takes_the_other_along(bench: Bench, who: str, after: str) -> None:
    one, other = bench.connect() if who == "client" else bench.connect()[::-1]
    if after == "a word":
        one.sendall(b"x")
        assert other.recv(1) == b"x"
    elif after == "its end":
        one.shutdown(socket.SHUT_WR)
        assert other.recv(1) == b""
    elif after == "the other's end":
        other.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
    elif after == "too much":  # which nobody reads
        other.setblocking(False)
        while select.select([], [other], [], 0.2)[1]:
            other.send(bytes(1 << 16))
        other.settimeout(30)
    reset(one)
    gone = select.poll()
    gone.register(other, 0)  # only what nobody needs to ask for: POLLERR, POLLHUP
    assert gone.poll(30_000)
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        other.sendall(b"x")
    other.close()


@pytest.mark.usefixtures("no_leak")
def test_a_reset_is_no_end(bench: Bench) -> None:
    """What was cut off must not look whole."""
    client, accepted = bench.connect()
    accepted.sendall(b"half")
    assert client.recv(4) == b"half"
    reset(accepted)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()


@pytest.mark.usefixtures("no_leak")
def test_an_answer_arrives_although_the_question_was_not_read(bench: Bench) -> None:
    """A server says no to a large upload, and closes."""
    client, accepted = bench.connect()
    client.setblocking(False)
    while select.select([], [client], [], 0.2)[1]:
        client.send(bytes(1 << 16))
    accepted.sendall(b"413 too much")
    accepted.close()  # unread bytes: its kernel resets the connection
    client.settimeout(30)
    assert client.recv(100) == b"413 too much"
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""
    client.close()


@pytest.mark.usefixtures("no_leak")
@pytest.mark.parametrize("alone", [False, True], ids=["between others", "alone"])
def test_an_urgent_byte_is_passed_on_like_others(bench: Bench, alone: bool) -> None:
    """Also when all is there, with the end behind it, before the proxy looks."""
    bench.proxy.process.send_signal(signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", bench.port), 30) as client:
        if not alone:
            client.sendall(b"before")
        client.send(b"!", socket.MSG_OOB)
        if not alone:
            client.sendall(b"after")
            client.shutdown(socket.SHUT_WR)
        bench.proxy.process.send_signal(signal.SIGCONT)
        accepted, _ = bench.target.accept()
        with accepted:
            if alone:
                assert accepted.recv(10) == b"!"
                client.shutdown(socket.SHUT_WR)
            assert read_all(accepted) == (b"" if alone else b"before!after")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """The usual limit is 1024 (getrlimit(2)), and this process has both ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        missing("this test needs 3000 open files: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors", "no_leak")
def test_a_thousand_connections_at_once(bench: Bench) -> None:
    pairs = [bench.connect() for _ in range(1000)]
    for number, (client, _) in enumerate(pairs):
        client.sendall(str(number).encode())
    by_word = {accepted.recv(10): accepted for _, accepted in pairs}
    assert bench.proxy.descriptors("pipe:") <= 2 * SPARE  # a connection at rest has none
    for number, (client, _) in enumerate(pairs):
        by_word[str(number).encode()].sendall(str(-number).encode())
        assert client.recv(10) == str(-number).encode()
    for client, accepted in pairs:
        client.close()
        accepted.close()


@pytest.mark.usefixtures("no_leak")
def test_a_slow_one_does_not_hold_up_the_others(bench: Bench) -> None:
    slow, stuck = bench.connect()
    slow.setblocking(False)
    while select.select([], [slow], [], 0.2)[1]:
        slow.send(bytes(1 << 16))
    with bench.pair() as (client, accepted):
        client.sendall(b"quick")
        assert accepted.recv(5) == b"quick"
    slow.close()
    stuck.close()


def test_an_address_of_ipv6_leads_to_one_of_ipv4(tmp_path_factory: pytest.TempPathFactory) -> None:
    target = listening()
    try:
        listener = listening(("::1", 0))
    except OSError:
        pytest.skip("this test needs IPv6 on loopback")
    port = listener.getsockname()[1]
    with (
        proxied(tmp_path_factory.mktemp("p"), (listener, target.getsockname())),
        target,
        socket.create_connection(("::1", port), 30) as client,
    ):
        client.sendall(b"x")
        accepted, _ = target.accept()
        with accepted:
            assert accepted.recv(1) == b"x"
