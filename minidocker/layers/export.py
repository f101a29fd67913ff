"""A tree as a tar, read safely while somebody hostile writes to it: ``docker export``, ``cp``.

The top of the tree may be a running container's: whatever is looked at may be another thing
a moment later, also a symbolic link to the host's files.  So no path is ever walked there:
each directory is opened by one plain name in the one above, and no link is followed.
The layers below it change for nobody, and are read by their paths.

What has vanished meanwhile is left out, and a file is as long as it was when its header
was written: cut there if it grew, zeros at its end if it shrank, as GNU tar does.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final

from minidocker.errors import SystemFailure
from minidocker.layers.metadata import read_metadata
from minidocker.layers.sources import PIECE
from minidocker.layers.tarheader import BLOCK, REGTYPE, SYMTYPE, Entry
from minidocker.layers.tarwrite import END, entry_of, hard_link, header
from minidocker.layers.union import look_up, root_of
from minidocker.layers.whiteout import is_opaque, is_whiteout

OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DEPTH: Final = 512
"""Directories in each other: each is an open descriptor while what is in it is read."""

_VANISHED = (FileNotFoundError, NotADirectoryError)


def export_layers(layers: Sequence[str]) -> Iterator[bytes]:
    """What the layers (topmost first, at least one) are together, as a tar in pieces.

    Names are relative, without ``./``, sorted; the root has no entry; sockets are left
    out.  Raises ``OSError``, ``SystemFailure``.
    """
    below = root_of(layers[1:])
    top = os.open(layers[0], OPEN_DIRECTORY)
    try:
        yield from TreePacker().contents(top, below.merged if below else (), "")
    finally:
        os.close(top)
    yield END


class TreePacker:
    """Packs trees into one tar.  It remembers inodes, to write hard links."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], str] = {}

    def contents(
        self, top: int, below: Sequence[str], prefix: str, depth: int = 0
    ) -> Iterator[bytes]:
        """All that is in a directory.

        ``top``: it, open.  ``below``: the directories that it is merged with, none for a
        directory of an ordinary tree.  ``prefix``: what stands before its names in the tar.
        """
        if depth > DEPTH:
            raise SystemFailure(f"{prefix} is in more than {DEPTH} directories: too deep for a tar")
        names = {name for each in below for name in os.listdir(each)}
        for name in sorted(names.union(os.listdir(top))):
            yield from self.named(top, below, name, f"{prefix}{name}", depth)

    def named(
        self, top: int, below: Sequence[str], name: str, here: str, depth: int = 0
    ) -> Iterator[bytes]:
        """``name`` in the directory ``top``, with all that is in it, as ``here`` in the tar."""
        try:
            status = os.stat(name, dir_fd=top, follow_symlinks=False)
        except _VANISHED:
            yield from self._below(below, name, here, depth)
            return
        if is_whiteout(status):
            return
        if not stat.S_ISDIR(status.st_mode):
            yield from self.file(top, name, here, status)
            return
        try:
            fd = os.open(name, OPEN_DIRECTORY, dir_fd=top)
        except OSError:  # it is something else now
            return
        try:
            try:
                entry = _entry(top, name, here, os.fstat(fd))
            except OSError:  # it has another name now
                return
            yield header(entry)
            merged = None if not below or is_opaque(fd) else look_up(below, name)
            yield from self.contents(fd, merged.merged if merged else (), f"{here}/", depth + 1)
        finally:
            os.close(fd)

    def _below(self, below: Sequence[str], name: str, here: str, depth: int) -> Iterator[bytes]:
        """What the layers below have under a name that the top has not."""
        found = look_up(below, name)
        if found is None:
            return
        parent = os.open(os.path.dirname(found.path), OPEN_DIRECTORY)
        try:
            if found.is_directory:
                fd = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
                try:
                    yield header(_entry(parent, name, here, found.status))
                    yield from self.contents(fd, found.merged[1:], f"{here}/", depth + 1)
                finally:
                    os.close(fd)
            else:
                yield from self.file(parent, name, here, found.status)
        finally:
            os.close(parent)

    def file(self, parent: int, name: str, here: str, status: os.stat_result) -> Iterator[bytes]:
        """What is no directory: header and content."""
        if stat.S_ISSOCK(status.st_mode):
            return
        fd = -1
        try:
            entry = _entry(parent, name, here, status)
            if entry.type == SYMTYPE:
                entry = entry._replace(linkname=os.readlink(name, dir_fd=parent))
            elif entry.type == REGTYPE:
                fd = os.open(name, _OPEN_FILE, dir_fd=parent)
                if not os.path.samestat(os.fstat(fd), status):
                    os.close(fd)
                    return
        except OSError:  # it is gone, or something else now
            return
        try:
            inode = (status.st_dev, status.st_ino)
            if status.st_nlink > 1 and (first := self._seen.setdefault(inode, here)) != here:
                yield header(hard_link(entry, first))
                return
            yield header(entry)
            if entry.type == REGTYPE:
                yield from content_of(fd, entry.size)
        finally:
            if fd >= 0:
                os.close(fd)


def _entry(parent: int, name: str, here: str, status: os.stat_result) -> Entry:
    """Without a link's target."""
    # Extended attributes have no *at call; the descriptor's own path cannot lead astray.
    metadata = read_metadata(f"/proc/self/fd/{parent}/{name}", status)
    return entry_of(here, status, metadata)


def content_of(fd: int, size: int) -> Iterator[bytes]:
    """``size`` bytes of the open file, in whole blocks."""
    left = size
    while left and (data := os.read(fd, min(PIECE, left))):
        left -= len(data)
        yield data
    while left:
        yield bytes(min(PIECE, left))
        left -= min(PIECE, left)
    if size % BLOCK:
        yield bytes(BLOCK - size % BLOCK)
