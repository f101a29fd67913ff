"""Layers come plain, gzipped or as zstd; here they become plain.

Which one it is, the first bytes say: media types are often wrong.  Both
compressions may be a row of independent members (eStargz and zstd:chunked layers
are), read as one stream.

RFC 1952 (gzip), RFC 8878 (zstd).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

import zstandard

from minidocker.errors import InvalidParameter
from minidocker.layers.sources import Source

PIECE = 1 << 17  # bytes of compressed data read at once

GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# RFC 8878, 3.1.2: 0x184D2A5? begins a skippable frame; zstd:chunked may begin with one.
SKIPPABLE = tuple(bytes((0x50 + i, 0x2A, 0x4D, 0x18)) for i in range(16))


def compression_of(head: bytes) -> str:
    """``gzip``, ``zstd`` or ``none``, from the first four bytes (or fewer, of a short file)."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith((ZSTD_MAGIC, *SKIPPABLE)):
        return "zstd"
    return "none"


def open_layer(file: Source) -> Source:
    """The uncompressed bytes of the layer in ``file``.

    Its ``read`` raises ``InvalidParameter`` when the compressed data are damaged, or
    (gzip) end too early; cut zstd data just end, and the diff ID tells.
    """
    head = read_head(file, 4)
    kind = compression_of(head)
    return {"gzip": Gunzip, "zstd": Unzstd, "none": Plain}[kind](head, file)


def read_head(file: Source, size: int) -> bytes:
    """The first ``size`` bytes, however they come; fewer of a shorter file."""
    head = file.read(size)
    while len(head) < size and (more := file.read(size - len(head))):
        head += more
    return head


def gzip_compress(pieces: Iterable[bytes], level: int = 6) -> Iterator[bytes]:
    """The pieces as one gzip member; the same bytes in give the same bytes out.

    ``gzip.compress`` puts the time of day into the header; here it is 0, and
    there is no file name (RFC 1952, 2.3: MTIME 0 is "no time stamp").
    """
    yield GZIP_MAGIC + bytes((0, 0, 0, 0, 0, 0, 0xFF))  # no flags, no time, unknown system
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum, size = 0, 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        size += len(piece)
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF)


class Plain:
    """No compression: the bytes already looked at, then the rest."""

    def __init__(self, head: bytes, file: Source) -> None:
        self._head = head
        self._file = file

    def read(self, size: int, /) -> bytes:
        data = self._head or self._file.read(size)
        self._head = data[size:]
        return data[:size]


class Gunzip(Plain):
    """gzip, member after member; zeros behind one are padding, as for gzip(1)."""

    def __init__(self, head: bytes, file: Source) -> None:
        super().__init__(head, file)
        self._member = zlib.decompressobj(wbits=31)

    def read(self, size: int, /) -> bytes:
        """Inflate ``size`` bytes at most, however far the data would stretch."""
        while self._input():
            try:
                data = self._member.decompress(self._head, size)
            except zlib.error as error:
                raise InvalidParameter(f"the layer's gzip data are damaged: {error}") from None
            self._head = self._member.unused_data or self._member.unconsumed_tail
            if data:
                return data
        return b""

    def _input(self) -> bool:
        """See to it that there is compressed data to go on with; False at the proper end."""
        while True:
            if self._member.eof:
                self._head = self._head.lstrip(b"\0")
            if self._head:
                if self._member.eof:
                    self._member = zlib.decompressobj(wbits=31)
                return True
            self._head = self._file.read(PIECE)
            if not self._head:
                if not self._member.eof:
                    raise InvalidParameter("the layer's gzip data end too early")
                return False


class Unzstd(Plain):
    """zstd, frame after frame."""

    # The window a frame may ask for: as the zstd command's --ultra, no more.
    MAX_WINDOW = 1 << 27

    def __init__(self, head: bytes, file: Source) -> None:
        super().__init__(head, file)
        unpacker = zstandard.ZstdDecompressor(max_window_size=self.MAX_WINDOW)
        self._reader = unpacker.stream_reader(
            cast(BinaryIO, Plain(head, file)), read_size=PIECE, read_across_frames=True
        )

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            raise InvalidParameter(f"the layer's zstd data are damaged: {error}") from None
