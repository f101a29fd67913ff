"""Long bodies between the event loop and a thread that works on files.

Engine API: the answers and requests that are archives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Final

CHUNK: Final = 1 << 18
"""Bytes, about, that change hands at once: each time costs a tenth of a millisecond."""


async def from_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces in larger ones, each made in a thread: the event loop waits for no disk.

    When this is closed, so is ``pieces``, in a thread too.
    """
    chunks = gathered(pieces)
    step: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
            chunk = await asyncio.shield(step)
            if chunk is None:
                return
            yield chunk
    finally:
        if step is not None:  # a generator that runs cannot be closed
            await asyncio.wait([step])
        await asyncio.to_thread(chunks.close)


def gathered(pieces: Iterator[bytes], size: int = CHUNK) -> Generator[bytes, None, None]:
    """The same bytes in pieces of ``size`` and more, but for the last one."""
    held: list[bytes] = []
    count = 0
    try:
        for piece in pieces:
            held.append(piece)
            count += len(piece)
            if count >= size:
                yield b"".join(held)
                held, count = [], 0
        if held:
            yield b"".join(held)
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
