"""Trees of this machine as a tar, and a tar as files here: the two ends of ``cp``.

What comes from a container is not to be trusted: no entry is written through a
link that an earlier one has made.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any, cast

from minidocker.client.commandline import Failed

PIECE = 1 << 18  # bytes read and sent at once
CAPABILITY = "security.capability"  # the one extended attribute that Docker copies
Rename = tuple[str, str]


def pack(path: str, rename: Rename) -> Iterator[bytes]:
    """The file or directory ``path`` as a tar in pieces; its name there is ``rename[1]``."""
    seen: dict[tuple[int, int], str] = {}
    name = rename[1]
    follow = path.endswith(("/", "/."))
    yield from _packed(path, name, os.stat(path) if follow else os.lstat(path), seen)
    yield bytes(1024)


def _packed(
    path: str, name: str, status: os.stat_result, seen: dict[tuple[int, int], str]
) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    info.mtime, fraction = divmod(status.st_mtime_ns, 10**9)
    if fraction:
        info.pax_headers = {"mtime": f"{info.mtime}.{fraction:09}"}
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFSOCK:
        return
    if kind == stat.S_IFDIR:
        info.type = tarfile.DIRTYPE
        yield _header(info)
        for below in sorted(os.listdir(path)):
            here = os.path.join(path, below)
            yield from _packed(here, f"{name.rstrip('/')}/{below}", os.lstat(here), seen)
    elif (first := seen.get((status.st_dev, status.st_ino))) is not None:
        info.type, info.linkname = tarfile.LNKTYPE, first
        yield _header(info)
    else:
        if status.st_nlink > 1:
            seen[status.st_dev, status.st_ino] = name
        yield from _file(path, info, kind, status)


def _file(path: str, info: tarfile.TarInfo, kind: int, status: os.stat_result) -> Iterator[bytes]:
    if kind == stat.S_IFREG:
        info.size = status.st_size
        with open(path, "rb", buffering=0) as file:
            capability = _capability(path)
            if capability is not None:
                kept = {f"SCHILY.xattr.{CAPABILITY}": capability}
                info.pax_headers = {**info.pax_headers, **kept}
            yield _header(info)
            left = info.size
            while left:
                data = file.read(min(PIECE, left))
                if not data:
                    raise Failed(f"{path} became shorter while it was read")
                left -= len(data)
                yield data
        yield bytes(-info.size % 512)
        return
    if kind == stat.S_IFLNK:
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif kind == stat.S_IFIFO:
        info.type = tarfile.FIFOTYPE
    else:
        info.type = tarfile.BLKTYPE if kind == stat.S_IFBLK else tarfile.CHRTYPE
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    yield _header(info)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _capability(path: str) -> str | None:
    try:
        return os.getxattr(path, CAPABILITY).decode("utf-8", "surrogateescape")
    except OSError:
        return None


class Chunks(io.RawIOBase):
    """An answer's body as a file.  ``size``: bytes of it that have come."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest, self.size = memoryview(chunk), self.size + len(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def extract(chunks: Iterable[bytes], folder: str, rename: Rename) -> int:
    """Extract a tar into ``folder``, all of it ours; returns the tar's size in bytes.

    A name that begins with ``rename[0]`` begins with ``rename[1]`` instead.  Raises ``Failed``
    for an entry that leads out of the folder, or would replace a directory with
    something else or the reverse.
    """
    source = Chunks(chunks)
    directories: list[tuple[str, float]] = []
    try:
        reader = cast(Any, io.BufferedReader(source, PIECE))
        with tarfile.open(fileobj=reader, mode="r|", errors="surrogateescape") as tar:
            for entry in tar:
                path = os.path.join(folder, renamed(entry.name, rename))
                place = _place(folder, path)
                _make_way(entry, place, folder)
                _make(tar, entry, place, folder, rename)
                if entry.isdir():
                    directories.append((place, entry.mtime))
    except tarfile.TarError as error:
        raise Failed(f"the archive is damaged: {error}") from None
    for place, time in reversed(directories):
        os.utime(place, (time, time))
    while source.read(PIECE):
        pass
    return source.size


def renamed(name: str, rename: Rename) -> str:
    """``("dir", "new")``: dir/file -> new/file."""
    old, new = rename
    name = name.lstrip("/") if old == "/" else name
    if old == "/":
        return f"{new}/{name}".strip("/")
    if name == old or name.startswith(f"{old}/"):
        return f"{new}{name[len(old) :]}".lstrip("/")
    return name.lstrip("/")


def _place(folder: str, path: str) -> str:
    """The path to write, in the folder in truth.  Raises ``Failed``."""
    root = os.path.realpath(folder)
    clean = os.path.normpath(path)
    if clean == os.path.normpath(folder):
        return root
    parent = os.path.realpath(os.path.dirname(clean))
    if os.path.commonpath([root, parent]) != root:
        raise Failed(f'"{path}" is outside of "{folder}"')
    os.makedirs(parent, exist_ok=True)
    return os.path.join(parent, os.path.basename(clean))


def _make_way(entry: tarfile.TarInfo, place: str, folder: str) -> None:
    try:
        there = os.lstat(place)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(there.st_mode):
        if not entry.isdir():
            raise Failed(f'cannot overwrite directory "{place}" with non-directory "{folder}"')
    elif entry.isdir():
        raise Failed(f'cannot overwrite non-directory "{place}" with directory "{folder}"')
    else:
        os.unlink(place)


def _make(
    tar: tarfile.TarFile, entry: tarfile.TarInfo, place: str, folder: str, rename: Rename
) -> None:
    if entry.issym():
        os.symlink(entry.linkname, place)
        return
    if entry.islnk():
        target = _place(folder, os.path.join(folder, renamed(entry.linkname, rename)))
        os.link(target, place, follow_symlinks=False)
        return
    if entry.isdir():
        os.makedirs(place, exist_ok=True)
    elif entry.isfile():
        with open(place, "xb") as file:
            shutil.copyfileobj(cast(Any, tar.extractfile(entry)), file, PIECE)
    elif entry.isfifo():
        os.mkfifo(place)
    else:
        kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
        os.mknod(place, kind | 0o600, os.makedev(entry.devmajor, entry.devminor))
    os.chmod(place, entry.mode & 0o1777)
    if not entry.isdir():
        os.utime(place, (entry.mtime, entry.mtime))
