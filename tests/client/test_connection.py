"""One connection, many requests; what breaks on the way is one sentence."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from minidocker.client.connection import ApiError, Connection
from minidocker.errors import Unavailable
from minidocker.wire.http import UnixAddress
from tests.client.fake import Exchange, FakeDaemon


def answers(exchange: Exchange) -> None:
    path = exchange.asked.path
    if path == "/json":
        exchange.json({"port": id(exchange.connection), "query": exchange.asked.query})
    elif path == "/stream":
        exchange.chunks(b'{"a":1}{"b"', b":2}", b'\r\n{"c":"}"}')
    elif path == "/none":
        exchange.empty()
    elif path == "/hijack":
        exchange.hijack()
        exchange.wfile.write(b"hello")
    else:
        exchange.refuse(409, "it is so already")


def test_requests_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", answers) as daemon:
        connection = Connection(UnixAddress(str(daemon.socket_path)))
        first = connection.ask("GET", "/json", a=1, b=None, c=True).json()
        assert first["query"] == {"a": "1", "c": "1"}
        connection.ask("POST", "/none", {"x": 1}).read()
        assert list(connection.ask("GET", "/stream").messages()) == [{"a": 1}, {"b": 2}, {"c": "}"}]
        with pytest.raises(ApiError, match="Error response from daemon: it is so already") as why:
            connection.ask("GET", "/conflict")
        assert why.value.status == 409
        connection.ask("GET", "/json")  # an answer that nobody reads is no obstacle
        assert connection.ask("GET", "/json").json()["port"] == first["port"]
        connection.close()


def test_bytes_that_come_with_the_head_of_a_hijack_are_kept(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", answers) as daemon:
        raw = Connection(UnixAddress(str(daemon.socket_path))).hijack("/hijack")
        heard = raw.early
        while data := raw.sock.recv(100):
            heard += data
        raw.sock.close()
    assert heard == b"hello"
    assert raw.content_type == "application/vnd.docker.multiplexed-stream"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"this is no HTTP\r\n\r\n",
    ],
)
def test_a_daemon_that_breaks_off_is_named(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            client.recv(1000)
            client.sendall(answer)
            client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Connection(UnixAddress(str(tmp_path / "s"))) as connection,
            pytest.raises(Unavailable, match=str(tmp_path)),
        ):
            connection.ask("GET", "/").read()
        thread.join()


def test_no_daemon_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"Is the daemon running\?"):
        Connection(UnixAddress(str(tmp_path / "s"))).ask("GET", "/")


def test_a_daemon_that_came_up_meanwhile_is_found(tmp_path: Path) -> None:
    with Connection(UnixAddress(str(tmp_path / "s"))) as connection:
        with pytest.raises(FileNotFoundError):
            connection.open()
        with FakeDaemon(tmp_path / "s", answers):
            assert connection.ask("GET", "/json").status == 200
