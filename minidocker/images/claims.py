"""What is being pulled right now, and so must not be swept away or fetched twice.

A blob without an image is garbage; but a pull has blobs before it has an image.
While it works it holds them here.  Only the event loop's thread uses this.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager


class Claims:
    """Keys are digests of blobs, and chain IDs of layers."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    def __contains__(self, key: str) -> bool:
        return self._held[key] > 0

    @contextmanager
    def holding(self, keys: Iterable[str]) -> Iterator[None]:
        """Nobody sweeps ``keys`` away within the block."""
        keys = tuple(keys)
        self._held.update(keys)
        try:
            yield
        finally:
            self._held.subtract(keys)
            self._held += Counter()  # forgets the zeros

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """One task at a time is in the block with this key."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = lock, users - 1
