"""The 8-byte stream frame: how stdout and stderr share one connection.

Without a terminal, attach, exec and logs carry several streams at once.  Each
piece is preceded by a header (Engine API, operation ContainerAttach, "Stream
format"):

    byte 0      which stream: 0 stdin, 1 stdout, 2 stderr, 3 an error of the daemon itself
    bytes 1-3   zero
    bytes 4-7   the payload's length, big-endian

The boundaries of frames mean nothing: what counts is the sequence of bytes of
each stream, and how the streams alternate.
"""

from __future__ import annotations

import struct

from minidocker.errors import InvalidParameter

STDIN, STDOUT, STDERR, SYSTEM_ERROR = 0, 1, 2, 3

HEADER = struct.Struct(">BxxxI")


def encode(stream: int, payload: bytes) -> bytes:
    """One frame: the header for ``stream`` (0 to 3), then ``payload`` (less than 4 GiB)."""
    return HEADER.pack(stream, len(payload)) + payload


class FrameDecoder:
    """Frames out of bytes that come in pieces of any size.

    A payload is handed on as it comes, never collected: a frame of 4 GiB
    costs no memory, and a prompt without a newline shows at once.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = STDIN
        self._missing = 0  # bytes of the current payload still to come

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces in ``data`` as (stream, bytes), in order, none of them empty.

        One frame may come out as several pieces.  Raises ``InvalidParameter``
        at a header that is none: the connection carries something else.
        """
        pieces = []
        view = memoryview(data)
        while view:
            if self._missing:
                payload, view = view[: self._missing], view[self._missing :]
                self._missing -= len(payload)
                pieces.append((self._stream, bytes(payload)))
            else:
                wanted = HEADER.size - len(self._header)
                self._header, view = self._header + bytes(view[:wanted]), view[wanted:]
                if len(self._header) == HEADER.size:
                    self._begin()
        return pieces

    def _begin(self) -> None:
        header, self._header = self._header, b""
        self._stream, self._missing = HEADER.unpack(header)
        if self._stream > SYSTEM_ERROR or any(header[1:4]):
            raise InvalidParameter(
                f"Unrecognized stream: {header[0]}: the connection does not carry frames"
            )

    @property
    def complete(self) -> bool:
        """Whether the bytes so far end with a frame's end: at EOF, False means a cut."""
        return not self._header and not self._missing
