"""DNS messages (RFC 1035): as much of them as a name service for containers reads and writes.

A query is a header, one question and perhaps an OPT record, which says how much its sender
can take (EDNS, RFC 6891).  Whoever runs in a container sends these bytes, so they are
read once from front to back: a pointer within a name is passed over, never followed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

A, PTR, AAAA, OPT, ANY = 1, 12, 28, 41, 255  # types (RFC 1035, 3.2; RFC 3596; RFC 6891)
IN: Final = 1  # the class of the Internet
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP = 0, 1, 2, 3, 4  # RCODEs (RFC 1035, 4.1.1)

_QR, _OPCODE, _TC, _RD, _RA, _CD = 0x8000, 0x7800, 0x0200, 0x0100, 0x0080, 0x0010
_HEADER = struct.Struct("!HHHHHH")  # ID, flags, how many questions, answers, others, more
_RECORD = struct.Struct("!HHIH")  # what follows a name: type, class, time to live, length
_OWNER: Final = b"\xc0\x0c"  # "the name at offset 12": the question's

SMALLEST: Final = 512
"""Bytes of a datagram that everybody takes (RFC 1035, 2.3.4)."""
LARGEST: Final = 65535
"""Bytes of a message over TCP, where two bytes before it say its length."""


class NoQuery(ValueError):
    """Bytes that nobody may answer: too short for a query, or themselves a reply."""


class BadQuery(ValueError):
    """A query that is answered with nothing but ``rcode``."""

    def __init__(self, rcode: int) -> None:
        super().__init__(rcode)
        self.rcode = rcode


@dataclass(frozen=True)
class Query:
    """``labels``: the parts of the name.  ``question``: as it came, to be repeated in the
    reply.  ``room``: bytes of a datagram that the sender takes.  ``edns``: it has an OPT record."""

    id: int
    flags: int
    labels: tuple[bytes, ...]
    kind: int
    net: int
    question: bytes
    room: int = SMALLEST
    edns: bool = False


def read_query(message: bytes) -> Query:
    """Raises ``NoQuery``, ``BadQuery``."""
    if len(message) < _HEADER.size:
        raise NoQuery
    id, flags, questions, *others = _HEADER.unpack_from(message)
    if flags & _QR:
        raise NoQuery
    if flags & _OPCODE:
        raise BadQuery(NOTIMP)
    if questions != 1:
        raise BadQuery(FORMERR)
    try:
        labels, at = _labels(message)
        kind, net = struct.unpack_from("!HH", message, at)
        sizes = _opt_sizes(message, at + 4, sum(others))
    except (struct.error, IndexError) as error:  # it ends too early
        raise BadQuery(FORMERR) from error
    if len(sizes) > 1:
        raise BadQuery(FORMERR)
    question = message[_HEADER.size : at + 4]
    room = max([SMALLEST, *sizes])
    return Query(id, flags, labels, kind, net, question, room, edns=bool(sizes))


def _labels(message: bytes) -> tuple[tuple[bytes, ...], int]:
    """The first name of a message, which can point to no earlier one, and where it ends."""
    labels, at = [], _HEADER.size
    while length := message[at]:
        # At most 63 bytes in a label and 255 in a name (RFC 1035, 2.3.4).
        if length > 63 or at + length - _HEADER.size > 253:
            raise BadQuery(FORMERR)
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    return tuple(labels), at + 1


def _opt_sizes(message: bytes, at: int, count: int) -> list[int]:
    """What each OPT record among the next ``count`` records says: its class is a size."""
    sizes = []
    for _ in range(count):
        while 0 < message[at] < 64:
            at += 1 + message[at]
        at += 2 if message[at] else 1  # a pointer ends a name
        kind, net, _, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size + length
        if at > len(message):
            raise IndexError
        if kind == OPT:
            sizes.append(net)
    return sizes


def write_reply(
    query: Query,
    answers: Sequence[tuple[int, bytes]] = (),
    *,
    rcode: int = NOERROR,
    ttl: int = 0,
    room: int = LARGEST,
) -> bytes:
    """The reply to ``query``.

    ``answers``: (type, data) each, of the name that was asked for, good for ``ttl`` seconds.
    Those that ``room`` bytes have no place for are left out, and the reply says so (TC).
    """
    records = [_OWNER + _RECORD.pack(kind, IN, ttl, len(data)) + data for kind, data in answers]
    opt = b"\0" + _RECORD.pack(OPT, SMALLEST, 0, 0) if query.edns else b""
    left = room - _HEADER.size - len(query.question) - len(opt)
    kept, flags = [], rcode
    for record in records:
        left -= len(record)
        if left < 0:
            flags |= _TC
            break
        kept.append(record)
    flags |= _QR | _RA | query.flags & (_RD | _CD)
    header = _HEADER.pack(query.id, flags, 1, len(kept), 0, bool(opt))
    return header + query.question + b"".join(kept) + opt


def write_error(message: bytes, rcode: int) -> bytes:
    """The reply to a query that cannot be read beyond its header."""
    id, flags, *_ = _HEADER.unpack_from(message)
    flags = _QR | _RA | flags & (_OPCODE | _RD) | rcode
    return _HEADER.pack(id, flags, 0, 0, 0, 0)


def rcode_of(reply: bytes) -> int:
    """How it went; ``reply`` has at least a header."""
    return reply[3] & 0xF


def with_id(message: bytes, id: int) -> bytes:
    """The same message under another number."""
    return id.to_bytes(2, "big") + message[2:]


def answers_to(query: Query, reply: bytes, id: int) -> bool:
    """Whether ``reply`` is the reply to ``query`` that was sent as number ``id``.

    Its question is the same; a server may write the name in other letters.
    """
    if len(reply) < _HEADER.size:
        return False
    number, flags, questions, *_ = _HEADER.unpack_from(reply)
    again = reply[_HEADER.size : _HEADER.size + len(query.question)]
    return (
        number == id
        and bool(flags & _QR)
        and questions == 1
        and again[:-4].lower() == query.question[:-4].lower()
        and again[-4:] == query.question[-4:]
    )


def cut(query: Query, reply: bytes, room: int) -> bytes:
    """``reply`` if it has ``room`` bytes at most; else its beginning, marked as cut off (TC)."""
    if len(reply) <= room:
        return reply
    id, flags, *_ = _HEADER.unpack_from(reply)
    return _HEADER.pack(id, flags | _TC, 1, 0, 0, 0) + query.question


def name_data(name: str) -> bytes:
    """A name as a record has it.  Raises ``ValueError`` for one that DNS cannot express."""
    labels = [label.encode() for label in name.split(".")]
    data = b"".join(bytes([len(label)]) + label for label in labels if len(label) < 64) + b"\0"
    if not all(0 < len(label) < 64 for label in labels) or len(data) > 255:
        raise ValueError(f"{name} is no name of DNS: a part has 1 to 63 bytes, all of it 255")
    return data
