"""A tar, read once, front to back: its entries, each with its data, and never much of it in memory.

What its headers mean is in ``tarheader.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from minidocker.errors import InvalidParameter
from minidocker.layers.sources import PIECE, Source
from minidocker.layers.sparse import is_sparse, sparse_entry
from minidocker.layers.tarheader import (
    BLOCK,
    EXTENDED,
    Entry,
    check,
    data_size,
    parse_extended,
    parse_header,
)

HEADER: Final = 1 << 20  # no header of an entry is longer; Go's reader has the same limit
CHAIN: Final = 100  # extended headers before one entry


@dataclass(frozen=True)
class Limits:
    """How much one layer may be; beyond it, it is a bomb and no layer.

    ``size``: bytes, of the tar and of all files it makes (a sparse file counts in
    full).  ``depth``: directories in each other.
    """

    size: int = 64 << 30
    entries: int = 4_000_000
    depth: int = 256
    path: int = 4096  # bytes, as the kernel's PATH_MAX


class Stream:
    """The bytes of ``source``, forward only.  ``InvalidParameter`` past ``limit`` bytes."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._piece = b""
        self._at = 0  # how much of the piece has been taken
        self._before = 0  # bytes of earlier pieces

    @property
    def position(self) -> int:
        return self._before + self._at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        begin, end = self._at, self._at + size
        if end <= len(self._piece):
            self._at = end
            return self._piece[begin:end]
        if size > HEADER:
            raise InvalidParameter(f"the layer has a header of {size} bytes")
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next ``size`` bytes as they come, fewer only at the end."""
        while size > 0 and (self._at < len(self._piece) or self._more()):
            piece = memoryview(self._piece)[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def skip_to(self, position: int) -> None:
        """Go on to ``position``, or to the end, if that comes first."""
        for _ in self.pieces(position - self.position):
            pass

    def drain(self) -> None:
        """Read to the end: the padding behind the archive is part of a diff ID."""
        while self._more():
            pass

    def _more(self) -> bool:
        self._before += len(self._piece)
        self._piece, self._at = self._source.read(PIECE), 0
        if self._before + len(self._piece) > self._limit:
            raise InvalidParameter(f"the layer unpacks to more than {self._limit} bytes")
        return bool(self._piece)


def entries(stream: Stream, limits: Limits) -> Iterator[Entry]:
    """The entries of the tar.  The data of one (``pieces``) may be read until the next is asked
    for.

    No bytes at all are an empty archive, as for Go's reader, and so for Docker's.
    Raises ``InvalidParameter`` when it is damaged, or has too many.
    """
    count = 0
    while True:
        begins = stream.position
        try:
            found = _next(stream)
        except ValueError as error:
            what = "the layer's tar is damaged" if begins else "the layer is no tar"
            raise InvalidParameter(f"{what}: {error}") from None
        if found is None:
            return
        count += 1
        if count > limits.entries:
            raise InvalidParameter(f"the layer has more than {limits.entries} entries")
        entry, stored = found
        end = stream.position + padded(stored)
        yield entry
        stream.skip_to(end)


def _next(stream: Stream) -> tuple[Entry, int] | None:
    """The next entry and the size of its data; None at the end.  Raises ``ValueError``."""
    records: dict[str, bytes] = {}
    for _ in range(CHAIN):
        block = stream.take(BLOCK)
        if not block.strip(b"\0"):
            _end(stream, block, bool(records))
            return None
        _whole(block, BLOCK)
        check(block)
        kind = block[156:157]
        if kind not in EXTENDED:
            entry = parse_header(block, records)
            if not is_sparse(entry, records):
                return entry, entry.size
            return sparse_entry(entry, block, records, lambda size: _whole(stream.take(size), size))
        size = data_size(block[124:136], {})
        data = _whole(stream.take(size), size)
        stream.skip_to(stream.position + padded(size) - size)
        records |= parse_extended(kind, data)
    raise ValueError(f"more than {CHAIN} headers without a file")


def _end(stream: Stream, block: bytes, expected: bool) -> None:
    """Two blocks of zeros, one, or nothing at all: programs differ."""
    if expected or len(block) % BLOCK or stream.take(BLOCK).strip(b"\0"):
        raise ValueError("it ends in the middle")


def _whole(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise ValueError("it ends in the middle")
    return data


def padded(size: int) -> int:
    """``size`` in whole blocks."""
    return -(-size // BLOCK) * BLOCK


def pieces(stream: Stream, entry: Entry) -> Iterator[tuple[int, memoryview]]:
    """The data of a file, as (offset, bytes): a sparse one has holes between them."""
    for offset, size in ((0, entry.size),) if entry.extents is None else entry.extents:
        at = offset
        for piece in stream.pieces(size):
            yield at, piece
            at += len(piece)
        if at < offset + size:
            raise InvalidParameter(f"the layer ends inside of {entry.name!r}")
