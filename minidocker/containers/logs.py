"""Reading the json-file logs that the monitors write.

A log is a few files: ``NAME`` and, older and older, ``NAME.1``, ``NAME.2`` ...  While a
reader follows, the writer may rename them under it: the reader keeps its descriptor,
reads it to the end, and goes on with the file that came after.
"""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import functools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from minidocker.linux import inotify

BLOCK = 1 << 18  # bytes read at once; then others in the event loop get their turn


class LogLine(NamedTuple):
    """``when``: RFC 3339, as it is in the file.  ``stream``: "stdout" or "stderr".
    ``data``: with its newline."""

    when: str
    stream: str
    data: bytes

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
            lines = [LogLine(each["time"], each["stream"], each["log"].encode()) for each in found]
            return [line for line in lines if line.stream in _STREAMS]
    except _DAMAGE:
        pass
    return [line for entry in data.split(b"\n") if (line := parse_line(entry)) is not None]


def parse_line(entry: bytes) -> LogLine | None:
    """One line of the file; None for one that is damaged."""
    try:
        found = json.loads(entry)
        line = LogLine(found["time"], found["stream"], found["log"].encode())
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


def files_of(path: Path) -> list[Path]:
    """The files of a log, oldest first; the last is ``path``, there or not."""
    found, number = [path], 1
    while (older := numbered(path, number)).exists():
        found.insert(0, older)
        number += 1
    return found


def numbered(path: Path, number: int) -> Path:
    """``NAME`` (0), ``NAME.1``, ``NAME.2``: the higher, the older."""
    return path.with_name(f"{path.name}.{number}") if number else path


def newest_first(path: Path, last: tuple[int, int] | None = None) -> list[BinaryIO]:
    """The files of a log, open, the newest first, down to the one before ``last``.

    A rotation may go on meanwhile: what was opened counts only if afterwards every file
    still has the name under which it was found, and is closed and opened anew if not.
    """
    while True:
        opened: dict[int, BinaryIO] = {}
        number = 0
        while number < 2 or number - 1 in opened or number - 2 in opened:
            with contextlib.suppress(FileNotFoundError):  # a rotation makes a gap of one
                opened[number] = numbered(path, number).open("rb")
                if identity(opened[number]) == last:
                    break
            number += 1
        if all(_is_still(numbered(path, at), file) for at, file in opened.items()):
            files = list(opened.values())
            if files and identity(files[-1]) == last:
                files.pop().close()
            return files
        for stale in opened.values():
            stale.close()


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return (status.st_dev, status.st_ino) == identity(file)


def identity(file: BinaryIO) -> tuple[int, int]:
    """What stays the same when it is renamed."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def last_lines(file: BinaryIO, count: int) -> tuple[int, int]:
    """Where the last ``count`` lines of ``file`` begin, and how many there are (at most ``count``).

    Reads from the end backwards, so that the size of the file does not matter.
    """
    end = at = file.seek(0, os.SEEK_END)
    found = 0
    while at > 0:
        size = min(BLOCK, at)
        at -= size
        file.seek(at)
        block = file.read(size)
        # The newline at the very end closes the last line, it begins none.
        stop = size - 1 if at + size == end else size
        there = block.count(b"\n", 0, stop)
        if found + there < count:
            found += there
            continue
        for _ in range(count - found):
            stop = block.rindex(b"\n", 0, stop)
        return at + stop + 1, count
    return 0, min(count, found + (end > 0))


def open_at(path: Path, tail: int | None) -> list[BinaryIO]:
    """The log's files, open, each where reading begins; oldest first."""
    opened: list[BinaryIO] = []
    left = tail
    for file in newest_first(path):
        if left == 0 and opened:
            file.close()
            continue
        opened.insert(0, file)
        if left is not None:
            start, found = last_lines(file, left) if left else (file.seek(0, os.SEEK_END), 0)
            file.seek(start)
            left -= found
    return opened


class LogReader:
    """Lines of one log, in order, none twice.  Close it."""

    def __init__(self, path: Path, wish: Wish) -> None:
        self._path, self._wish = path, wish
        self._files = open_at(path, wish.tail)
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

    def _rest_of(self, file: BinaryIO) -> Iterator[list[LogLine]]:
        if os.fstat(file.fileno()).st_size < file.tell():  # with one file only, it begins anew
            file.seek(0)
            self._partial = b""
        while data := file.read(BLOCK):
            whole, newline, rest = (self._partial + data).rpartition(b"\n")
            self._partial = rest  # its writer is in the middle of it
            yield self._wish.chosen(parse_lines(whole + newline)) if newline else []

    def _next_file(self) -> bool:
        """After a rotation the file that was read last has a successor."""
        newer = newest_first(self._path, identity(self._files[-1]))
        self._files += reversed(newer)
        return bool(newer)

    def _reopen(self) -> None:
        try:
            self._files.append(self._path.open("rb"))
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
    reader = LogReader(path, wish)
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
