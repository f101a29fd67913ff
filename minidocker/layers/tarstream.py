"""A layer's tar, read once, front to back: hashed, counted and parsed on the way.

The standard library parses the headers.  What it is given is not the file but
a ``Counted`` stream, which cannot be made to go back, to hold much in memory, or
to go on for ever.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from minidocker.errors import InvalidParameter
from minidocker.layers.metadata import Metadata

PIECE = 1 << 18  # bytes read at once
HEADER = 1 << 20  # no header of an entry is longer; Go's reader has the same limit
BLOCK = 512

XATTR = "SCHILY.xattr."
LATEST = 1 << 40  # seconds; no file system keeps later times


@dataclass(frozen=True)
class Limits:
    """How much one layer may be; beyond it, it is a bomb and no layer.

    ``size``: bytes, of the tar and of all files it makes (a sparse file counts in
    full).  ``depth``: directories in each other.
    """

    size: int = 64 << 30
    entries: int = 4_000_000
    depth: int = 256
    path: int = 4096  # bytes, as the kernel's PATH_MAX


class Counted:
    """A forward-only file for ``tarfile`` over ``source``, which hashes all that passes."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._limit = limit
        self._position = 0
        self.last = b""  # the last block that was read

    @property
    def diff_id(self) -> str:
        """The digest of everything up to here."""
        return f"sha256:{self._hash.hexdigest()}"

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the end.  ``InvalidParameter`` past a limit."""
        if not 0 <= size <= HEADER:
            raise InvalidParameter(f"the layer has a header of {size} bytes")
        data = self._source.read(size)
        self._hash.update(data)
        self._position += len(data)
        if self._position > self._limit:
            raise InvalidParameter(f"the layer unpacks to more than {self._limit} bytes")
        self.last = data
        return data

    def seek(self, position: int) -> int:
        """Go on to ``position``, which is not behind; stops at the end of the file."""
        if position < self._position:
            raise InvalidParameter("the layer's tar wants to be read backwards")
        while self._position < position:
            if not self.read(min(PIECE, position - self._position)):
                break
        return self._position

    def drain(self) -> None:
        """Read to the end: the padding behind the archive is part of the diff ID."""
        while self.read(PIECE):
            pass


def entries(stream: Counted, limits: Limits) -> Iterator[tarfile.TarInfo]:
    """The entries of the tar.  Raises ``InvalidParameter`` when it is damaged, or too many."""
    tar = _begin(stream)
    count = 0
    while tar is not None and (entry := _next(tar)) is not None:
        count += 1
        if count > limits.entries:
            raise InvalidParameter(f"the layer has more than {limits.entries} entries")
        yield entry
        tar.members = []  # type: ignore[attr-defined]  # or they would fill the memory
    # tarfile takes a header that makes no sense for the end of the archive.
    if stream.last.strip(b"\0"):
        raise InvalidParameter("the layer's tar is damaged")


def _begin(stream: Counted) -> tarfile.TarFile | None:
    """None for no bytes at all: Go's reader, and so Docker, takes that for an empty archive."""
    try:
        return tarfile.TarFile(
            fileobj=cast(BinaryIO, stream), encoding="utf-8", errors="surrogateescape"
        )
    except tarfile.ReadError as error:
        if stream.tell() == 0:
            return None
        raise InvalidParameter(f"the layer is no tar: {error}") from None
    except _MALFORMED as error:
        raise InvalidParameter(f"the layer's tar is damaged: {error}") from None


# What malformed numbers and endless chains of extended headers make tarfile raise.
_MALFORMED = (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError)


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except _MALFORMED as error:
        raise InvalidParameter(f"the layer's tar is damaged: {error}") from None


def pieces(stream: Counted, entry: tarfile.TarInfo) -> Iterator[tuple[int, bytes]]:
    """The content of a file, as (offset, bytes): a sparse file has holes between them."""
    stream.seek(entry.offset_data)
    sparse = cast("list[tuple[int, int]] | None", entry.sparse)
    extents = [(0, entry.size)] if sparse is None else sparse
    for offset, size in extents:
        if offset < 0 or size < 0 or offset + size > entry.size:
            raise InvalidParameter(f"the layer's sparse file {entry.name!r} is damaged")
        end = offset + size
        while offset < end:
            data = stream.read(min(PIECE, end - offset))
            if not data:
                raise InvalidParameter(f"the layer ends inside of {entry.name!r}")
            yield offset, data
            offset += len(data)


def metadata_of(entry: tarfile.TarInfo) -> Metadata:
    """Owner, mode, time and extended attributes of an entry (pax(1); the attributes as star's)."""
    for number in (entry.uid, entry.gid):
        if not 0 <= number < (1 << 32) - 1:
            raise InvalidParameter(f"the layer has an owner out of range: {entry.name!r}: {number}")
    xattrs = {
        key.removeprefix(XATTR): value.encode("utf-8", "surrogateescape")
        for key, value in entry.pax_headers.items()
        if key.startswith(XATTR)
    }
    if any("\0" in name for name in xattrs):
        raise InvalidParameter(f"the layer has an attribute without a name: {entry.name!r}")
    time = nanoseconds(entry.pax_headers.get("mtime", str(int(entry.mtime))))
    return Metadata(entry.mode & 0o7777, entry.uid, entry.gid, time, xattrs)


def nanoseconds(text: str) -> int:
    """A PAX time, decimal seconds with any number of digits, as nanoseconds, rounded down.

    Exact, which a float is not.  Raises ``InvalidParameter`` for anything else;
    a time that no file system can keep becomes the nearest that one can.
    """
    match = re.fullmatch(r"([+-]?)(\d{1,30})(?:\.(\d*))?", text, re.ASCII)
    if match is None:
        raise InvalidParameter(f"the layer has a time that is none: {text!r}")
    sign, seconds, fraction = match.groups()
    digits = fraction or ""
    value = int(seconds) * 10**9 + int(digits[:9].ljust(9, "0"))
    if sign == "-":
        value = -value - (1 if digits[9:].strip("0") else 0)
    return max(-LATEST * 10**9, min(value, LATEST * 10**9))
