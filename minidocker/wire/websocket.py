"""WebSocket (RFC 6455), the server's side: the handshake's key and the frames.

Pure: bytes in, messages out, and the reverse.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from typing import Final

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES: Final = {CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG}
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
MOST: Final = 1 << 20
"""Bytes of one frame that a client may send: what is typed comes in far smaller ones."""

NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009  # section 7.4.1


class WrongFrame(Exception):
    """The client breaks the protocol.  ``code``: for the closing frame."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Frame:
    opcode: int
    data: bytes


def accept_key(key: str) -> str:
    """``Sec-WebSocket-Accept`` for the client's ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1((key.strip() + _GUID).encode()).digest()).decode()


def is_key(key: str) -> bool:
    """Whether it is what section 4.1 asks for: 16 bytes in base64."""
    try:
        return len(base64.b64decode(key.strip(), validate=True)) == 16
    except ValueError:
        return False


def encode(opcode: int, data: bytes) -> bytes:
    """One whole frame, not masked, as a server sends it (section 5.2)."""
    size = len(data)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + data


def closing(code: int) -> bytes:
    """The frame that ends the conversation."""
    return encode(CLOSE, struct.pack(">H", code))


class Decoder:
    """A client's frames.  Messages in pieces are given on piece by piece."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._within = False  # a message that is not complete yet

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now.  Raises ``WrongFrame``."""
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        head = self._buffer
        if len(head) < 2:
            return None
        opcode, last, size, start = head[0] & 0xF, bool(head[0] & 0x80), head[1] & 0x7F, 2
        self._check(opcode, last, size, head)
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(head) < 2 + width:
                return None
            size, start = int.from_bytes(head[2 : 2 + width], "big"), 2 + width
        if size > MOST:
            raise WrongFrame(f"a frame of {size} bytes", TOO_BIG)
        if len(head) < start + 4 + size:
            return None
        mask, body = head[start : start + 4], head[start + 4 : start + 4 + size]
        del self._buffer[: start + 4 + size]
        if opcode < CLOSE:
            self._within = not last
        return Frame(opcode, unmasked(bytes(body), bytes(mask)))

    def _check(self, opcode: int, last: bool, size: int, head: bytearray) -> None:
        if head[0] & 0x70:
            raise WrongFrame("bits of an extension that nobody agreed on")
        if not head[1] & 0x80:
            raise WrongFrame("a client's frame must be masked")
        if opcode not in _OPCODES:
            raise WrongFrame(f"no such opcode: {opcode}")
        if opcode >= CLOSE and (not last or size > 125):
            raise WrongFrame("a control frame must be short and whole")
        if opcode < CLOSE and (opcode == CONTINUATION) != self._within:
            raise WrongFrame("pieces of messages out of order")


def unmasked(data: bytes, mask: bytes) -> bytes:
    """Section 5.3; masking is the same."""
    size = len(data)
    whole = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")
