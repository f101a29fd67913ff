"""What people feed us as a tar: plain, gzip, zstd, xz or bzip2, told by its first bytes.

Layers in registries come in the first three forms only (``compression``); files that
a user loads or imports may be any that dockerd takes.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from typing import Protocol

from minidocker.errors import InvalidParameter
from minidocker.layers.compression import PIECE, Plain, open_layer, read_head
from minidocker.layers.sources import Source

XZ_MAGIC = b"\xfd7zXZ\x00"
BZIP2_MAGIC = b"BZh"
XZ_MEMORY = 1 << 28  # bytes; xz -9 needs 65 MiB to unpack


class Decompressor(Protocol):
    """What ``lzma`` and ``bz2`` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def open_archive(file: Source) -> Source:
    """The uncompressed bytes of ``file``.

    Its ``read`` raises ``InvalidParameter`` when the compressed data are damaged, or end
    too early.
    """
    head = read_head(file, len(XZ_MAGIC))
    if head.startswith(XZ_MAGIC):
        return Streams(head, file, "xz", lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY))
    if head.startswith(BZIP2_MAGIC):
        return Streams(head, file, "bzip2", bz2.BZ2Decompressor)
    return open_layer(Plain(head, file))


class Streams(Plain):
    """Stream after stream of one compression; zeros behind one are padding."""

    def __init__(
        self, head: bytes, file: Source, name: str, make: Callable[[], Decompressor]
    ) -> None:
        super().__init__(head, file)
        self._name = name
        self._make = make
        self._stream = make()

    def read(self, size: int, /) -> bytes:
        """Unpack ``size`` bytes at most, however far the data would stretch."""
        while True:
            if self._stream.eof and not self._next_stream():
                return b""
            data = b""
            if self._stream.needs_input and not self._head:
                self._head = self._file.read(PIECE)
                if not self._head:
                    raise InvalidParameter(f"the {self._name} data end too early")
            try:
                data = self._stream.decompress(self._head, size)
            except (lzma.LZMAError, OSError, ValueError) as error:
                raise InvalidParameter(f"the {self._name} data are damaged: {error}") from None
            self._head = b""
            if data:
                return data

    def _next_stream(self) -> bool:
        self._head = self._stream.unused_data.lstrip(b"\0")
        while not self._head:
            more = self._file.read(PIECE)
            if not more:
                return False
            self._head = more.lstrip(b"\0")
        self._stream = self._make()
        return True
