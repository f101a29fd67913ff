"""A tar becomes files in a tree that others use meanwhile: ``docker cp`` into a container.

Unlike a layer's, the archive's names are just names: nothing is a whiteout.  An entry takes
the place of what was there, but for a directory, which is merged with one.
"""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from minidocker.errors import InvalidParameter
from minidocker.layers.archives import open_archive
from minidocker.layers.extract import DEVICES, make_device, make_file, make_link
from minidocker.layers.inside import Place
from minidocker.layers.metadata import write_metadata, write_metadata_at
from minidocker.layers.rooted import open_directory
from minidocker.layers.sources import Source
from minidocker.layers.tarheader import DIRTYPE, LNKTYPE, REGTYPE, SYMTYPE, Entry
from minidocker.layers.tarstream import Limits, Stream, entries

LIMITS = Limits(size=1 << 62, entries=1 << 62)
"""Whoever may copy into a container may fill the disk anyway."""


@dataclass(frozen=True)
class Rules:
    """``keep_kinds``: never a directory for something else, nor the reverse.

    ``owner``: who owns all that is made; None: who the archive says.
    """

    keep_kinds: bool = False
    owner: tuple[int, int] | None = None


def unpack(root: int, directory: str, archive: Source, rules: Rules) -> None:
    """Extract ``archive`` (plain or compressed) into ``directory`` of the open ``root``.

    ``directory``: absolute, free of links.  Raises ``InvalidParameter`` for a damaged
    archive, one that leads out of the directory and what ``rules`` forbid; ``OSError``.
    What was extracted before that stays, as with any tar.
    """
    work = _Unpacker(root, directory, rules)
    try:
        stream = Stream(open_archive(archive), LIMITS.size)
        for entry in entries(stream, LIMITS):
            work.extract(entry, stream)
        stream.drain()
        work.finish()
    except InvalidParameter as error:
        raise InvalidParameter(str(error).replace("the layer", "the archive")) from None
    finally:
        work.close()


class _Unpacker:
    def __init__(self, root: int, directory: str, rules: Rules) -> None:
        self._root, self._directory, self._rules = root, directory, rules
        self._parent: tuple[str, int] | None = None  # the directory of the last entry, open
        self._times: dict[str, int] = {}  # of directories: last, for files change them

    def close(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def extract(self, entry: Entry, stream: Stream) -> None:
        """Make one entry."""
        name = self._clean(entry.name)
        if not name:  # the directory is there, and stays what it is
            return
        if self._rules.owner is not None:
            uid, gid = self._rules.owner
            entry = entry._replace(metadata=replace(entry.metadata, uid=uid, gid=gid))
        place = self._place(name)
        if entry.type == REGTYPE:
            make_file(entry, stream, place, lambda: self._make_way(entry, place))
            return
        self._make_way(entry, place)
        if entry.type == DIRTYPE:
            self._times[name] = entry.metadata.mtime
            with _opened(place) as fd:
                write_metadata(fd, entry.metadata)
        elif entry.type == LNKTYPE:
            self._link(entry, place)
        elif entry.type == SYMTYPE or entry.type in DEVICES:
            self._special(entry, place)
        else:
            raise InvalidParameter(
                f"the archive has {entry.name!r} of an unknown type {entry.type!r}"
            )

    def finish(self) -> None:
        """Directories get their times, now that nothing more is put into them."""
        for name in sorted(self._times, reverse=True):
            try:
                fd = open_directory(self._root, f"{self._directory}/{name}")
            except OSError:  # somebody has removed it meanwhile
                continue
            try:
                os.utime(fd, ns=(self._times[name], self._times[name]))
            finally:
                os.close(fd)

    def _clean(self, name: str) -> str:
        clean = posixpath.normpath(f"./{name}")
        if clean == ".." or clean.startswith("../"):
            raise InvalidParameter(f'"{name}" is outside of "{self._directory}"')
        return "" if clean == "." else clean

    def _place(self, name: str) -> Place:
        parent, _, last = name.rpartition("/")
        if self._parent is None or self._parent[0] != parent:
            fd = self._open(parent)
            self.close()
            self._parent = (parent, fd)
        return Place(self._parent[1], last, f"{self._directory.rstrip('/')}/{name}")

    def _open(self, path: str) -> int:
        """The directory; what the archive only implies is made, root's."""
        try:
            return open_directory(self._root, f"{self._directory}/{path}")
        except FileNotFoundError:
            if not path:
                raise
        parent, _, name = path.rpartition("/")
        above = self._open(parent)
        try:
            os.mkdir(name, 0o755, dir_fd=above)
        except FileExistsError as error:  # a link that leads nowhere
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
        finally:
            os.close(above)
        return open_directory(self._root, f"{self._directory}/{path}")

    def _make_way(self, entry: Entry, place: Place) -> None:
        """Remove what is in the way of the entry.  A directory is then there, old or new."""
        try:
            there = os.stat(place.name, dir_fd=place.parent, follow_symlinks=False).st_mode
        except FileNotFoundError:
            there = 0
        was, will_be = stat.S_ISDIR(there), entry.type == DIRTYPE
        if self._rules.keep_kinds and there and was != will_be:
            one, other = ("directory", "non-directory")[:: 1 if was else -1]
            raise InvalidParameter(
                f'cannot overwrite {one} "{place.path}" with {other} "{self._directory}"'
            )
        if was and will_be:
            return
        if was:
            shutil.rmtree(place.name, dir_fd=place.parent)
        elif there:
            os.unlink(place.name, dir_fd=place.parent)
        if will_be:
            os.mkdir(place.name, 0o700, dir_fd=place.parent)

    def _link(self, entry: Entry, place: Place) -> None:
        target = self._clean(entry.linkname)
        parent, _, name = target.rpartition("/")
        folder = open_directory(self._root, f"{self._directory}/{parent}")
        try:
            os.link(
                name,
                place.name,
                src_dir_fd=folder,
                dst_dir_fd=place.parent,
                follow_symlinks=False,
            )
        finally:
            os.close(folder)

    def _special(self, entry: Entry, place: Place) -> None:
        if entry.type == SYMTYPE:
            make_link(entry, place)
        elif not make_device(entry, place):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), place.path)
        link = entry.type == SYMTYPE
        write_metadata_at(place.parent, place.name, entry.metadata, link=link)


@contextmanager
def _opened(place: Place) -> Iterator[int]:
    how = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(place.name, how, dir_fd=place.parent)
    try:
        yield fd
    finally:
        os.close(fd)
