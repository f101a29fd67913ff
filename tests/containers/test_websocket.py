"""Attaching by a web socket: both directions, the logs before, and what is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from minidocker.wire.websocket import BINARY, CLOSE, PING, TEXT, encode
from tests.support.engine import Engine
from tests.wire.test_websocket import masked

pytestmark = pytest.mark.kernel

NAME = "socketed"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Peer:
    """A client of RFC 6455, as far as these tests need one."""

    def __init__(self, engine: Engine, query: str, key: str = KEY) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(engine.socket))
        self.file = self.sock.makefile("rb")
        head = (
            f"GET /containers/{NAME}/attach/ws?{query} HTTP/1.1\r\nHost: d\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n"
        )
        self.sock.sendall(head.encode())
        self.first = self.file.readline()
        self.headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name] = value

    def frame(self) -> tuple[int, bytes]:
        opcode, size = self.file.read(2)
        if size == 126:
            size = int.from_bytes(self.file.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self.file.read(8), "big")
        return opcode & 0xF, self.file.read(size)

    def until_closed(self) -> bytes:
        """All output, to the closing frame."""
        data = b""
        while (frame := self.frame())[0] != CLOSE:
            assert frame[0] == BINARY
            data += frame[1]
        return data

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@pytest.fixture
def ours(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.docker("rm", "-f", NAME).ok()


def test_both_directions(ours: Engine) -> None:
    ours.docker("run", "-di", "--name", NAME, "--net", "none", "busybox", "cat").ok()
    peer = Peer(ours, "stream=1&stdin=1&stdout=1&stderr=1")
    try:
        assert peer.first == b"HTTP/1.1 101 Switching Protocols\r\n"
        assert peer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        peer.sock.sendall(masked(TEXT, b"hello\n"))
        assert peer.frame() == (BINARY, b"hello\n")
        peer.sock.sendall(masked(PING, b"are you there"))
        assert peer.frame() == (0xA, b"are you there")
        large = bytes(range(256)) * 1024
        peer.sock.sendall(masked(BINARY, large))
        data = b""
        while len(data) < len(large):
            data += peer.frame()[1]
        assert data == large
        peer.sock.sendall(masked(CLOSE, b""))
        assert peer.frame()[0] == CLOSE
    finally:
        peer.close()


def test_the_end_of_the_container_closes_it(ours: Engine) -> None:
    script = "echo early; read x; echo late; echo wrong >&2"
    ours.docker("run", "-di", "--name", NAME, "--net", "none", "busybox", "sh", "-c", script).ok()
    while "early" not in ours.docker("logs", NAME).ok():
        pass
    peer = Peer(ours, "logs=1&stream=1&stdin=1&stdout=1&stderr=1")
    try:
        assert peer.frame() == (BINARY, b"early\n")
        peer.sock.sendall(masked(TEXT, b"go\n"))
        assert sorted(peer.until_closed().split()) == [b"late", b"wrong"]
    finally:
        peer.close()


def test_the_logs_alone(ours: Engine) -> None:
    ours.docker("run", "--name", NAME, "--net", "none", "busybox", "echo", "said").ok()
    peer = Peer(ours, "logs=1&stdout=1")
    try:
        assert peer.until_closed() == b"said\n"
    finally:
        peer.close()


def test_what_breaks_the_protocol_is_closed(ours: Engine) -> None:
    ours.docker("run", "-di", "--name", NAME, "--net", "none", "busybox", "cat").ok()
    peer = Peer(ours, "stream=1&stdin=1&stdout=1")
    try:
        peer.sock.sendall(encode(TEXT, b"not masked"))
        assert peer.frame() == (CLOSE, (1002).to_bytes(2, "big"))
    finally:
        peer.close()
    assert ours.docker("inspect", "-f", "{{.State.Running}}", NAME).ok() == "true"


def test_a_bad_handshake_is_a_bad_request(ours: Engine) -> None:
    ours.docker("run", "-di", "--name", NAME, "--net", "none", "busybox", "cat").ok()
    peer = Peer(ours, "stream=1", key="short")
    try:
        assert peer.first.startswith(b"HTTP/1.1 400")
    finally:
        peer.close()
