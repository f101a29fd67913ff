"""A request's body as a file that a thread can read, and work that tells how it goes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from typing import Any, BinaryIO, cast

from minidocker.daemon.exchange import Stream
from minidocker.errors import MinidockerError
from minidocker.wire import jsonstream

PIECE = 1 << 20  # bytes fetched at once

Say = Callable[[dict[str, Any]], None]


class Body(io.RawIOBase):
    """``chunks`` as a file for one reading thread.  ``stop`` makes its reads fail."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")
        self._waiting: Future[bytes] | None = None
        self._stopped = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._waiting = asyncio.run_coroutine_threadsafe(self._fetch(), self._loop)
            self._rest = memoryview(self._waiting.result())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    async def _fetch(self) -> bytes:
        if self._stopped:
            raise asyncio.CancelledError
        data = bytearray()
        async for chunk in self._chunks:
            data += chunk
            if len(data) >= PIECE:
                break
        return bytes(data)

    def stop(self) -> None:
        """Call it in the event loop's thread."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()


def body_file(body: Body) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(body, PIECE))


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
