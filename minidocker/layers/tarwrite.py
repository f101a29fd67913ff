"""A tree becomes a tar: the same tree gives the same bytes.

Entries in the order of their names, no user names, no time but the files' own;
PAX headers (pax(1)) only where ustar has no room: long names, large numbers,
fractions of a second, extended attributes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from minidocker.errors import InvalidParameter, SystemFailure
from minidocker.layers.metadata import Metadata, read_metadata
from minidocker.layers.sources import PIECE
from minidocker.layers.tarheader import (
    BLKTYPE,
    BLOCK,
    CHECKSUM,
    CHRTYPE,
    DIRTYPE,
    FIELDS,
    FIFOTYPE,
    LNKTYPE,
    PAX,
    REGTYPE,
    SYMTYPE,
    XATTR,
    Entry,
)
from minidocker.layers.whiteout import OPAQUE_NAME, PREFIX, whiteout_name

END = bytes(2 * BLOCK)  # two blocks of zeros end an archive
SECOND = 10**9  # nanoseconds
# Not to wait for a writer, should a file be a FIFO by now.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

TYPES = {
    stat.S_IFREG: REGTYPE,
    stat.S_IFDIR: DIRTYPE,
    stat.S_IFLNK: SYMTYPE,
    stat.S_IFCHR: CHRTYPE,
    stat.S_IFBLK: BLKTYPE,
    stat.S_IFIFO: FIFOTYPE,
}


class Packer:
    """Turns files into pieces of a tar.  It remembers inodes, to write hard links."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], str] = {}

    def pack(self, source: str, name: str, status: os.stat_result | None = None) -> Iterator[bytes]:
        """The file ``source`` itself (no link followed) as the entry ``name``; of a
        directory only the directory.  A socket is nothing: it means something only to
        the process that made it.  ``status``: of the file, if known.

        Raises ``InvalidParameter`` for a name that a layer cannot have, ``SystemFailure``
        when the file becomes shorter while it is read.
        """
        status = status or os.lstat(source)
        if stat.S_ISSOCK(status.st_mode):
            return
        if os.path.basename(name).startswith(PREFIX):
            raise InvalidParameter(
                f"{name!r} cannot be in a layer: names that begin with {PREFIX} are whiteouts"
            )
        entry = entry_of(name, status, read_metadata(source, status))
        inode = (status.st_dev, status.st_ino)
        if inode in self._seen:
            yield header(hard_link(entry, self._seen[inode]))
            return
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            self._seen[inode] = name
        if entry.type == SYMTYPE:
            entry = entry._replace(linkname=os.readlink(source))
        yield header(entry)
        if entry.type == REGTYPE:
            yield from content(source, status, name)

    def whiteout(self, directory: str, name: str) -> Iterator[bytes]:
        """The entry that hides ``name`` in ``directory`` ("" is the root)."""
        yield header(Entry(os.path.join(directory, whiteout_name(name)), REGTYPE, Metadata(0o644)))

    def opaque(self, directory: str) -> Iterator[bytes]:
        """The entry that hides all that is below in ``directory``."""
        yield header(Entry(os.path.join(directory, OPAQUE_NAME), REGTYPE, Metadata(0o644)))


def entry_of(name: str, status: os.stat_result, metadata: Metadata) -> Entry:
    """The entry of a file, without its link's target."""
    kind = TYPES[stat.S_IFMT(status.st_mode)]
    size = status.st_size if kind == REGTYPE else 0
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return Entry(name, kind, metadata, size, device=device)


def hard_link(entry: Entry, first: str) -> Entry:
    """The entry as another name of the file ``first``, which has told of itself already."""
    metadata = entry.metadata
    plain = replace(metadata, mtime=metadata.mtime // SECOND * SECOND, xattrs={})
    return Entry(entry.name, LNKTYPE, plain, linkname=first)


def header(entry: Entry) -> bytes:
    """The blocks of an entry's header: of the entry, and before it of what has no room there."""
    metadata, records = entry.metadata, dict[str, bytes]()
    name = encoded(entry.name)
    if entry.type == DIRTYPE and not name.endswith(b"/"):
        name += b"/"
    prefix, last = _divided(name)
    if len(last) > 100 or not name.isascii():
        records["path"] = name
    linkname = encoded(entry.linkname)
    if len(linkname) > 100 or not linkname.isascii():
        records["linkpath"] = linkname
    numbers = {"uid": (metadata.uid, 7), "gid": (metadata.gid, 7), "size": (entry.size, 11)}
    for field, (value, digits) in numbers.items():
        if value >= 8**digits:
            records[field] = b"%d" % value
    seconds, fraction = divmod(metadata.mtime, SECOND)
    if fraction or not 0 <= seconds < 8**11:
        records["mtime"] = pax_time(metadata.mtime).encode()
    records |= {XATTR + key: value for key, value in metadata.xattrs.items()}
    owner = (metadata.mode, metadata.uid, metadata.gid)
    block = _block(entry.type, last, (*owner, entry.size, seconds), linkname, entry.device, prefix)
    return _pax(records) + block if records else block


def _pax(records: Mapping[str, bytes]) -> bytes:
    data = b"".join(_record(encoded(name), value) for name, value in records.items())
    block = _block(PAX, b"././@PaxHeader", (0, 0, 0, len(data), 0))
    return block + data + bytes(-len(data) % BLOCK)


def _record(name: bytes, value: bytes) -> bytes:
    """``LENGTH NAME=VALUE\n``; the length counts its own digits."""
    rest = len(name) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, name, value)


def _block(
    kind: bytes,
    name: bytes,
    numbers: Sequence[int],
    linkname: bytes = b"",
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
) -> bytes:
    """One block; ``numbers``: mode, owner, group, size, time."""
    widths = (7, 7, 7, 11, 11)
    block = FIELDS.pack(
        name,
        *map(_octal, numbers, widths),
        kind,
        linkname,
        b"ustar\x0000",
        *(_octal(each, 7) for each in device),
        prefix,
    )
    checksum = sum(block) + 8 * ord(" ")
    return block[: CHECKSUM.start] + b"%06o\0 " % checksum + block[CHECKSUM.stop :]


def _octal(value: int, digits: int) -> bytes:
    """Zeros for what does not fit, and is in a record."""
    return b"%0*o" % (digits, value if 0 <= value < 8**digits else 0)


def _divided(name: bytes) -> tuple[bytes, bytes]:
    """A long name as ustar cuts it: 155 bytes, a slash that is left out, 100 bytes."""
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, min(156, len(name) - 1))
    return (name[:cut], name[cut + 1 :]) if cut > 0 else (b"", name)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def pax_time(nanoseconds: int) -> str:
    """Nanoseconds as decimal seconds: the inverse of ``tarheader.nanoseconds``."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), SECOND)
    return f"{sign}{seconds}.{fraction:09}".rstrip("0").rstrip(".")


def content(source: str, status: os.stat_result, name: str) -> Iterator[bytes]:
    """The bytes of the file that has ``status``, padded to whole blocks; ``name`` is for errors."""
    fd = os.open(source, _READ)
    try:
        if not os.path.samestat(os.fstat(fd), status):
            raise SystemFailure(f"{name} was replaced while it was read: try again")
        left = status.st_size
        while left:
            data = os.read(fd, min(PIECE, left))
            if not data:
                raise SystemFailure(f"{name} became shorter while it was read: try again")
            left -= len(data)
            yield data
    finally:
        os.close(fd)
    if status.st_size % BLOCK:
        yield bytes(BLOCK - status.st_size % BLOCK)
