"""A tree that is being written, and out of which no name can lead.

Every name that comes out of a tar is resolved here, step by step, as the
kernel would do it in a chroot: a symbolic link leads on from the tree's own
root, ``..`` of the root is the root.  What results is a directory that is
really there, open as a descriptor; files are then made in it by one plain
name, never through a path.  So it does not matter what an earlier entry left.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minidocker.errors import InvalidParameter
from minidocker.layers.metadata import (
    Metadata,
    clear_xattrs,
    read_metadata,
    write_metadata,
)
from minidocker.layers.tarstream import Limits
from minidocker.layers.union import Found, find
from minidocker.layers.whiteout import is_whiteout, make_opaque

OPEN_DIRECTORIES = 64
LINKS = 40  # symbolic links in one path, as path_resolution(7)
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Place:
    """A name in a directory: ``path`` of it (relative, free of links), ``parent`` open."""

    parent: int
    name: str
    path: str


def clean_name(name: str) -> str:
    """An entry's name as a relative path without ``.``, ``..`` and ``//``; ``""`` is the root.

    A leading slash means nothing, as for Docker.  Raises ``InvalidParameter``
    for a name that leaves the root, or has a NUL.
    """
    clean = posixpath.normpath(name.lstrip("/") or ".")
    if clean == ".." or clean.startswith("../") or "\0" in clean:
        raise InvalidParameter(f"the layer has a name that leaves its root: {name!r}")
    return "" if clean == "." else clean


class Inside:
    """The directory ``target`` from inside.  ``lower``: the layers it lies on, topmost first.

    Directories get their metadata (``pending``) only in ``finish``: writing into
    them would change their times, and may be forbidden by their modes.  ``close``
    it.  One thread uses it, and nobody else writes into ``target`` meanwhile.
    ``root``: the root's own metadata (None: what it has).
    """

    def __init__(
        self, target: Path, lower: Sequence[str], limits: Limits, root: Metadata | None = None
    ) -> None:
        self._lower = lower
        self._limits = limits
        self._open: OrderedDict[str, int] = OrderedDict()
        self._resolved: dict[str, str] = {"": ""}
        self._root = os.open(target, _OPEN)
        self.pending = {"": root or _of(os.fstat(self._root))}
        self.opaque: set[str] = set()

    def close(self) -> None:
        self._forget_open()
        os.close(self._root)

    def place(self, path: str) -> Place:
        """Where the clean, non-empty ``path`` really is; missing directories are made."""
        parent, _, name = path.rpartition("/")
        directory = self._resolved.get(parent)
        if directory is None:
            directory = self._resolved[parent] = self.resolve(parent)
        return Place(self.descriptor(directory), name, f"{directory}/{name}".lstrip("/"))

    def status(self, place: Place) -> os.stat_result | None:
        """Of what is there in this tree, not followed; None for nothing."""
        try:
            return os.stat(place.name, dir_fd=place.parent, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def below(self, path: str) -> Found | None:
        """What the lower layers have at ``path``, if nothing of this layer hides it."""
        hidden = any(not top or f"{path}/".startswith(f"{top}/") for top in self.opaque)
        return None if hidden else find(self._lower, path)

    def resolve(self, path: str) -> str:
        """The directory that ``path`` means, as a path free of links; made where it is missing.

        Raises ``InvalidParameter`` when something on the way is no directory, when
        links go in a circle, and beyond the limit of depth.
        """
        todo = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                del done[-1:]
            elif name not in ("", "."):
                link = self._enter(done, name)
                if link is not None:
                    links += 1
                    if links > LINKS:
                        raise InvalidParameter(f"the layer has links in a circle: {path!r}")
                    if link.startswith("/"):
                        done.clear()
                    todo += link.split("/")[::-1]
        return "/".join(done)

    def _enter(self, done: list[str], name: str) -> str | None:
        """Append the directory ``name`` to ``done``, or return the target of a link."""
        here = "/".join((*done, name))
        place = Place(self.descriptor("/".join(done)), name, here)
        status = self.status(place)
        if status is None or is_whiteout(status):
            # A whiteout that this layer has put there hides what is below.
            found = self.below(here) if status is None else None
            if found is not None and found.is_link:
                return os.readlink(found.path)
            if found is not None and not found.is_directory:
                raise InvalidParameter(f"the layer has a file for a directory: {here!r}")
            self.make_directory(place, read_metadata(found.path) if found else Metadata(0o755))
        elif stat.S_ISLNK(status.st_mode):
            return os.readlink(name, dir_fd=place.parent)
        elif not stat.S_ISDIR(status.st_mode):
            raise InvalidParameter(f"the layer has a file for a directory: {here!r}")
        done.append(name)
        return None

    def make_directory(self, place: Place, metadata: Metadata) -> None:
        """Have a directory there, with this metadata in the end.

        What else this layer had there goes, and the new directory then shows
        nothing of what is below.
        """
        if place.path.count("/") >= self._limits.depth:
            raise InvalidParameter(
                f"the layer has more than {self._limits.depth} directories in each other"
            )
        status = self.status(place)
        fresh = status is None or not stat.S_ISDIR(status.st_mode)
        if fresh:
            self.remove(place)
            os.mkdir(place.name, 0o700, dir_fd=place.parent)
        self.pending[place.path] = metadata
        if not fresh:
            clear_xattrs(self.descriptor(place.path), metadata.xattrs)
        elif status is not None and self._lower:
            self.hide_below(place.path)

    def set_root(self, metadata: Metadata) -> None:
        """Give the root this metadata in the end."""
        self.pending[""] = metadata
        clear_xattrs(self._root, metadata.xattrs)

    def hide_below(self, path: str) -> None:
        """Make the directory opaque."""
        self.opaque.add(path)
        make_opaque(self.descriptor(path))

    def remove(self, place: Place) -> None:
        """Remove what is there, a directory with all in it; nothing else may know it any more."""
        status = self.status(place)
        if status is None:
            return
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(place.name, dir_fd=place.parent)
            if stat.S_ISLNK(status.st_mode):
                self._resolved = {"": ""}
            return
        inside = place.path + "/"
        for path in [each for each in self._open if f"{each}/".startswith(inside)]:
            os.close(self._open.pop(path))
        self._resolved = {"": ""}
        for path in [each for each in self.pending if f"{each}/".startswith(inside)]:
            del self.pending[path]
        self.opaque = {each for each in self.opaque if not f"{each}/".startswith(inside)}
        shutil.rmtree(place.name, dir_fd=place.parent)

    def descriptor(self, path: str) -> int:
        """The directory ``path`` (free of links), open; it stays so until some others are asked."""
        if not path:
            return self._root
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        fd = self._walk(path)
        self._open[path] = fd
        if path not in self.pending:
            status = os.fstat(fd)  # of a directory that was there before: its time stays
            self.pending[path] = _of(status)
        if len(self._open) > OPEN_DIRECTORIES:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _walk(self, path: str) -> int:
        """Open by plain names only, so that no link is ever followed by the kernel."""
        parent, _, name = path.rpartition("/")
        if parent in self._open or not parent:
            return os.open(name, _OPEN, dir_fd=self._open.get(parent, self._root))
        fd = self._root
        for step in path.split("/"):
            below = os.open(step, _OPEN, dir_fd=fd)
            if fd != self._root:
                os.close(fd)
            fd = below
        return fd

    def finish(self) -> list[str]:
        """Give every directory its metadata, the deepest first; returns what was left out."""
        skipped = []
        self._forget_open()
        for path in sorted(self.pending, key=lambda path: (-path.count("/"), path == "")):
            fd = self._walk(path) if path else self._root
            try:
                left_out = write_metadata(fd, self.pending[path])
            finally:
                if fd != self._root:
                    os.close(fd)
            skipped += [f"{path}: {name}" for name in left_out]
        return skipped

    def _forget_open(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])


def _of(status: os.stat_result) -> Metadata:
    mode = stat.S_IMODE(status.st_mode)
    return Metadata(mode, status.st_uid, status.st_gid, status.st_mtime_ns)
