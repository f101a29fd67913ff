"""An initramfs as bytes: the "newc" cpio format, which the kernel unpacks into its first root.

The format: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HEADER = 110  # "070701" and 13 numbers of 8 hexadecimal digits
TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """``name``: without a leading slash.  ``data``: the content, or a link's target."""

    name: str
    mode: int
    data: bytes = b""
    mtime: int = 0
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, data: bytes, *, executable: bool = False, mtime: int = 0) -> Entry:
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), data, mtime)


def link(name: str, target: str) -> Entry:
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def character_device(name: str, major: int, minor: int) -> Entry:
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def parents(names: Iterable[str]) -> list[str]:
    """The directories that must be there before ``names`` are, each after the one it is in."""
    found = set()
    for name in names:
        while name := name.rpartition("/")[0]:
            found.add(name)
    return sorted(found)


def archive(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece; directories that no entry names are made first."""
    entries = list(entries)
    named = {each.name for each in entries}
    missing = [directory(name) for name in parents(named) if name not in named]
    in_order = [*missing, *sorted(entries, key=lambda each: each.name)]
    for number, entry in enumerate([*in_order, Entry(TRAILER, 0)], start=1):
        yield from _record(number, entry)


def _record(number: int, entry: Entry) -> Iterator[bytes]:
    name = entry.name.encode() + b"\0"
    fields = (
        *(number, entry.mode, 0, 0, 1, entry.mtime, len(entry.data)),
        *(0, 0, *entry.device, len(name), 0),
    )
    yield b"070701" + b"".join(b"%08X" % each for each in fields)
    yield name + _padding(HEADER + len(name))
    yield entry.data
    yield _padding(len(entry.data))


def _padding(length: int) -> bytes:
    return b"\0" * (-length % 4)
