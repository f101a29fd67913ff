"""A tree becomes a tar: the same tree gives the same bytes.

Entries in the order of their names, no user names, no time but the files' own;
PAX headers (pax(1)) only where ustar has no room: long names, large numbers,
fractions of a second, extended attributes.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from minidocker.errors import InvalidParameter, SystemFailure
from minidocker.layers.metadata import Metadata, read_metadata
from minidocker.layers.tarstream import BLOCK, PIECE, XATTR
from minidocker.layers.whiteout import OPAQUE_NAME, PREFIX, whiteout_name

END = bytes(2 * BLOCK)  # two blocks of zeros end an archive

TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class Packer:
    """Turns files into pieces of a tar.  It remembers inodes, to write hard links."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], str] = {}

    def pack(self, source: str, name: str) -> Iterator[bytes]:
        """The file ``source`` itself (no link followed) as the entry ``name``; of a
        directory only the directory.  A socket is nothing: it means something only to
        the process that made it.

        Raises ``InvalidParameter`` for a name that a layer cannot have, ``SystemFailure``
        when the file becomes shorter while it is read.
        """
        status = os.lstat(source)
        if stat.S_ISSOCK(status.st_mode):
            return
        if os.path.basename(name).startswith(PREFIX):
            raise InvalidParameter(
                f"{name!r} cannot be in a layer: names that begin with {PREFIX} are whiteouts"
            )
        info = entry_of(name, status, read_metadata(source, status))
        inode = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            yield header(info)
        elif inode in self._seen:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, self._seen[inode], 0
            info.pax_headers = {}  # one file has one set of attributes
            yield header(info)
        else:
            if status.st_nlink > 1:
                self._seen[inode] = name
            if info.issym():
                info.linkname = os.readlink(source)
            yield header(info)
            if info.isreg():
                yield from content(source, status, name)

    def whiteout(self, directory: str, name: str) -> Iterator[bytes]:
        """The entry that hides ``name`` in ``directory`` ("" is the root)."""
        yield header(tarfile.TarInfo(os.path.join(directory, whiteout_name(name))))

    def opaque(self, directory: str) -> Iterator[bytes]:
        """The entry that hides all that is below in ``directory``."""
        yield header(tarfile.TarInfo(os.path.join(directory, OPAQUE_NAME)))


def entry_of(name: str, status: os.stat_result, metadata: Metadata) -> tarfile.TarInfo:
    """The header's fields of a file, without its link's target."""
    info = tarfile.TarInfo(name)
    info.type = TYPES[stat.S_IFMT(status.st_mode)]
    info.mode, info.uid, info.gid = metadata.mode, metadata.uid, metadata.gid
    info.mtime, fraction = divmod(metadata.mtime, 10**9)
    info.pax_headers = {
        XATTR + key: value.decode("utf-8", "surrogateescape")
        for key, value in metadata.xattrs.items()
    }
    if fraction:
        info.pax_headers = {"mtime": pax_time(metadata.mtime), **info.pax_headers}
    if info.isreg():
        info.size = status.st_size
    elif info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return info


def pax_time(nanoseconds: int) -> str:
    """Nanoseconds as decimal seconds: the inverse of ``tarstream.nanoseconds``."""
    sign = "-" if nanoseconds < 0 else ""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    return f"{sign}{seconds}.{fraction:09}".rstrip("0").rstrip(".")


def header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def content(source: str, status: os.stat_result, name: str) -> Iterator[bytes]:
    """The bytes of the file that has ``status``, padded to whole blocks; ``name`` is for errors."""
    size = status.st_size
    with open(source, "rb", buffering=0, opener=_opener) as file:
        if not os.path.samestat(os.fstat(file.fileno()), status):
            raise SystemFailure(f"{name} was replaced while it was read: try again")
        left = size
        while left:
            data = file.read(min(PIECE, left))
            if not data:
                raise SystemFailure(f"{name} became shorter while it was read: try again")
            left -= len(data)
            yield data
    if size % BLOCK:
        yield bytes(BLOCK - size % BLOCK)


def _opener(path: str, flags: int) -> int:
    # Not to wait for a writer, should it be a FIFO by now.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


class Pieces(io.RawIOBase):
    """A generator of bytes, to be read as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def as_file(pieces: Iterable[bytes]) -> BinaryIO:
    """The pieces as a file open for reading."""
    return cast(BinaryIO, io.BufferedReader(Pieces(pieces), PIECE))
