"""The headers of a tar: 512 bytes each, and what extended headers add to them.  Pure.

ustar with all that image layers came to have in twenty years: numbers in base 256 and long
names as GNU tar writes them, and the records of PAX, among them star's extended attributes.
A PAX header for all that follows ("g") says nothing of a file: Docker's reader, Go's, takes
no notice of one either.

pax(1), "pax Interchange Format" and "ustar Interchange Format"; tar.h(0p); GNU tar's
manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from minidocker.errors import InvalidParameter
from minidocker.layers.metadata import Metadata

BLOCK: Final = 512

# The types, named as in tar.h.
AREGTYPE, REGTYPE, LNKTYPE, SYMTYPE = b"\0", b"0", b"1", b"2"
CHRTYPE, BLKTYPE, DIRTYPE, FIFOTYPE, CONTTYPE = b"3", b"4", b"5", b"6", b"7"
PAX, PAX_FOR_ALL = b"x", b"g"
GNU_NAME, GNU_LINKNAME, GNU_SPARSE = b"L", b"K", b"S"

WITHOUT_DATA: Final = {LNKTYPE, SYMTYPE, CHRTYPE, BLKTYPE, DIRTYPE, FIFOTYPE}
EXTENDED: Final = {PAX, PAX_FOR_ALL, GNU_NAME, GNU_LINKNAME}

XATTR: Final = "SCHILY.xattr."
LATEST: Final = 1 << 40  # seconds; no file system keeps later times

FIELDS: Final = struct.Struct("100s 8s 8s 8s 12s 12s 8x c 100s 8s 32x 32x 8s 8s 155s 12x")
"""name, mode, uid, gid, size, mtime, (checksum,) type, linkname, magic and version, (user, group,)
major, minor, prefix; what is in brackets is not looked at."""
CHECKSUM: Final = slice(148, 156)

Records = Mapping[str, bytes]


class Entry(NamedTuple):
    """What a header says of a file.  ``type`` is one of ``tar.h``'s; ``size`` is that of the file,
    in bytes, 0 for what has no data.

    ``device``: major and minor number.  ``extents``: where in a sparse file there are data, as
    (offset, size); None for any other, whose data are all of it.
    """

    name: str
    type: bytes
    metadata: Metadata
    size: int = 0
    linkname: str = ""
    device: tuple[int, int] = (0, 0)
    extents: tuple[tuple[int, int], ...] | None = None


def parse_header(block: bytes, records: Records) -> Entry:
    """The entry of a header, with what extended headers before it said (``parse_extended``).

    Raises ``ValueError`` for what is malformed, ``InvalidParameter`` for an owner out of range.
    """
    name, mode, uid, gid, size, mtime, kind, linkname, magic, *rest = FIELDS.unpack(block)
    entry_name = text(records.get("path") or _name(block, name, magic, rest[2]))
    if kind == AREGTYPE and entry_name.endswith("/"):
        kind = DIRTYPE  # as before there was a type for it
    elif kind in (AREGTYPE, CONTTYPE):
        kind = REGTYPE
    metadata = Metadata(
        number(mode) & 0o7777,
        _owner(entry_name, records.get("uid"), uid),
        _owner(entry_name, records.get("gid"), gid),
        _time(records.get("mtime"), mtime),
        _xattrs(entry_name, records) if records else {},
    )
    length = 0 if kind in WITHOUT_DATA else data_size(size, records)
    link = text(records.get("linkpath") or _cut(linkname)) if kind in (LNKTYPE, SYMTYPE) else ""
    device = (_device(rest[0]), _device(rest[1])) if kind in (CHRTYPE, BLKTYPE) else (0, 0)
    return Entry(entry_name, kind, metadata, length, link, device)


def check(block: bytes) -> None:
    """Raises ``ValueError`` for a header with another checksum than it says."""
    said = number(block[CHECKSUM])
    found = sum(block) - sum(block[CHECKSUM]) + 8 * ord(" ")
    if said != found:
        # Some old programs added the bytes up as signed ones.
        others = block[: CHECKSUM.start] + block[CHECKSUM.stop :]
        if said != found - 256 * sum(byte > 127 for byte in others):
            raise ValueError("a header has a wrong checksum")


@lru_cache  # most files of a layer have the same mode, owner and time
def number(field: bytes) -> int:
    """A number of a header: octal digits, or binary after a bit (GNU tar's base 256)."""
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    digits = field.strip(b" \0")
    if not digits.isdigit():
        digits = digits.partition(b"\0")[0].rstrip(b" ")
        if digits and not digits.isdigit():
            raise ValueError(f"{field!r} is no number")
    return int(digits, 8) if digits else 0


def parse_extended(kind: bytes, data: bytes) -> dict[str, bytes]:
    """What the extended header of type ``kind`` says: PAX's names -> values."""
    if kind == GNU_NAME:
        return {"path": _cut(data)}
    if kind == GNU_LINKNAME:
        return {"linkpath": _cut(data)}
    return joined(pax_records(data)) if kind == PAX else {}


def pax_records(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The records of a PAX header, ``LENGTH NAME=VALUE\\n`` each.  Raises ``ValueError``."""
    at = 0
    while at < len(data):
        length, space, _ = data[at : at + 20].partition(b" ")
        end = at + (int(length) if length.isdigit() else 0)
        name, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if not (space and name and equals) or data[end - 1 : end] != b"\n":
            raise ValueError("a PAX header is malformed")
        yield text(name), value
        at = end


def joined(records: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    """As a dict; the last of a name counts.  Of a sparse file's map (GNU's PAX format 0.0) there
    are many of one name: they become one, as in format 0.1."""
    found: dict[str, bytes] = {}
    pieces = []
    for name, value in records:
        if name in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
            pieces.append(value)
        else:
            found[name] = value
    if pieces:
        found["GNU.sparse.map"] = b",".join(pieces)
    return found


def data_size(field: bytes, records: Records) -> int:
    """Of the data behind a header.  Raises ``ValueError``."""
    said = records.get("size")
    size = decimal(said) if said else number(field)
    if size < 0:
        raise ValueError(f"a size of {size} bytes")
    return size


def decimal(value: bytes) -> int:
    """A number of a PAX record.  Raises ``ValueError``."""
    if not value.removeprefix(b"-").isdigit() or len(value) > 30:
        raise ValueError(f"{value!r} is no number")
    return int(value)


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def nanoseconds(value: str) -> int:
    """A PAX time, decimal seconds with any number of digits, as nanoseconds, rounded down.

    Exact, which a float is not.  Raises ``InvalidParameter`` for anything else;
    a time that no file system can keep becomes the nearest that one can.
    """
    match = re.fullmatch(r"([+-]?)(\d{1,30})(?:\.(\d*))?", value, re.ASCII)
    if match is None:
        raise InvalidParameter(f"the layer has a time that is none: {value!r}")
    sign, seconds, fraction = match.groups()
    digits = fraction or ""
    whole = int(seconds) * 10**9 + int(digits[:9].ljust(9, "0"))
    if sign == "-":
        whole = -whole - (1 if digits[9:].strip("0") else 0)
    return max(-LATEST * 10**9, min(whole, LATEST * 10**9))


def _cut(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _name(block: bytes, name: bytes, magic: bytes, prefix: bytes) -> bytes:
    """ustar cuts a long name in two.  In GNU's format there are times in the prefix's place, but
    programs of before 2017 that were written in Go have a prefix there, too."""
    if not prefix[0] or not magic.startswith(b"ustar"):
        return _cut(name)
    if block[508:] == b"tar\0":
        prefix = prefix[:131]  # star's format has its times behind
    elif magic.startswith(b"ustar ") and _is_number(prefix[:12]):
        return _cut(name)
    return _cut(prefix) + b"/" + _cut(name)


def _is_number(field: bytes) -> bool:
    try:
        number(field)
    except ValueError:
        return False
    return True


def _owner(name: str, said: bytes | None, field: bytes) -> int:
    value = decimal(said) if said else number(field)
    if not 0 <= value < (1 << 32) - 1:
        raise InvalidParameter(f"the layer has an owner out of range: {name!r}: {value}")
    return value


def _time(said: bytes | None, field: bytes) -> int:
    if said:
        return nanoseconds(text(said))
    return max(-LATEST, min(number(field), LATEST)) * 10**9


def _xattrs(name: str, records: Records) -> dict[str, bytes]:
    found = {
        key.removeprefix(XATTR): value for key, value in records.items() if key.startswith(XATTR)
    }
    if any(not key or "\0" in key for key in found):
        raise InvalidParameter(f"the layer has an attribute without a name: {name!r}")
    return found


def _device(field: bytes) -> int:
    value = number(field)
    if not 0 <= value < 1 << 32:
        raise ValueError(f"a device number of {value}")
    return value
