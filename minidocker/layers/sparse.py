"""Sparse files in a tar: only their data are there, and a map that says where these belong.

GNU tar has written the map in four ways: in the header itself (its old format), and with PAX
in records (0.0 and 0.1) or before the data (1.0).

GNU tar's manual, appendix D, "Storing Sparse Files", and "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from minidocker.layers.tarheader import BLOCK, GNU_SPARSE, REGTYPE, Entry, Records, decimal, number
from minidocker.layers.tarheader import text as decoded

MAP: Final = 1 << 20  # bytes; no map is longer

Take = Callable[[int], bytes]


def is_sparse(entry: Entry, records: Records) -> bool:
    return entry.type == GNU_SPARSE or any(name.startswith("GNU.sparse.") for name in records)


def sparse_entry(entry: Entry, block: bytes, records: Records, take: Take) -> tuple[Entry, int]:
    """The entry with its ``extents`` and real size, and how many bytes of data follow.

    ``block``: its header.  ``take(size)``: the next bytes of the tar, where more of the map may
    be.  Raises ``ValueError`` for a map that makes no sense.
    """
    stored = entry.size
    if entry.type == GNU_SPARSE:
        numbers, size = _old_map(block, take), number(block[483:495])
    else:
        size = decimal(records.get("GNU.sparse.realsize") or records.get("GNU.sparse.size", b""))
        if "GNU.sparse.map" in records:
            numbers = [decimal(each) for each in records["GNU.sparse.map"].split(b",")]
        elif records.get("GNU.sparse.major") == b"1":
            numbers, length = _leading_map(take)
            stored -= length
        else:
            raise ValueError("a sparse file of an unknown format")
    extents = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    _check(extents, size, stored)
    name = decoded(records["GNU.sparse.name"]) if "GNU.sparse.name" in records else entry.name
    return entry._replace(name=name, type=REGTYPE, size=size, extents=extents), stored


def _check(extents: Sequence[tuple[int, int]], size: int, stored: int) -> None:
    """In order, apart, in the file, and all there."""
    end = 0
    for offset, length in extents:
        if offset < end or length < 0:
            raise ValueError("a sparse file's map is wrong")
        end = offset + length
    if end > size or sum(length for _, length in extents) > stored:
        raise ValueError("a sparse file's map is wrong")


def _old_map(block: bytes, take: Take) -> list[int]:
    """Pairs of 12-byte numbers: four in the header, 21 in each block that goes on."""
    numbers = _pairs(block[386:482])
    more = block[482]
    while more:
        block = take(BLOCK)
        numbers += _pairs(block[:504])
        more = block[504]
        if 12 * len(numbers) > MAP:
            raise ValueError("a sparse file's map is too long")
    return numbers


def _pairs(fields: bytes) -> list[int]:
    """Up to the first unused pair."""
    found = []
    for at in range(0, len(fields), 24):
        if not fields[at]:
            break
        found += [number(fields[at : at + 12]), number(fields[at + 12 : at + 24])]
    return found


def _leading_map(take: Take) -> tuple[list[int], int]:
    """Decimal numbers, a line each, the first says how many pairs; and the blocks' bytes."""
    data = b""
    wanted = 1
    while (lines := data.split(b"\n")) and len(lines) <= wanted:
        if len(data) > MAP:
            raise ValueError("a sparse file's map is too long")
        data += take(BLOCK)
        if b"\n" in data:
            wanted = 1 + 2 * decimal(data.partition(b"\n")[0])
    return [decimal(each) for each in lines[1:wanted]], len(data)
