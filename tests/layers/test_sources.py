"""Sources: what is read ahead is what is read, and nobody reads on when nobody wants it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.layers.sources import PIECE, Ahead, Hashed, Pieces, batches, pieces_of

parts = st.lists(st.binary(max_size=50) | st.just(bytes(PIECE)), max_size=12)


@given(parts)
def test_pieces_come_in_order_and_whole(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert b"".join(pieces_of(Pieces(pieces))) == whole
    assert all(len(each) >= PIECE for each in list(batches(pieces))[:-1])
    hashed = Hashed(io.BytesIO(whole))
    with Ahead(hashed) as source:
        assert b"".join(pieces_of(source)) == whole
        assert source.read(PIECE) == b"", "and then ever again"
    assert hashed.digest == "sha256:" + hashlib.sha256(whole).hexdigest()


def test_who_reads_ahead_hears_of_the_error_after_what_came_before() -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(PIECE)
        raise OSError("the disk is gone")

    with Ahead(Pieces(broken())) as source:
        assert source.read(PIECE) == bytes(PIECE)
        with pytest.raises(OSError, match="the disk is gone"):
            source.read(PIECE)


def test_nothing_is_read_any_more_at_the_end() -> None:
    before = threading.active_count()

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(PIECE)

    pieces = endless()
    with pytest.raises(KeyError), Ahead(Pieces(pieces)):
        raise KeyError
    assert threading.active_count() == before
    pieces.close()  # type: ignore[attr-defined]  # ValueError: generator already executing
