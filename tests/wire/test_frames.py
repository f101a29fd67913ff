"""Frames: any chunking decodes the same."""

from __future__ import annotations

import struct
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.wire import frames
from minidocker.wire.frames import FrameDecoder
from tests.wire.chunks import cut, places

pieces = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=60)), max_size=12)


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbours of the same stream as one, empty ones gone: what a reader can tell apart."""
    held = [piece for piece in pieces if piece[1]]
    return [
        (stream, b"".join(data for _, data in group))
        for stream, group in groupby(held, key=lambda piece: piece[0])
    ]


@given(pieces, places)
def test_any_chunking_decodes_to_what_was_encoded(
    sent: list[tuple[int, bytes]], where: list[int]
) -> None:
    decoder = FrameDecoder()
    data = b"".join(frames.encode(stream, payload) for stream, payload in sent)
    got = [piece for chunk in cut(data, where) for piece in decoder.feed(chunk)]
    assert joined(got) == joined(sent)
    assert all(payload for _, payload in got)
    assert decoder.complete


@given(st.integers(0, 3), st.binary(min_size=1, max_size=40), st.data())
def test_a_cut_connection_is_noticed(stream: int, payload: bytes, data: st.DataObject) -> None:
    frame = frames.encode(stream, payload)
    decoder = FrameDecoder()
    decoder.feed(frame[: data.draw(st.integers(1, len(frame) - 1))])
    assert not decoder.complete


def test_a_frame_is_as_the_api_says() -> None:
    assert frames.encode(frames.STDERR, b"no") == b"\x02\0\0\0\0\0\0\x02no"


@pytest.mark.parametrize("header", [struct.pack(">BxxxI", 4, 1), b"\1\1\0\0\0\0\0\1", b"HTTP/1.1"])
def test_what_is_no_frame_is_refused(header: bytes) -> None:
    with pytest.raises(InvalidParameter, match="Unrecognized stream"):
        FrameDecoder().feed(header)
