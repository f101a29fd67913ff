"""The key sequence that detaches, and what reaches an attached client: no kernel, no root."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidocker.namespaces.clients import Client, DetachKeys, Input, parse_detach_keys

sequences = st.lists(st.sampled_from(b"ab"), min_size=1, max_size=4).map(bytes)


@st.composite
def typing(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A sequence, and what is typed, in pieces: mostly beginnings of the sequence."""
    keys = draw(sequences)
    beginnings = st.integers(0, len(keys)).map(lambda length: keys[:length])
    whole = b"".join(draw(st.lists(beginnings | st.just(b"c"), max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    return keys, [
        whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)
    ]


def feed(keys: bytes, pieces: list[bytes]) -> tuple[bytes, bool]:
    """All that is passed on of ``pieces`` up to the sequence, and whether it came."""
    finder, passed = DetachKeys(keys), b""
    for piece in pieces:
        out, found = finder.feed(piece)
        passed += out
        if found:
            return passed, True
    return passed, False


@given(typing())
@example((b"aab", [b"aa", b"b"]))
@example((b"abac", [b"ab", b"aba", b"c"]))
def test_the_sequence_is_found_however_the_bytes_are_cut(typed: tuple[bytes, list[bytes]]) -> None:
    keys, pieces = typed
    whole = b"".join(pieces)
    passed, found = feed(keys, pieces)
    assert found == (keys in whole)
    if found:
        assert passed == whole.partition(keys)[0]


@given(typing())
@example((b"aab", [b"aa", b"b"]))
@example((b"abac", [b"ab", b"aba", b"c"]))
def test_only_a_beginning_of_the_sequence_is_held_back(typed: tuple[bytes, list[bytes]]) -> None:
    keys, pieces = typed
    whole = b"".join(pieces)
    passed, found = feed(keys, pieces)
    if not found:
        assert whole.startswith(passed)
        held = whole[len(passed) :]
        assert keys.startswith(held)
        assert len(held) < len(keys)
        # And the longest one: what was held back less would be a sequence missed later.
        ends = [n for n in range(1, len(keys)) if whole.endswith(keys[:n])]
        assert len(held) == max(ends, default=0)


@given(st.lists(st.binary(max_size=9), max_size=6))
def test_without_a_sequence_everything_passes(pieces: list[bytes]) -> None:
    assert feed(b"", pieces) == (b"".join(pieces), False)


def control(byte: int) -> str:
    """How ``stty`` and caret notation name the key of a control character."""
    return f"ctrl-{chr(byte ^ 0x40)}".lower()


@given(st.lists(st.integers(0, 127).filter(lambda byte: byte != ord(",")), min_size=1))
def test_any_ascii_bytes_but_the_comma_have_a_name(data: list[int]) -> None:
    names = ["DEL" if byte == 127 else control(byte) if byte < 32 else chr(byte) for byte in data]
    assert parse_detach_keys(",".join(names)) == bytes(data)


@given(st.text(max_size=8) | st.text(max_size=2).map("ctrl-{}".format))
def test_any_text_is_a_key_each_or_refused(text: str) -> None:
    try:
        keys = parse_detach_keys(text)
    except ValueError:
        return
    assert len(keys) == text.count(",") + 1
    assert all(byte < 128 for byte in keys)


# Python's upper() makes two letters of the first two, and an ASCII letter of the third.
@pytest.mark.parametrize("text", ["ctrl-ß", "ctrl-ﬁ", "ctrl-ı", "ctrl-A", "ctrl-1", "é", "", "a,"])
def test_what_no_terminal_sends_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Unknown character"):
        parse_detach_keys(text)


@pytest.fixture
def far() -> Iterator[tuple[socket.socket, int]]:
    """The user's end of a connection, and the descriptor of the monitor's."""
    ours, theirs = socket.socketpair()
    with ours:
        yield ours, theirs.detach()


chunks = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=9)), max_size=9
)


def frames(data: bytes) -> list[tuple[str, bytes]]:
    """The stream format of ContainerAttach: number, three zeros, length; then so many bytes."""
    found = []
    while data:
        number, zeros, length = struct.unpack(">B3sI", data[:8])
        assert zeros == bytes(3)
        found.append((("stdin", "stdout", "stderr")[number], data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def received(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


@given(chunks, st.sets(st.sampled_from(["stdout", "stderr"])), st.booleans())
def test_a_client_gets_the_streams_that_it_wants(
    written: list[tuple[str, bytes]], wants: set[str], framed: bool
) -> None:
    ours, theirs = socket.socketpair()
    client = Client(theirs.detach(), {**dict.fromkeys(wants, True), "framed": framed})
    for stream, data in written:
        client.send(stream, data)
    client.close()
    wanted = [(stream, data) for stream, data in written if stream in wants]
    with ours:
        got = received(ours)
    assert (frames(got) == wanted) if framed else (got == b"".join(data for _, data in wanted))


def test_what_a_slow_client_has_not_taken_waits_in_order(far: tuple[socket.socket, int]) -> None:
    ours, fd = far
    client = Client(fd, {"stdout": True, "framed": True})
    written = [("stdout", bytes([number]) * 40_000) for number in range(20)]
    for stream, data in written:
        client.send(stream, data)
    assert client.waiting
    got = b""
    while client.waiting:
        got += ours.recv(65536)
        client.flush()
    client.close()
    assert frames(got + received(ours)) == written


def test_a_client_that_has_gone_is_marked_and_left_alone(far: tuple[socket.socket, int]) -> None:
    ours, fd = far
    client = Client(fd, {"stdout": True, "stdin": True})
    assert client.read() is None
    ours.sendall(b"typed")
    assert client.read() == b"typed"
    ours.close()
    client.send("stdout", b"x")
    assert client.gone
    assert not client.waiting
    client.close()


@given(st.lists(st.binary(max_size=9)))
def test_the_programs_input_is_what_was_written_and_ends_when_it_is_through(
    pieces: list[bytes],
) -> None:
    read_end, write_end = os.pipe()
    try:
        target = Input(write_end)
        for piece in pieces:
            target.write(piece)
            assert not target.done
        target.ending = True
        assert target.done
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        assert file.read() == b"".join(pieces)


def test_input_waits_while_the_pipe_is_full_and_is_dropped_when_nobody_reads() -> None:
    read_end, write_end = os.pipe()
    target = Input(write_end)
    target.write(b"x" * 200_000)
    target.ending = True
    assert not target.done
    waiting = target.waiting
    assert waiting + len(os.read(read_end, 200_000)) == 200_000
    target.flush()
    assert target.waiting < waiting
    os.close(read_end)
    target.flush()
    assert target.done
    os.close(write_end)
