"""The container's log: Docker's json-file, one JSON object a line.

    {"log":"hello\\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}

Written by the monitor, so it is complete whatever happens to the daemon.  When
a file has reached its size, ``NAME`` becomes ``NAME.1``, ``NAME.1`` becomes
``NAME.2``, and the oldest goes.
"""

from __future__ import annotations

import os
import time
from json.encoder import encode_basestring

MAX_LINE = 16384  # a longer line is cut in pieces, as Docker does


def timestamp(now_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, nine digits."""
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def split_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Complete lines (with their newline, or of ``MAX_LINE`` bytes), and the rest.

    The pieces and the rest together are ``data``.
    """
    pieces = data.split(b"\n")
    rest = pieces.pop()
    lines = [piece + b"\n" for piece in pieces]
    if len(rest) >= MAX_LINE or any(len(line) > MAX_LINE for line in lines):
        cut: list[bytes] = []
        for line in lines:
            cut += [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)]
        whole = len(rest) - len(rest) % MAX_LINE
        cut += [rest[at : at + MAX_LINE] for at in range(0, whole, MAX_LINE)]
        return cut, rest[whole:]
    return lines, rest


def encode_entries(lines: list[bytes], stream: str, now_ns: int) -> bytes:
    """Lines of the container as lines of the log.  Bytes that are no UTF-8 become U+FFFD."""
    tail = f',"stream":"{stream}","time":"{timestamp(now_ns)}"}}\n'
    return "".join(
        [f'{{"log":{encode_basestring(line.decode(errors="replace"))}{tail}' for line in lines]
    ).encode()


def open_log(path: str | None) -> int:
    """A descriptor that appends to the log at ``path``; -1 for None, where none is kept."""
    if path is None:
        return -1
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class JsonLog:
    """The writer.  ``max_size`` in bytes (-1: never rotate), ``max_file`` files in all.

    ``fd``: of the file, if it is open already (``open_log``).
    """

    def __init__(self, path: str, max_size: int = -1, max_file: int = 1, fd: int = -1) -> None:
        self.path, self.max_size, self.max_file = path, max_size, max_file
        self._rest = {"stdout": b"", "stderr": b""}
        self._use(fd if fd >= 0 else open_log(path))

    def _use(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes as they come; the last line waits until it is complete."""
        lines, self._rest[stream] = split_lines(self._rest[stream] + data)
        if lines:
            self._append(encode_entries(lines, stream, time.time_ns()))

    def close(self) -> None:
        """Write what is left without a newline, and close."""
        for stream, rest in self._rest.items():
            if rest:
                self._append(encode_entries([rest], stream, time.time_ns()))
        os.close(self._fd)

    def _append(self, entries: bytes) -> None:
        if self.max_size > 0 and self._size and self._size + len(entries) > self.max_size:
            self._rotate()
        view = memoryview(entries)
        try:
            while view:
                written = os.write(self._fd, view)
                self._size += written
                view = view[written:]
        except OSError:
            # A full disk must not stop the container; Docker drops the lines too.
            pass

    def _rotate(self) -> None:
        os.close(self._fd)
        for number in range(self.max_file - 1, 0, -1):
            older = self.path if number == 1 else f"{self.path}.{number - 1}"
            try:
                os.replace(older, f"{self.path}.{number}")
            except FileNotFoundError:
                continue
        if self.max_file <= 1:
            os.truncate(self.path, 0)
        self._use(open_log(self.path))


class NoLog:
    """``--log-driver none``: nothing is kept."""

    def write(self, stream: str, data: bytes) -> None:
        """Let it go."""

    def close(self) -> None:
        """Nothing to close."""
