"""The files of one log: ``NAME`` and, older and older, ``NAME.1``, ``NAME.2`` or ``NAME.2.gz``.

The writer may rename and compress them while they are looked for (``namespaces/logstore.py``).
What is open stays readable, and can be found again under whatever name it has by then.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from minidocker.namespaces.logstore import GZ, inode_in

BLOCK = 1 << 18  # bytes read at once; then others in the event loop get their turn
COARSE = 10**9  # ns by which a file's time may be before that of its last line


class LogFile:
    """One file, open for reading.

    ``identity`` stays the same when it is renamed, and when it is compressed.  Those of living
    files are all different, and of two that are not the newer one is meant: an inode is
    used again only after what had it is gone.
    """

    def __init__(self, path: Path) -> None:
        """Raises ``FileNotFoundError``."""
        self.packed = path.name.endswith(GZ)
        self._file: BinaryIO = path.open("rb")
        status = os.fstat(self._file.fileno())
        self.written_ns = status.st_mtime_ns
        self._real = self.identity = (status.st_dev, status.st_ino)
        if self.packed:
            self.identity = (status.st_dev, inode_in(self._file.read(64)))
            self._file.seek(0)
            self._file = cast(BinaryIO, gzip.GzipFile(fileobj=self._file))

    def read(self, size: int = BLOCK) -> bytes:
        try:
            return self._file.read(size)
        except (EOFError, OSError, zlib.error):  # the machine went off in the middle of it
            return b""

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(at, whence)

    def to_last_lines(self, count: int) -> int:
        """Go to where the last ``count`` lines begin; how many there are (at most ``count``)."""
        if count == 0 and not self.packed:
            self.seek(0, os.SEEK_END)
            return 0
        find = last_lines_forwards if self.packed else last_lines
        at, found = find(self, count)
        self.seek(at)
        return found

    def was_cut(self) -> bool:
        """Somebody emptied it under our eyes."""
        return not self.packed and os.fstat(self._file.fileno()).st_size < self._file.tell()

    def is_still(self, path: Path) -> bool:
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._real

    def close(self) -> None:
        self._file.close()


def numbered(path: Path, number: int) -> tuple[Path, ...]:
    """The names of the log's file ``number``: the higher, the older.

    Of the two the second is there before the first goes.
    """
    name = f"{path.name}.{number}"
    return (path.with_name(name), path.with_name(name + GZ)) if number else (path,)


def newest_first(path: Path, last: tuple[int, int] | None = None) -> list[LogFile]:
    """The files of a log, open, the newest first, down to the one before ``last``.

    A rotation may go on meanwhile: what was opened counts only if afterwards every file
    still has the name under which it was found, and is closed and opened anew if not.
    """
    while True:
        opened: dict[int, tuple[Path, LogFile]] = {}
        number = 0
        while number < 2 or number - 1 in opened or number - 2 in opened:
            for name in numbered(path, number):
                with contextlib.suppress(FileNotFoundError):  # a rotation makes a gap of one
                    opened[number] = name, LogFile(name)
                    break
            if number in opened and opened[number][1].identity == last:
                break
            number += 1
        files = [file for _, file in opened.values()]
        if all(file.is_still(name) for name, file in opened.values()):
            if files and files[-1].identity == last:
                files.pop().close()
            return files
        for file in files:
            file.close()


def last_lines(file: LogFile | BinaryIO, count: int) -> tuple[int, int]:
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


def last_lines_forwards(file: LogFile | BinaryIO, count: int) -> tuple[int, int]:
    """The same where going back is dear: once to count the lines, once to find the place."""
    total = 0
    while block := file.read(BLOCK):
        total += block.count(b"\n")
    skipped, at = max(total - count, 0), 0
    file.seek(0)
    while skipped and (block := file.read(BLOCK)):
        there = block.count(b"\n")
        if there < skipped:
            skipped -= there
            at += len(block)
            continue
        stop = -1
        for _ in range(skipped):
            stop = block.index(b"\n", stop + 1)
        return at + stop + 1, count
    return 0, min(count, total)


def open_at(path: Path, tail: int | None, since_ns: int = 0) -> list[LogFile]:
    """The log's files, open, each where reading begins; oldest first.

    Those that were written before ``since_ns`` (Unix time) are left out.
    """
    opened: list[LogFile] = []
    left = tail
    for file in newest_first(path):
        if opened and (left == 0 or file.written_ns + COARSE < since_ns):
            file.close()
            continue
        opened.insert(0, file)
        if left is not None:
            left -= file.to_last_lines(left)
    return opened
