"""The container's log: Docker's json-file, one JSON object a line.

    {"log":"hello\\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}

Written by the monitor, so it is complete whatever happens to the daemon.  When
a file has reached its size, ``NAME`` becomes ``NAME.1``, ``NAME.1`` becomes
``NAME.2``, and the oldest goes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

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


def escape(data: bytes) -> bytes:
    """``data`` as it stands in a JSON string, but for its newlines (RFC 8259, section 7).

    Bytes that are no UTF-8 become U+FFFD.  A replacement of bytes that are not there costs
    next to nothing, so whole blocks are escaped at once.
    """
    if not data.isascii():
        data = data.decode(errors="replace").encode()
    escaped = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for control in set(data.translate(None, _NO_CONTROLS)):
        name = json.dumps(chr(control))[1:-1]
        escaped = escaped.replace(bytes([control]), name.encode())
    return escaped


_NO_CONTROLS = b"\n" + bytes(range(0x20, 0x100))


def frame_of(stream: str, now_ns: int) -> tuple[bytes, bytes]:
    """What stands in an entry before and after the text."""
    return b'{"log":"', f'","stream":"{stream}","time":"{timestamp(now_ns)}"}}\n'.encode()


def encode_lines(data: bytes, stream: str, now_ns: int) -> bytes:
    """Whole lines of the container as entries of the log, one each."""
    head, tail = frame_of(stream, now_ns)
    between = b"\\n" + tail + head
    return head + escape(data).replace(b"\n", between)[: -len(head)]


def encode_pieces(pieces: Iterable[bytes], stream: str, now_ns: int) -> bytes:
    """An entry for each piece, with a newline at its end or without."""
    head, tail = frame_of(stream, now_ns)
    return b"".join(head + escape(piece).replace(b"\n", b"\\n") + tail for piece in pieces)


def open_log(log: Mapping[str, Any]) -> int:
    """A descriptor that appends to the log (the launch protocol's ``log``); -1: none is kept."""
    return -1 if log["driver"] == "none" else open_file(log["path"])


def open_file(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class JsonLog:
    """The writer.  ``max_size`` in bytes (-1: never rotate), ``max_file`` files in all.

    ``fd``: of the file, if it is open already (``open_log``).
    """

    def __init__(self, path: str, max_size: int = -1, max_file: int = 1, fd: int = -1) -> None:
        self.path, self.max_size, self.max_file = path, max_size, max_file
        self._rest = {"stdout": b"", "stderr": b""}
        self._use(fd if fd >= 0 else open_file(path))

    def _use(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes as they come; the last line waits until it is complete."""
        data = self._rest[stream] + data
        if max(map(len, data.split(b"\n"))) < MAX_LINE:
            whole, newline, self._rest[stream] = data.rpartition(b"\n")
            if newline:
                self._append(encode_lines(whole + newline, stream, time.time_ns()))
            return
        pieces, self._rest[stream] = split_lines(data)
        self._append(encode_pieces(pieces, stream, time.time_ns()))

    def close(self) -> None:
        """Write what is left without a newline, and close."""
        for stream, rest in self._rest.items():
            if rest:
                self._append(encode_pieces([rest], stream, time.time_ns()))
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
        self._use(open_file(self.path))


class NoLog:
    """``--log-driver none``: nothing is kept."""

    def write(self, stream: str, data: bytes) -> None:
        """Let it go."""

    def close(self) -> None:
        """Nothing to close."""
