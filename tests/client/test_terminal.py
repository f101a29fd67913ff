"""A real pseudo-terminal around the client: raw while it runs, as before when it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.terminal import KeyWatch, parse_keys
from minidocker.errors import InvalidParameter
from tests.client.conversations import Container, argv, environment
from tests.client.fake import Exchange, FakeDaemon


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of 24 rows and 80 columns: ours, the client's."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


def start(daemon: Path, slave: int, *line: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv(daemon, *line), stdin=slave, stdout=slave, stderr=slave, env=environment()
    )


def read_until(master: int, text: bytes) -> bytes:
    heard = b""
    while text not in heard:
        assert select.select([master], [], [], 10)[0], heard
        heard += os.read(master, 1000)
    return heard


def shell(connection: socket.socket) -> int:
    """Says what it hears, in capitals; ends at "q"."""
    connection.sendall(b"$ ")
    while data := connection.recv(100):
        if b"q" in data:
            return 7
        connection.sendall(data.upper())
    return 0


def test_typing_goes_through_raw_and_the_terminal_is_as_before_at_the_end(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    container = Container(shell, tty=True)
    with FakeDaemon(tmp_path / "s", container) as daemon:
        process = start(daemon.socket_path, slave, "run", "-it", "busybox")
        read_until(master, b"$ ")
        assert termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
        os.write(master, b"a\x03")
        assert read_until(master, b"\x03").endswith(b"A\x03")
        os.write(master, b"q")
        assert process.wait(10) == 7
    assert termios.tcgetattr(slave) == before
    assert container.sizes[0] == (24, 80)
    assert daemon.requests[0].json()["HostConfig"]["ConsoleSize"] == [24, 80]


def test_a_new_size_of_the_window_is_told(tmp_path: Path, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    container = Container(shell, tty=True)
    with FakeDaemon(tmp_path / "s", container) as daemon:
        process = subprocess.Popen(
            argv(daemon.socket_path, "run", "-it", "busybox"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(),
        )
        read_until(master, b"$ ")
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 50, 132, 0, 0))
        process.send_signal(28)  # as the terminal does to its foreground group
        while (50, 132) not in container.sizes:
            os.write(master, b"a")
            read_until(master, b"A")
        os.write(master, b"q")
        assert process.wait(10) == 7


def detaching(connection: socket.socket) -> int:
    """Lets go at the keys, as the monitor does."""
    connection.sendall(b"$ ")
    heard = b""
    while b"\x10\x11" not in heard:
        heard += connection.recv(100)
    connection.shutdown(socket.SHUT_RDWR)
    return 0


def test_after_the_detach_keys_the_client_leaves_with_0(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    with FakeDaemon(tmp_path / "s", Container(detaching, tty=True)) as daemon:
        process = start(daemon.socket_path, slave, "run", "-it", "busybox")
        read_until(master, b"$ ")
        os.write(master, b"\x10\x11")
        assert process.wait(10) == 0
    assert termios.tcgetattr(slave) == before


def test_a_failed_start_leaves_the_terminal_as_it_was(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    container = Container(shell, tty=True)
    container.start_failure = (500, "the kernel said no")
    with FakeDaemon(tmp_path / "s", container) as daemon:
        process = start(daemon.socket_path, slave, "run", "-it", "busybox")
        assert b"the kernel said no" in read_until(master, b"--help")
        assert process.wait(10) == 125
    assert termios.tcgetattr(slave) == before


def test_a_pull_on_a_terminal_draws_a_bar_for_each_layer(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal

    def pulling(exchange: Exchange) -> None:
        exchange.chunks(
            b'{"status":"Pulling from library/x","id":"latest"}',
            b'{"status":"Downloading","progressDetail":{"current":512,"total":2048},"id":"aa11"}',
            b'{"status":"Pull complete","progressDetail":{},"id":"aa11"}',
            b'{"status":"Status: Downloaded newer image for x:latest"}',
        )

    with FakeDaemon(tmp_path / "s", pulling) as daemon:
        process = start(daemon.socket_path, slave, "pull", "x")
        shown = read_until(master, b"docker.io/library/x:latest")
        assert process.wait(10) == 0
    for text in (b"Using default tag: latest", b"latest: Pulling from", b"aa11: Pull complete"):
        assert text in shown


def test_without_proxying_a_signal_ends_the_client_and_mends_the_terminal(
    tmp_path: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    before = termios.tcgetattr(slave)
    with FakeDaemon(tmp_path / "s", Container(shell, tty=True)) as daemon:
        process = start(daemon.socket_path, slave, "run", "--sig-proxy=false", "-it", "busybox")
        read_until(master, b"$ ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
        assert not any(line.endswith("/kill") for line in daemon.lines)
    assert termios.tcgetattr(slave) == before


@given(st.binary(min_size=1, max_size=4), st.lists(st.binary(max_size=5), max_size=5))
def test_the_keys_are_seen_however_they_are_cut(keys: bytes, before: list[bytes]) -> None:
    typed = b"".join(before) + keys
    watch = KeyWatch(keys)
    for byte in typed:
        watch.feed(bytes([byte]))
    # A false start may hide the keys, as it does in the docker command; then they were not alone.
    assert watch.seen or keys[:1] in typed[: -len(keys)] or len(set(keys)) < len(keys)
    whole = KeyWatch(keys)
    whole.feed(typed)
    assert whole.seen == watch.seen


def test_keys_are_named_as_docker_names_them() -> None:
    assert parse_keys("ctrl-p,ctrl-q") == b"\x10\x11"
    assert parse_keys("ctrl-a,x,ctrl-@,ctrl-\\") == b"\x01x\x00\x1c"
    assert parse_keys("") == b""
    for bad in ("ctrl-", "ctrl-1", "ab", "ctrl-aa", "é"):
        with pytest.raises(InvalidParameter, match="detach keys"):
            parse_keys(bad)
