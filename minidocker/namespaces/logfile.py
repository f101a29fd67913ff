"""The container's log: Docker's json-file, one JSON object a line.

    {"log":"hello\\n","stream":"stdout","time":"2024-05-01T10:00:00.123456789Z"}

Written by the monitor, so it is complete whatever happens to the daemon.  An entry may have
"attrs" before its time: the container's labels, variables and tag that its log options name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from minidocker.namespaces.logstore import Aside, Files, Sink, open_file

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


def has_long_line(data: bytes) -> bool:
    """Whether a line (its newline not counted) has ``MAX_LINE`` bytes or more.

    Looks for the last newline of each ``MAX_LINE`` bytes only, so a block costs a few steps.
    """
    begin = 0
    while len(data) - begin >= MAX_LINE:
        newline = data.rfind(b"\n", begin, begin + MAX_LINE)
        if newline < 0:
            return True
        begin = newline + 1
    return False


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


def frame_of(stream: str, now_ns: int, attributes: str = "") -> tuple[bytes, bytes]:
    """What stands in an entry before and after the text.  ``attributes``: as JSON, if any."""
    more = f',"attrs":{attributes}' if attributes else ""
    tail = f'","stream":"{stream}"{more},"time":"{timestamp(now_ns)}"}}\n'
    return b'{"log":"', tail.encode()


def encode_lines(data: bytes, stream: str, now_ns: int, attributes: str = "") -> bytes:
    """Whole lines of the container as entries of the log, one each."""
    head, tail = frame_of(stream, now_ns, attributes)
    end = b"\\n" + tail
    return b"".join((head, escape(data[:-1]).replace(b"\n", end + head), end))


def encode_pieces(pieces: Iterable[bytes], stream: str, now_ns: int, attributes: str = "") -> bytes:
    """An entry for each piece, with a newline at its end or without."""
    head, tail = frame_of(stream, now_ns, attributes)
    return b"".join(head + escape(piece).replace(b"\n", b"\\n") + tail for piece in pieces)


def open_log(log: Mapping[str, Any]) -> int:
    """A descriptor that appends to the log (the launch protocol's ``log``); -1: none is kept."""
    return -1 if log["driver"] == "none" else open_file(log["path"])


def log_writer(log: Mapping[str, Any], fd: int) -> JsonLog:
    """The writer for the launch protocol's ``log``, which ``open_log`` opened."""
    files = Files(
        log["path"],
        log.get("max_size", -1),
        log.get("max_file", 1),
        fd,
        compress=log.get("compress", False),
    )
    buffer = log.get("buffer", 0)
    return JsonLog(Aside(files, buffer) if buffer else files, log.get("attributes"))


class JsonLog:
    """The writer.  ``sink`` is where its entries go."""

    def __init__(self, sink: Sink, attributes: Mapping[str, str] | None = None) -> None:
        self._sink = sink
        self._attributes = ""
        if attributes:
            self._attributes = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
        self._rest = {"stdout": b"", "stderr": b""}

    @property
    def fd(self) -> int:
        return self._sink.fd

    @property
    def waiting(self) -> bool:
        """Whether ``flush`` is to be called when ``fd`` can be written."""
        return self._sink.waiting > 0

    def flush(self) -> None:
        self._sink.flush()

    def write(self, stream: str, data: bytes) -> None:
        """Take bytes as they come; the last line waits until it is complete."""
        data = self._rest[stream] + data
        if not has_long_line(data):
            end = data.rfind(b"\n") + 1
            if end:
                now = time.time_ns()
                self._sink.append(encode_lines(data[:end], stream, now, self._attributes))
            self._rest[stream] = data[end:]
            return
        pieces, self._rest[stream] = split_lines(data)
        self._append(pieces, stream)

    def _append(self, pieces: list[bytes], stream: str) -> None:
        self._sink.append(encode_pieces(pieces, stream, time.time_ns(), self._attributes))

    def close(self) -> None:
        """Write what is left without a newline, and close."""
        for stream, rest in self._rest.items():
            if rest:
                self._append([rest], stream)
        self._sink.close()


class NoLog:
    """``--log-driver none``: nothing is kept."""

    fd = -1
    waiting = False

    def flush(self) -> None:
        """Nothing waits."""

    def write(self, stream: str, data: bytes) -> None:
        """Let it go."""

    def close(self) -> None:
        """Nothing to close."""
