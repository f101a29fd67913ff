"""Concatenated JSON objects: how pull, build, events and stats report.

The daemon writes one object after the other on one response; nothing but
white space stands between them, and a client must not count on newlines.
The messages of pull and push (Engine API, ImageCreate) are made here too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from minidocker.errors import InvalidParameter

MEDIA_TYPE = "application/json"

# Where the nesting may change.  All of it is ASCII, and no byte of a longer
# UTF-8 sequence is: so objects can be cut out of bytes before decoding them.
STRUCTURE = re.compile(rb'[\[\]{}"\\]')


def encode(message: object) -> bytes:
    """One value, compact, with the line end that dockerd writes."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\r\n"


class JsonDecoder:
    """Objects (or arrays) out of bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._pending = b""
        self._seen = 0  # how much of _pending has been looked at
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[Any]:
        """The values that ``data`` completes, in order.

        Raises ``InvalidParameter`` when the bytes are not JSON objects or
        arrays, with what stands there instead.
        """
        self._pending += data
        values = []
        start, at = 0, self._seen
        while found := STRUCTURE.search(self._pending, at):
            at = found.end()
            if self._depth == 0:
                self._only_space(self._pending[start : found.start()])
            if found[0] == b"\\" and at == len(self._pending):
                at -= 1  # what it escapes is still to come: look at it again
                break
            at += self._step(found[0])
            if self._depth == 0 and not self._in_string:
                values.append(_loads(self._pending[start:at]))
                start = at
        else:
            at = len(self._pending)
            if self._depth == 0:
                self._only_space(self._pending[start:])
                start = at
        self._pending, self._seen = self._pending[start:], at - start
        return values

    def _step(self, mark: bytes) -> int:
        """Account for one structural byte; returns how many bytes after it to skip."""
        if self._in_string:
            if mark == b'"':
                self._in_string = False
            return mark == b"\\"
        if mark == b'"':
            self._in_string = True
        elif mark in b"[{":
            self._depth += 1
        elif mark in b"]}":
            self._depth -= 1
        if (self._depth == 0 and mark not in b"]}") or self._depth < 0:
            raise InvalidParameter(f"a stream of JSON objects does not begin with {mark!r}")
        return 0

    def _only_space(self, between: bytes) -> None:
        if between.strip():
            raise InvalidParameter(f"a stream of JSON objects holds {between.strip()[:80]!r}")

    @property
    def complete(self) -> bool:
        """Whether the bytes so far end between two values: at EOF, False means a cut."""
        return not self._pending


def _loads(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"a stream of JSON objects holds {text[:80]!r}: {error}") from error


def progress(
    status: str,
    id: str = "",
    current: int | None = None,
    total: int | None = None,
) -> dict[str, Any]:
    """A progress message: ``status`` of the layer (or tag) ``id``; sizes in bytes, if known."""
    message: dict[str, Any] = {"status": status}
    detail = {"current": current, "total": total}
    if id:
        message["progressDetail"] = {k: v for k, v in detail.items() if v is not None}
        message["id"] = id
    return message


def failure(text: str, code: int | None = None) -> dict[str, Any]:
    """The last message of a stream that failed after its headers were sent."""
    detail: dict[str, Any] = {"message": text}
    if code is not None:
        detail["code"] = code
    return {"errorDetail": detail, "error": text}
