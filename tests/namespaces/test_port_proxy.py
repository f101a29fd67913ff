"""How long a proxy lives, who may end it, and how much it takes upon itself."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest

from minidocker.linux.messages import connect_unix, listen_unix
from minidocker.namespaces.port_proxy import SHARE, Proxy
from tests.namespaces.proxying import listening, proxied, read_all


def test_it_ends_with_the_container_whose_last_words_arrive(tmp_path: Path) -> None:
    target, listener = listening(), listening()
    port = listener.getsockname()[1]
    with (
        proxied(tmp_path, (listener, target.getsockname())) as proxy,
        target,
        socket.create_connection(("127.0.0.1", port), 30) as client,
    ):
        accepted, _ = target.accept()
        with accepted:
            accepted.sendall(b"hello")
            assert client.recv(5) == b"hello"
            proxy.process.send_signal(signal.SIGSTOP)  # it learns of all that follows at once
            accepted.sendall(b"bye" * 10_000)
        proxy.end_container()
        proxy.container.wait(30)
        proxy.process.send_signal(signal.SIGCONT)
        assert read_all(client) == b"bye" * 10_000
        assert proxy.process.wait(30) == 0
        listening(("127.0.0.1", port)).close()


def test_the_word_stop_ends_it_and_the_port_is_free(tmp_path: Path) -> None:
    target, listener = listening(), listening()
    port = listener.getsockname()[1]
    with proxied(tmp_path, (listener, target.getsockname())) as proxy, target:
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            target.accept()[0].close()
            assert client.recv(1) == b""
        proxy.stop()
        listening(("127.0.0.1", port)).close()
        assert proxy.process.wait(30) == 0


@pytest.mark.parametrize(
    "words", [b"", b"stop", b"nonsense\n", b"[]\n", b'{"op":"hello"}\n', b"7\n"]
)
def test_other_words_do_not_end_it(tmp_path: Path, words: bytes) -> None:
    target, listener = listening(), listening()
    port = listener.getsockname()[1]
    with proxied(tmp_path, (listener, target.getsockname())) as proxy, target:
        caller = connect_unix(str(proxy.place))
        caller.sendall(words)
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(1) == b""  # it has listened, and closed
        caller.close()
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            accepted, _ = target.accept()
            with accepted:
                client.sendall(b"x")
                assert accepted.recv(1) == b"x"


def test_who_finds_no_room_waits_until_there_is_some(tmp_path: Path) -> None:
    target, listener = listening(), listening()
    port = listener.getsockname()[1]
    control = listen_unix(str(tmp_path / "proxy.sock"))
    forever, end = socket.socketpair()
    proxy = Proxy(forever.fileno(), control, descriptors=2 * SHARE)
    proxy.publish(listener, target.getsockname())
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        clients = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(3)]
        for number, client in enumerate(clients):
            client.sendall(bytes([number]))
        served = [target.accept()[0] for _ in range(2)]
        assert sorted(each.recv(1) for each in served) == [b"\0", b"\1"]
        target.settimeout(0.2)
        with pytest.raises(TimeoutError):
            target.accept()
        clients[0].close()
        for each in served:
            each.close()
        target.settimeout(30)
        third, _ = target.accept()
        assert third.recv(1) == b"\2"
        for each in (*clients, third):
            each.close()
    finally:
        end.close()  # readable: as a pidfd when the process has ended
        thread.join(30)
        for each in (target, listener, control, forever):
            each.close()
