"""Work that would hold up the event loop, in a thread, and still cancelled cleanly.

A thread cannot be killed.  So who cancels the task waits until the thread has
come to its end: then nothing writes any more, and what it made can be undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import TypeVar

from minidocker.layers.sources import PIECE, Pieces

T = TypeVar("T")


async def in_thread(
    work: Callable[[], T],
    stop: Callable[[], object] = lambda: None,
    undo: Callable[[T], object] = lambda result: None,
) -> T:
    """``work()`` in a thread.  Raises what it raises.

    When the task is cancelled, ``stop()`` is called (in the loop's thread) to tell the
    work to end early; and should it have ended well all the same, ``undo(result)``.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop()
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:  # again: the thread runs all the same
                continue
        if not task.cancelled() and task.exception() is None:
            undo(task.result())
        raise


async def pieces_in_thread(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """The pieces, made in a thread, small ones put together; closed in the end."""
    source = Pieces(pieces)
    try:
        while batch := await in_thread(lambda: source.read(PIECE)):
            yield batch
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
