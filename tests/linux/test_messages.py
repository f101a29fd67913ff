"""A conversation over a socket: what goes in comes out, and nothing is left open."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.linux.messages import MAX_FDS, PIECE, Channel, connect_unix, listen_unix

texts = st.text(max_size=10)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    plain, lambda some: st.lists(some, max_size=3) | st.dictionaries(texts, some, max_size=3)
)
messages = st.dictionaries(texts.filter(lambda key: key != "fds"), values, max_size=4)
conversations = st.lists(st.tuples(messages, st.integers(0, 3)), max_size=6)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def channels() -> Iterator[tuple[Channel, Channel]]:
    """Both ends of a conversation; all that they opened is closed with them."""
    before = open_descriptors()
    ends = tuple(Channel(sock) for sock in socket.socketpair())
    try:
        yield ends[0], ends[1]
    finally:
        for end in ends:
            end.close()
    assert open_descriptors() == before


@contextlib.contextmanager
def files(count: int) -> Iterator[list[int]]:
    """So many descriptors, each of a file of its own."""
    fds = [os.memfd_create(str(number), os.MFD_CLOEXEC) for number in range(count)]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def identities(fds: list[int]) -> list[int]:
    return [os.fstat(fd).st_ino for fd in fds]


def close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def relay(source: socket.socket, target: socket.socket, sizes: list[int]) -> None:
    """Pass on what is there in pieces of ``sizes``, each with the descriptors it brought."""
    sizes = [*sizes, PIECE]
    while True:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        data, fds, _, _ = socket.recv_fds(source, size, MAX_FDS)
        if not data:
            return
        socket.send_fds(target, [data], fds)
        close_all(fds)


@settings(max_examples=60, deadline=None)
@given(conversations, st.lists(st.integers(1, 9), max_size=40))
def test_messages_and_descriptors_come_out_as_they_went_in_however_they_are_cut(
    said: list[tuple[dict[str, Any], int]], sizes: list[int]
) -> None:
    with channels() as (here, between), channels() as (beyond, there), files(3) as fds:
        for message, count in said:
            here.send(message, fds[:count])
        here.sock.shutdown(socket.SHUT_WR)
        relay(between.sock, beyond.sock, sizes)
        beyond.sock.shutdown(socket.SHUT_WR)
        for message, count in said:
            got = there.receive()
            assert got is not None
            assert got[0] == (message | {"fds": count} if count else message)
            assert identities(got[1]) == identities(fds[:count])
            assert not any(os.get_inheritable(fd) for fd in got[1])
            close_all(got[1])
        assert there.receive() is None


@settings(max_examples=50)
@given(st.lists(messages, min_size=1, max_size=5))
def test_a_message_is_told_as_soon_as_its_last_byte_is_there(said: list[dict[str, Any]]) -> None:
    with channels() as (here, there):
        there.sock.setblocking(False)
        for message in said:
            assert there.next() is None
            with pytest.raises(BlockingIOError):
                there.feed()
            here.send(message)
            assert there.receive() == (message, [])


@pytest.mark.parametrize("size", [PIECE - 12, PIECE, 3 * PIECE, 1 << 20])
def test_a_long_message_is_one(size: int) -> None:
    with channels() as (here, there), files(1) as fds:
        # With a time limit the first write takes only what has room, as after a signal.
        here.sock.settimeout(30)
        message = {"text": "".join(f"{number:8}" for number in range(size // 8))}
        sender = threading.Thread(target=here.send, args=(message, fds))
        sender.start()
        got = there.receive()
        sender.join()
        assert got is not None
        assert got[0] == message | {"fds": 1}
        close_all(got[1])


def test_as_many_descriptors_as_the_kernel_takes_are_one_message() -> None:
    with channels() as (here, there), files(1) as fds:
        here.send({}, fds * MAX_FDS)
        got = there.receive()
        assert got is not None
        assert set(identities(got[1])) == set(identities(fds))
        assert len(got[1]) == MAX_FDS
        close_all(got[1])


@settings(max_examples=60, deadline=None)
@given(conversations, st.integers(0, 8), st.integers(0, 8))
def test_closing_closes_every_descriptor_that_nobody_took(
    said: list[tuple[dict[str, Any], int]], feeds: int, taken: int
) -> None:
    with channels() as (here, there):
        there.sock.setblocking(False)
        with files(3) as fds:
            for message, count in said:
                here.send(message, fds[:count])
        with contextlib.suppress(BlockingIOError):
            for _ in range(feeds):
                there.feed()
        for _ in range(taken):
            if (got := there.next()) is not None:
                close_all(got[1])


@pytest.mark.parametrize("data", [b"{\n", b"nonsense\n", b"\n", b"\xff{}\n"])
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    with channels() as (here, there):
        here.sock.sendall(data)
        there.feed()
        with pytest.raises(ValueError, match=r"."):
            there.next()


def test_half_a_message_before_the_end_is_none() -> None:
    with channels() as (here, there):
        here.sock.sendall(b'{"half":')
        here.sock.shutdown(socket.SHUT_WR)
        assert there.receive() is None


def test_who_speaks_to_nobody_hears_of_it() -> None:
    with channels() as (here, there):
        there.close()
        with pytest.raises(BrokenPipeError):
            here.send({"still": "there?"})


@pytest.mark.parametrize("room", [-1, 0, 1, 100])
def test_a_path_may_be_longer_than_a_sockets_name(tmp_path: Path, room: int) -> None:
    """``room``: how many characters it is longer than the 107 that fit."""
    missing = 107 + room - len(str(tmp_path)) - len("//s")
    directory = tmp_path / ("d" * max(missing, 1))
    directory.mkdir()
    path = str(directory / "s")
    before = open_descriptors()
    with listen_unix(path) as listening, connect_unix(path) as ours, listening.accept()[0] as far:
        ours.sendall(b"hello")
        assert far.recv(5) == b"hello"
        assert not ours.get_inheritable()
    assert open_descriptors() == before


def test_where_nobody_listens_nothing_stays_open(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    before = open_descriptors()
    for path in (tmp_path / "none", deep / "none", deep / "no" / "directory"):
        with pytest.raises(FileNotFoundError):
            connect_unix(str(path))
    for path in (tmp_path / "no" / "directory", deep / "no" / "directory"):
        with pytest.raises(FileNotFoundError):
            listen_unix(str(path))
    assert open_descriptors() == before
