"""RFC 6455's own examples, and properties of its frames."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.wire.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MOST,
    PING,
    TEXT,
    Decoder,
    Frame,
    WrongFrame,
    accept_key,
    encode,
    is_key,
    unmasked,
)
from tests.wire.chunks import cut, places


def masked(opcode: int, data: bytes, mask: bytes = b"\x37\xfa\x21\x3d", first: int = 0x80) -> bytes:
    """A frame as a client sends it."""
    whole = bytearray(encode(opcode, data))
    whole[0] = first | opcode
    whole[1] |= 0x80
    start = len(whole) - len(data)
    return bytes(whole[:start]) + mask + unmasked(data, mask)


def test_the_handshake_of_section_1_3() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert is_key("dGhlIHNhbXBsZSBub25jZQ==")
    assert not is_key("short")


def test_the_frames_of_section_5_7() -> None:
    assert encode(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    wire = bytes.fromhex("818537fa213d7f9f4d5158")
    assert Decoder().feed(wire) == [Frame(TEXT, b"Hello")]
    assert masked(TEXT, b"Hello") == wire
    assert encode(BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert encode(BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


kinds = st.sampled_from([TEXT, BINARY])


messages = st.lists(st.tuples(kinds, st.binary(max_size=300), st.binary(min_size=4, max_size=4)))


@given(messages, places)
def test_what_was_sent_arrives_however_it_is_cut(
    messages: list[tuple[int, bytes, bytes]], places: list[int]
) -> None:
    wire = b"".join(masked(*message) for message in messages)
    decoder = Decoder()
    found = [frame for piece in cut(wire, places) for frame in decoder.feed(piece)]
    assert found == [Frame(opcode, content) for opcode, content, _ in messages]


@given(st.binary(max_size=500))
def test_no_bytes_break_it(wire: bytes) -> None:
    with contextlib.suppress(WrongFrame):
        Decoder().feed(wire)


def test_control_frames_come_between_pieces() -> None:
    pieces = masked(TEXT, b"a", first=0) + masked(PING, b"") + masked(CONTINUATION, b"b")
    assert [frame.data for frame in Decoder().feed(pieces)] == [b"a", b"", b"b"]


@pytest.mark.parametrize(
    "wire",
    [
        encode(TEXT, b"not masked"),
        masked(3, b""),
        masked(CONTINUATION, b""),
        masked(CLOSE, bytes(126)),
        masked(PING, b"", first=0),
        masked(TEXT, b"", first=0xC0),
        struct.pack(">BBQ", 0x82, 0xFF, MOST + 1),
    ],
)
def test_what_breaks_the_protocol_is_refused(wire: bytes) -> None:
    with pytest.raises(WrongFrame):
        Decoder().feed(wire)
