"""Reading the json-file logs that the monitors write.

While a reader follows, the writer may rename the files under it: the reader keeps its
descriptor, reads it to the end, and goes on with the file that came after.  One that is left
behind by more files than the log has goes on with the oldest that there is.
"""

from __future__ import annotations

import asyncio
import calendar
import functools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from minidocker.containers.log_files import BLOCK, LogFile, newest_first, open_at
from minidocker.linux import inotify


class LogLine(NamedTuple):
    """``when``: RFC 3339, as it is in the file.  ``stream``: "stdout" or "stderr".
    ``data``: with its newline.  ``attributes``: what the log's options add to it."""

    when: str
    stream: str
    data: bytes
    attributes: Mapping[str, str] | None = None

    @property
    def time_ns(self) -> int:
        """Unix time; 0 when it cannot be read."""
        try:
            return parse_time(self.when)
        except (ValueError, AttributeError):
            return 0


@dataclass(frozen=True)
class Wish:
    """What a reader wants.  Times are Unix nanoseconds; ``tail``: the last so many, None is all."""

    stdout: bool = True
    stderr: bool = True
    since_ns: int = 0
    until_ns: int | None = None
    tail: int | None = None

    def chosen(self, lines: list[LogLine]) -> list[LogLine]:
        """Those that are to be shown."""
        if not (self.stdout and self.stderr):
            stream = "stdout" if self.stdout else "stderr" if self.stderr else ""
            lines = [line for line in lines if line.stream == stream]
        if self.since_ns:
            lines = [line for line in lines if line.time_ns >= self.since_ns]
        if self.until_ns is not None:
            lines = [line for line in lines if line.time_ns <= self.until_ns]
        return lines


def parse_lines(data: bytes) -> list[LogLine]:
    """Whole lines of the file; what a crash has damaged is passed over.

    All of them are parsed as one JSON list, which is ten times faster than one by one.
    """
    try:
        found = json.loads(b"[" + data[:-1].replace(b"\n", b",") + b"]")
        if len(found) == data.count(b"\n"):
            lines = [
                LogLine(each["time"], each["stream"], each["log"].encode(), each.get("attrs"))
                for each in found
            ]
            return [line for line in lines if line.stream in _STREAMS]
    except _DAMAGE:
        pass
    return [line for entry in data.split(b"\n") if (line := parse_line(entry)) is not None]


def parse_line(entry: bytes) -> LogLine | None:
    """One line of the file; None for one that is damaged."""
    try:
        found = json.loads(entry)
        line = LogLine(found["time"], found["stream"], found["log"].encode(), found.get("attrs"))
        return line if line.stream in _STREAMS else None
    except _DAMAGE:
        return None


_STREAMS = ("stdout", "stderr")
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def parse_time(text: str) -> int:
    """RFC 3339 in UTC with up to nine digits, as Unix nanoseconds.  Raises ``ValueError``."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return _seconds(whole) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)


@functools.lru_cache(maxsize=16)
def _seconds(whole: str) -> int:
    """Neighbours in a log are of the same second."""
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))


class LogReader:
    """Lines of one log, in order, none twice.  Close it."""

    def __init__(self, path: Path, wish: Wish) -> None:
        self._path, self._wish = path, wish
        self._files = open_at(path, wish.tail, wish.since_ns)
        self._partial = b""

    def lines(self) -> list[LogLine]:
        """What there is now of what is wanted, and was not read yet."""
        return [line for batch in self.batches() for line in batch]

    def batches(self) -> Iterator[list[LogLine]]:
        """The same, as many at once as are in one block of the file: perhaps none."""
        while True:
            if not self._files:
                self._reopen()
            if not self._files:
                return
            yield from self._rest_of(self._files[0])
            if len(self._files) == 1 and not self._next_file():
                return
            # It was renamed; what was written until then is there by now.
            yield from self._rest_of(self._files[0])
            self._files.pop(0).close()
            self._partial = b""  # a full disk cut it: nothing will complete it

    def close(self) -> None:
        while self._files:
            self._files.pop().close()

    def _rest_of(self, file: LogFile) -> Iterator[list[LogLine]]:
        if file.was_cut():
            file.seek(0)
            self._partial = b""
        while data := file.read():
            whole, newline, rest = (self._partial + data).rpartition(b"\n")
            self._partial = rest  # its writer is in the middle of it
            yield self._wish.chosen(parse_lines(whole + newline)) if newline else []

    def _next_file(self) -> bool:
        """After a rotation the file that was read last has a successor."""
        newer = newest_first(self._path, self._files[-1].identity)
        self._files += reversed(newer)
        return bool(newer)

    def _reopen(self) -> None:
        try:
            self._files.append(LogFile(self._path))
        except FileNotFoundError:
            return


async def read_log(
    path: Path, wish: Wish, follow: asyncio.Event | None, running: Callable[[], bool]
) -> AsyncIterator[list[LogLine]]:
    """The log's lines, some at a time; while ``running()``, and if ``follow`` is given, also those
    to come.

    ``follow`` is set by whoever knows that the container has ended.
    """
    news = _News(path.parent) if follow is not None else None
    # From the end of the newest file is near, and all of a compressed one is far.
    reader = await asyncio.to_thread(LogReader, path, wish) if wish.tail else LogReader(path, wish)
    try:
        while True:
            last = follow is None or news is None or not running()
            for lines in reader.batches():
                if lines:
                    yield lines
                await asyncio.sleep(0)
            if last or news is None or follow is None:
                return
            if wish.until_ns is not None and time.time_ns() > wish.until_ns:
                return
            await news.wait(follow, wish.until_ns)
    finally:
        reader.close()
        if news is not None:
            news.close()


class _News:
    """Wakes when something in a directory is written, or an event is set."""

    def __init__(self, directory: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = inotify.inotify_init1(inotify.IN_NONBLOCK | inotify.IN_CLOEXEC)
        mask = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO
        inotify.inotify_add_watch(self._fd, str(directory), mask)
        self._some = asyncio.Event()
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            os.read(self._fd, BLOCK)
        except BlockingIOError:
            return
        self._some.set()

    async def wait(self, other: asyncio.Event, until_ns: int | None) -> None:
        """Returns at the first of: a change, ``other``, the time ``until_ns``."""
        seconds = None if until_ns is None else max(0.0, (until_ns - time.time_ns()) / 1e9) + 0.01
        waits = [asyncio.ensure_future(each.wait()) for each in (self._some, other)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        self._some.clear()

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
