"""Compression: whatever came, what was meant comes out; and the same bytes twice."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.layers.compression import compression_of, gzip_compress, open_layer
from minidocker.layers.sources import Source, pieces_of


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def skippable(data: bytes) -> bytes:
    return b"\x50\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


def unpacked(file: Source) -> bytes:
    return b"".join(pieces_of(open_layer(file)))


# A tar never begins like a compressed file: its first bytes are a name.
contents = st.one_of(st.binary(max_size=2000), st.integers(0, 300_000).map(lambda n: b"\0ab" * n))
plain = contents.filter(lambda data: compression_of(data[:4]) == "none")
packers = st.sampled_from([gzip.compress, zstd, lambda data: b"".join(gzip_compress([data]))])


class Trickle:
    """A file that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int, /) -> bytes:
        one, self.data = self.data[:1], self.data[1:]
        return one


@settings(deadline=None)
@given(plain)
def test_plain_bytes_come_as_they_are(data: bytes) -> None:
    assert unpacked(io.BytesIO(data)) == data


@settings(deadline=None)
@given(packers, st.lists(contents, min_size=1, max_size=3))
def test_members_in_a_row_are_one_stream(
    pack: Callable[[bytes], bytes], parts: list[bytes]
) -> None:
    packed = b"".join(pack(part) for part in parts)
    assert unpacked(io.BytesIO(packed)) == b"".join(parts)


@given(packers, st.binary(max_size=100))
def test_a_slow_source_changes_nothing(pack: Callable[[bytes], bytes], data: bytes) -> None:
    assert unpacked(Trickle(pack(data))) == data


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_skippable_frames_are_skipped(note: bytes, data: bytes) -> None:
    assert unpacked(io.BytesIO(skippable(note) + zstd(data))) == data


@given(st.binary(max_size=50), st.integers(0, 300_000))
def test_zeros_between_and_behind_gzip_members_are_padding(data: bytes, zeros: int) -> None:
    packed = gzip.compress(data) + bytes(zeros) + gzip.compress(data) + bytes(zeros)
    assert unpacked(io.BytesIO(packed)) == data * 2


@given(st.lists(st.binary(max_size=100)))
def test_gzip_is_read_by_others_and_has_no_time_in_it(pieces: list[bytes]) -> None:
    packed = b"".join(gzip_compress(pieces))
    assert gzip.decompress(packed) == b"".join(pieces)
    assert packed[4:8] == bytes(4)
    assert packed == b"".join(gzip_compress(pieces))


@given(st.binary(min_size=1, max_size=500), st.data())
def test_cut_gzip_is_an_error(data: bytes, draw: st.DataObject) -> None:
    packed = gzip.compress(data)
    cut = draw.draw(st.integers(4, len(packed) - 1))
    with pytest.raises(InvalidParameter, match="too early"):
        unpacked(io.BytesIO(packed[:cut]))


@given(packers, st.binary(min_size=20, max_size=200), st.data())
def test_damage_is_an_error_of_ours_or_none(
    pack: Callable[[bytes], bytes], data: bytes, draw: st.DataObject
) -> None:
    packed = bytearray(pack(data))
    packed[draw.draw(st.integers(0, len(packed) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        unpacked(io.BytesIO(bytes(packed)))
    except InvalidParameter as error:
        assert "damaged" in error.message or "too early" in error.message  # noqa: PT017
