"""A request's body as a source that a thread can read, and work that tells how it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from queue import SimpleQueue
from typing import Any

from minidocker.daemon.exchange import Stream
from minidocker.errors import MinidockerError
from minidocker.layers.sources import PIECE, PIECES
from minidocker.wire import jsonstream

Say = Callable[[dict[str, Any]], None]


class Body:
    """``chunks`` as a source for one thread; they are fetched in the loop while that one works.

    A context: at its end nothing is fetched any more.  Nothing is before the first ``read``
    either, so that a client that waits for "100 Continue" can still be refused.
    """

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._loop = asyncio.get_running_loop()
        self._fetched: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self._room = asyncio.Semaphore(PIECES)
        self._asked = self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def read(self, size: int, /) -> bytes:
        """See ``Source``.  Raises what fetching raised, and after ``stop`` ``CancelledError``."""
        if not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self._begin)
        piece = self._fetched.get()
        if isinstance(piece, BaseException):
            self._fetched.put(piece)
            raise piece
        if not piece:
            self._fetched.put(piece)
        self._loop.call_soon_threadsafe(self._room.release)
        return piece

    def _begin(self) -> None:
        if not self._stopped:
            self._task = asyncio.ensure_future(self._fetch())

    async def _fetch(self) -> None:
        try:
            batch, size = list[bytes](), 0
            async for chunk in self._chunks:
                batch.append(chunk)
                size += len(chunk)
                if size >= PIECE:
                    await self._room.acquire()
                    self._fetched.put(b"".join(batch))
                    batch, size = [], 0
            if batch:
                self._fetched.put(b"".join(batch))
            self._fetched.put(b"")
        except Exception as error:  # whatever it was, the thread that reads must hear of it
            self._fetched.put(error)

    def stop(self) -> None:
        """Let a read that waits fail.  Call it in the event loop's thread."""
        self._stopped = True
        self._fetched.put(asyncio.CancelledError())
        if self._task is not None:
            self._task.cancel()

    async def __aenter__(self) -> Body:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def told(work: Callable[[Say], Awaitable[object]]) -> Stream:
    """The answer to a request whose ``work`` says JSON messages while it is done.

    Its failure is the last message: the head has long been sent.  When the client goes away,
    the work is cancelled.
    """
    return Stream(_messages(work))


async def _messages(work: Callable[[Say], Awaitable[object]]) -> AsyncIterator[bytes]:
    news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(news.put_nowait))
    task.add_done_callback(lambda _: news.put_nowait(None))
    try:
        while (message := await news.get()) is not None:
            yield jsonstream.encode(message)
        if (error := task.exception()) is not None:
            text = error.message if isinstance(error, MinidockerError) else _unnamed(error)
            yield jsonstream.encode(jsonstream.failure(text))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _unnamed(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror.lower()}"
    return f"{type(error).__name__}: {error}"
