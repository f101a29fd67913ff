"""One request and its answer, as values: all that a handler sees of HTTP.

A handler takes a ``Request`` and returns a ``Response`` (bytes), a ``Stream``
(its head is sent at once, then each chunk as it comes), or ``HIJACKED`` after
``Request.hijack`` gave the connection away.  How the bytes travel is in
``connection.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from minidocker.errors import InvalidParameter
from minidocker.wire.http import JSON, MULTIPLEXED_STREAM, RAW_STREAM

TEXT: Final = "text/plain; charset=utf-8"

MAX_JSON = 4 * 1024 * 1024
"""Bytes of a JSON body; a seccomp profile in a create is the largest one met."""

MAX_DIGITS: Final = 40  # of a number in JSON; that of a 64-bit one are 20


@dataclass(frozen=True)
class Response:
    """A whole answer.  ``body`` is sent with its Content-Length."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Stream:
    """An answer whose body comes later, in chunks.

    The head is flushed before the first chunk is asked for.  However the
    conversation ends, ``close`` is called and ``chunks`` is closed.  (A generator
    that was never asked for its first value has no ``finally`` to run yet; what was
    registered before the head was sent goes away by ``close``.)
    """

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    close: Callable[[], None] = lambda: None


class Hijacked:
    """The handler has taken the connection; there is nothing left to answer."""


HIJACKED: Final = Hijacked()
Answer = Response | Stream | Hijacked


@dataclass(frozen=True)
class RawConnection:
    """A connection given away.

    ``fd``: a duplicate of the client's socket, non-blocking, owned by who asked.
    ``early``: bytes that the client sent after its request and that were read already.
    """

    fd: int
    early: bytes


@dataclass(frozen=True)
class Job:
    """What is to be done for a request.

    ``lasting``: it only waits or streams for its client (logs -f, events, wait, pull),
    and is cancelled when that one goes away.  All else is brought to its end: a start
    that stops halfway helps nobody.
    """

    run: Callable[[], Awaitable[Answer]]
    lasting: bool = False


class Hijack(Protocol):
    """Answers with a head and gives the connection away.

    ``accept``: the handshake of a web socket (RFC 6455, Sec-WebSocket-Accept); with none
    it is the raw stream that dockerd answers ``Upgrade: tcp`` with.
    """

    async def __call__(self, content_type: str, accept: str = "") -> RawConnection: ...


@dataclass
class Request:
    """``path`` is decoded and without version prefix; ``params`` come from the route's pattern.

    ``version`` is the API version the client asked for, e.g. (1, 41).
    """

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]  # names in lower case
    chunks: AsyncIterator[bytes]
    hijack_with: Hijack
    version: tuple[int, int] = (0, 0)
    params: dict[str, str] = field(default_factory=dict)

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        return parse_query(self.raw_query)

    def text(self, name: str, default: str = "") -> str:
        """The query parameter's first value."""
        values = self.query.get(name)
        return values[0] if values else default

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean query parameter, by Docker's rule (moby httputils.BoolValue)."""
        if name not in self.query:
            return default
        return is_true(self.text(name))

    def number(self, name: str) -> int | None:
        """An int64, or None when absent or empty.  Raises ``InvalidParameter``."""
        text = self.text(name)
        if not text:
            return None
        wrong = f'{name}: strconv.Atoi: parsing "{text[:60]}"'
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            raise InvalidParameter(f"{wrong}: invalid syntax")
        if len(text) > 20 or not -(1 << 63) <= (number := int(text)) < 1 << 63:
            raise InvalidParameter(f"{wrong}: value out of range")
        return number

    async def body(self, limit: int = MAX_JSON) -> bytes:
        """The whole body.  Raises ``InvalidParameter`` when it is longer than ``limit``."""
        whole = bytearray()
        async for chunk in self.chunks:
            whole += chunk
            if len(whole) > limit:
                raise InvalidParameter(f"http: request body too large: more than {limit} bytes")
        return bytes(whole)

    async def json(self, required: bool = True) -> Any:
        """The body as JSON; None when it is empty and not ``required``.

        Raises ``InvalidParameter`` in dockerd's words: another content type, no body,
        malformed text, something after it.
        """
        raw = await self.body()
        if not raw.strip() and not required:
            return None
        kind = self.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != JSON and (kind or raw):
            raise InvalidParameter(
                f"unsupported Content-Type header ({kind}): must be '{JSON}'"
                if kind
                else f"missing Content-Type header: must be '{JSON}'"
            )
        return parse_json(raw)

    @property
    def upgrades(self) -> bool:
        """Whether the client asked for ``Upgrade: tcp``."""
        return "upgrade" in self.headers

    async def hijack(self, framed: bool = False) -> RawConnection:
        """Answer with the head of a raw stream, flush it, and give the connection away.

        ``framed``: the output will be in 8-byte frames, which clients of API 1.42
        and later are told by the content type (Engine API, ContainerAttach).
        Everything that can fail as an HTTP error must have been checked before.
        """
        told = framed and self.upgrades and self.version >= (1, 42)
        return await self.hijack_with(MULTIPLEXED_STREAM if told else RAW_STREAM)

    async def hijack_websocket(self, accept: str) -> RawConnection:
        """The same for a web socket whose handshake ``accept`` completes."""
        return await self.hijack_with("", accept)


def is_true(text: str) -> bool:
    """Docker's truth: everything but "", 0, no, false and none."""
    return text.strip().lower() not in ("", "0", "no", "false", "none")


def parse_query(raw: str) -> dict[str, list[str]]:
    """``a=1&a=2&b`` -> {"a": ["1", "2"], "b": [""]}.  Raises ``InvalidParameter``."""
    try:
        query = parse_qs(raw, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise InvalidParameter(f"malformed query: {error}") from None
    for name, values in query.items():
        if any("\0" in text for text in (name, *values)):  # which no path and no argument may have
            raise InvalidParameter(f"malformed query: {name!r} holds a zero byte")
    return query


def parse_json(raw: bytes) -> Any:
    """One JSON value.  Raises ``InvalidParameter`` ("invalid JSON: ...").

    Python would also take UTF-16, NaN, and half of a surrogate pair; no JSON has them (RFC 8259,
    sections 6 and 8), and the last cannot be written anywhere.
    """
    if not raw.strip():
        raise InvalidParameter("invalid JSON: got EOF while reading request body")
    try:
        text = raw.decode()
        if text.startswith("\ufeff"):
            raise ValueError("it begins with a byte order mark")
        value = json.loads(text, parse_constant=_no_constant, parse_int=_whole)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise InvalidParameter("invalid JSON: exceeded max depth") from None
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise InvalidParameter(f"invalid JSON: it is no UTF-8: {error.reason}") from None
    except ValueError as error:
        raise InvalidParameter(f"invalid JSON: {error}") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"the number {digits[:MAX_DIGITS]}... is too long")
    return int(digits)


def json_line(value: Any) -> bytes:
    """A value as Go's encoder writes it: compact, UTF-8, a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, json_line(value), JSON)


def error_response(status: int, message: str) -> Response:
    """The API's ErrorResponse: an object with the one key ``message``."""
    return json_response({"message": message}, status)
