"""Where bytes come from: a file, a request, what unpacks one of them; and each a piece at a time.

Nobody needs the pieces to have a certain size, so none is copied to make it so.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

PIECE: Final = 1 << 18  # bytes asked for at once
PIECES: Final = 8  # that wait, read ahead


class Source(Protocol):
    """A file of which only ``read`` is wanted, and that from one thread."""

    def read(self, size: int, /) -> bytes:
        """Some bytes, best about ``size``; none only at the end, and then ever again."""


def pieces_of(source: Source) -> Iterator[bytes]:
    """All that is left of it."""
    while piece := source.read(PIECE):
        yield piece


def batches(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, small ones put together."""
    batch, size = list[bytes](), 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)


class Pieces:
    """Pieces that somebody makes, as a source."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = batches(pieces)

    def read(self, size: int, /) -> bytes:
        """The next, of whatever size."""
        return next(self._pieces, b"")


class Hashed:
    """Passes on what it reads, and knows its digest."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of all that was read so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data


class Ahead:
    """Reads ``source`` in a thread of its own, some pieces before they are asked for.

    To unpack and to hash needs no interpreter: it goes on while Python makes files of what
    came before.  ``read`` raises what reading raised.  A context: at its end nothing reads any
    more.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._thread = ThreadPoolExecutor(1)
        self._coming = deque(self._one() for _ in range(PIECES))

    def _one(self) -> Future[bytes]:
        return self._thread.submit(self._source.read, PIECE)

    def read(self, size: int, /) -> bytes:
        """The next piece, of whatever size."""
        data = self._coming.popleft().result()
        self._coming.append(self._one())
        return data

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)
