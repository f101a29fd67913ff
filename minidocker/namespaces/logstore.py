"""Where the entries of a log go: files that rotate, and perhaps a process beside.

When ``NAME`` has reached its size it becomes ``NAME.1``, ``NAME.1`` becomes ``NAME.2``, and
the oldest goes.  Older ones may be compressed (``NAME.1.gz``), by a child, so that the
container need not wait; a reader finds in the head of the compressed file which one it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

GZ = ".gz"
BLOCK = 1 << 18
# RFC 1952: a member with an extra field; its subfield "mD" is the inode of what was compressed.
_HEAD = struct.Struct("<3sB4sBBH2sHQ")
_FEXTRA, _NO_TIME, _UNKNOWN = 4, b"\0\0\0\0", 255


class Sink(Protocol):
    """Takes whole entries.

    ``waiting``: bytes that it could not hand on yet; ``flush`` does when ``fd`` has room.
    """

    fd: int
    waiting: int

    def append(self, entries: bytes) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def open_file(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class Files:
    """``max_size`` in bytes (-1: never rotate), ``max_file`` files in all.

    ``fd``: of the file, if it is open already.
    """

    waiting = 0

    def __init__(
        self,
        path: str,
        max_size: int = -1,
        max_file: int = 1,
        fd: int = -1,
        compress: bool = False,
    ) -> None:
        self.path, self.max_size, self.max_file = path, max_size, max_file
        self._compress, self._compressor = compress, 0
        self._use(fd if fd >= 0 else open_file(path))

    def _use(self, fd: int) -> None:
        self.fd = fd
        self._size = os.fstat(fd).st_size

    def append(self, entries: bytes) -> None:
        """Whole lines.  No file becomes larger than ``max_size``, but for a line that is."""
        rest = memoryview(entries)
        while len(rest) > (fits := self._fitting(rest)):
            self._write(rest[:fits])
            rest = rest[fits:]
            if not self._rotate():
                break
        self._write(rest)

    def _fitting(self, rest: memoryview) -> int:
        """How much of ``rest`` goes into this file: whole lines."""
        room = self.max_size - self._size
        if self.max_size <= 0 or len(rest) <= room:
            return len(rest)
        fits = bytes(rest[: max(room, 0)]).rfind(b"\n") + 1
        if fits or self._size:
            return fits
        return bytes(rest).find(b"\n") + 1 or len(rest)

    def _write(self, data: memoryview) -> None:
        try:
            while data:
                written = os.write(self.fd, data)
                self._size += written
                data = data[written:]
        except OSError:
            # A full disk must not stop the container; Docker drops the lines too.
            pass

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """What is being compressed stays as it was, until the next rotation."""
        self._wait(kill=True)
        os.close(self.fd)

    def _rotate(self) -> bool:
        """Begin a new file; False when there is no room for one, and the old one goes on."""
        self._wait()  # it looks for files by the names that are about to change
        try:
            new = open_file(f"{self.path}.new")
        except OSError:
            return False
        names = [self.path] + [f"{self.path}.{number}" for number in range(1, self.max_file)]
        for kind in ("", GZ):
            with contextlib.suppress(OSError):
                os.unlink(names[-1] + kind)
        for number in range(self.max_file - 2, -1, -1):
            for kind in ("", GZ):  # together: a number is of one file, at any moment
                with contextlib.suppress(OSError):
                    os.rename(names[number] + kind, names[number + 1] + kind)
        os.rename(f"{self.path}.new", self.path)
        os.close(self.fd)
        self._use(new)
        if self._compress:
            self._compressor = child(lambda: compress_all(names[1:]))
        return True

    def _wait(self, kill: bool = False) -> None:
        if not self._compressor:
            return
        if kill:
            os.kill(self._compressor, signal.SIGKILL)
        os.waitpid(self._compressor, 0)
        self._compressor = 0


def child(work: Callable[[], None], keep: tuple[int, ...] = ()) -> int:
    """Fork, do ``work`` with no descriptors but ``keep``, and end; the child's pid."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        before = 2
        for fd in (*sorted(keep), 1 << 20):
            os.closerange(before + 1, fd)
            before = fd
        work()
        code = 0
    finally:
        os._exit(code)


def compress_all(paths: list[str]) -> None:
    """Those that are there and not compressed; also what a crash has left."""
    for path in paths:
        with contextlib.suppress(OSError):  # as it was, it can be read as well
            compress(path)


def compress(path: str) -> None:
    """Put ``PATH.gz`` in the place of ``path``.  Raises ``OSError``; then it is as it was."""
    import zlib

    temporary = f"{path}{GZ}.tmp"
    with open(path, "rb") as source, open(temporary, "wb") as target:
        status = os.fstat(source.fileno())
        target.write(head_of(status.st_ino))
        packer, checksum = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
        while block := source.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
            target.write(packer.compress(block))
        size = source.tell() & 0xFFFFFFFF
        target.write(packer.flush() + struct.pack("<II", checksum, size))
        target.flush()
        os.fchmod(target.fileno(), status.st_mode & 0o777)
        os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(temporary, path + GZ)
    os.unlink(path)


def head_of(inode: int) -> bytes:
    """RFC 1952, section 2.3: the member's header."""
    return _HEAD.pack(b"\x1f\x8b\x08", _FEXTRA, _NO_TIME, 0, _UNKNOWN, 12, b"mD", 8, inode)


def inode_in(head: bytes) -> int:
    """What ``head_of`` wrote; 0 where somebody else did."""
    if len(head) < _HEAD.size:
        return 0
    magic, flags, _, _, _, _, name, size, inode = _HEAD.unpack(head[: _HEAD.size])
    ours = (magic, flags, name, size) == (b"\x1f\x8b\x08", _FEXTRA, b"mD", 8)
    return int(inode) if ours else 0


class Aside:
    """``mode=non-blocking``: another process writes, and the container waits for no disk.

    ``limit``: bytes that may wait; entries beyond are dropped, whole ones.
    """

    def __init__(self, files: Files, limit: int) -> None:
        reader, self.fd = os.pipe()
        self._writer = child(lambda: _copy(reader, files), (reader, files.fd))
        os.close(reader)
        os.close(files.fd)
        os.set_blocking(self.fd, False)
        self._queue: deque[memoryview] = deque()
        self._limit = limit
        self.waiting = 0

    def append(self, entries: bytes) -> None:
        self.flush()
        rest = memoryview(entries)
        if self.waiting + len(rest) > self._limit:
            fits = entries.rfind(b"\n", 0, max(self._limit - self.waiting, 0)) + 1
            rest = rest[:fits]
        self._queue.append(rest)
        self.waiting += len(rest)
        self.flush()

    def flush(self) -> None:
        """Hand on what the other process takes now."""
        try:
            while self._queue:
                sent = os.write(self.fd, self._queue[0])
                self.waiting -= sent
                self._queue[0] = self._queue[0][sent:]
                if not self._queue[0]:
                    self._queue.popleft()
        except BlockingIOError:
            return
        except BrokenPipeError:  # it was killed
            self._queue.clear()
            self.waiting = 0

    def close(self) -> None:
        """Returns when everything is written."""
        os.set_blocking(self.fd, True)
        self.flush()
        os.close(self.fd)
        os.waitpid(self._writer, 0)


def _copy(reader: int, files: Files) -> None:
    rest = b""
    while block := os.read(reader, BLOCK):
        whole, newline, rest = (rest + block).rpartition(b"\n")
        files.append(whole + newline)
    files.close()
