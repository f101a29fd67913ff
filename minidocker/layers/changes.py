"""What has changed: the difference of two trees, as a list or as a layer.

overlayfs has already done the work: the upper directory of a container holds
what it made, changed and removed, and nothing else.  ``diff_layer`` writes
that down as a tar, ``changes`` says it in words.  ``diff_trees`` finds the difference
of any two trees by comparing them.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minidocker.layers.metadata import read_metadata
from minidocker.layers.sources import PIECE
from minidocker.layers.tarwrite import END, Packer
from minidocker.layers.union import Found, look_up, names_in, root_of
from minidocker.layers.whiteout import is_opaque, is_whiteout

Kind = Literal["A", "C", "D"]
Groups = Mapping[str, frozenset[str]]


@dataclass(frozen=True, order=True)
class Change:
    """A line of ``docker diff``: ``path`` (absolute in the container) was added, changed
    or deleted."""

    path: str
    kind: Kind


def changes(upper: Path, lowers: Sequence[Path]) -> list[Change]:
    """What the layer ``upper`` changes on ``lowers`` (topmost first), sorted by path.

    As Docker lists it: all that is added, but only the top of what is deleted; a
    directory is changed when something in it is, or its own owner or mode.
    """
    root = root_of([str(path) for path in lowers])
    top = os.open(upper, _OPEN)
    try:
        return sorted(_changes(top, root.merged if root else (), "", opaque=False))
    finally:
        os.close(top)


# By plain names only: the layer may be that of a running container, which may put a link to
# anywhere in the place of a directory at any moment.
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _changes(upper: int, below: Sequence[str], path: str, opaque: bool) -> Iterator[Change]:
    names = sorted(os.listdir(upper))
    for name in names:
        here, old = f"{path}/{name}", look_up(below, name)
        try:
            status = os.stat(name, dir_fd=upper, follow_symlinks=False)
            inside = os.open(name, _OPEN, dir_fd=upper) if stat.S_ISDIR(status.st_mode) else -1
        except OSError:
            continue  # it has just been removed, or replaced
        if is_whiteout(status):
            if old is not None:
                yield Change(here, "D")
        elif inside >= 0:
            try:
                merged = old.merged if old else ()
                inner = list(_changes(inside, merged, here, is_opaque(inside)))
            finally:
                os.close(inside)
            if old is None or inner or not _same(old, status):
                yield Change(here, "C" if old else "A")
            yield from inner
        elif old is None or not _same(old, status):
            yield Change(here, "C" if old else "A")
    if opaque:
        for name in sorted(set(names_in(below)) - set(names)):
            yield Change(f"{path}/{name}", "D")


def _same(old: Found, new: os.stat_result) -> bool:
    """Whether overlayfs has only copied it up: a directory to have a place for something in
    it, a file that was opened for writing and never written.

    Of directories Docker compares neither time nor size (moby pkg/archive, statDifferent).
    """
    keys = ["st_mode", "st_uid", "st_gid", "st_rdev"]
    if not stat.S_ISDIR(new.st_mode):
        keys += ["st_size", "st_mtime_ns"]
    return all(getattr(old.status, key) == getattr(new, key) for key in keys)


def diff_layer(upper: Path) -> Iterator[bytes]:
    """A layer in overlay form as a tar, in pieces: what ``apply_layer`` undoes.

    Raises ``InvalidParameter`` for a name that no layer can have (``.wh.x``),
    ``SystemFailure`` for a file that shrinks meanwhile, ``OSError``.
    """
    packer = Packer()
    yield from packer.pack(str(upper), "./")
    top = os.open(upper, _OPEN)
    try:
        yield from _diff_directory(packer, top, "")
    finally:
        os.close(top)
    yield END


def _diff_directory(packer: Packer, directory: int, path: str) -> Iterator[bytes]:
    """A container may be writing there, and put links to the host's files in the place of
    directories: so each is opened by its name in the one above, and no link is followed."""
    for name in sorted(os.listdir(directory)):
        source, here = f"/proc/self/fd/{directory}/{name}", os.path.join(path, name)
        status = os.lstat(source)
        if is_whiteout(status):
            yield from packer.whiteout(path, name)
            continue
        yield from packer.pack(source, here, status)
        if stat.S_ISDIR(status.st_mode):
            inside = os.open(name, _OPEN, dir_fd=directory)
            try:
                if is_opaque(inside):
                    yield from packer.opaque(here)
                yield from _diff_directory(packer, inside, here)
            finally:
                os.close(inside)


def diff_trees(old: Path, new: Path) -> Iterator[bytes]:
    """The layer that makes ``old`` into ``new``, as a tar in pieces.

    Both are whole trees.  Files are compared byte by byte.  Names of one file
    (hard links) are in the layer all together, or not at all.
    """
    packer = Packer()
    comparison = _Comparison(packer, link_groups(old), link_groups(new))
    if read_metadata(old) != read_metadata(new):
        yield from packer.pack(str(new), "./")
    yield from comparison.directory(str(old), str(new), "")
    yield END


@dataclass(frozen=True)
class _Comparison:
    packer: Packer
    old_groups: Groups
    new_groups: Groups

    def directory(self, old: str | None, new: str, path: str) -> Iterator[bytes]:
        """The changes inside of the directory ``new``; ``old`` is None for a new one."""
        before = set(os.listdir(old)) if old is not None else set()
        after = set(os.listdir(new))
        for name in sorted(before | after):
            if name in after:
                was = os.path.join(old, name) if old is not None and name in before else None
                yield from self.file(was, os.path.join(new, name), os.path.join(path, name))
            else:
                yield from self.packer.whiteout(path, name)

    def file(self, old: str | None, new: str, path: str) -> Iterator[bytes]:
        """The changes of what is at ``path``, and below it."""
        same_links = self.old_groups.get(path) == self.new_groups.get(path)
        if old is None or not same_links or not same_file(old, new):
            yield from self.packer.pack(new, path)
        if stat.S_ISDIR(os.lstat(new).st_mode):
            was_directory = old is not None and stat.S_ISDIR(os.lstat(old).st_mode)
            yield from self.directory(old if was_directory else None, new, path)


def same_file(old: str, new: str) -> bool:
    """Whether two files are the same in kind, metadata and content (of a directory: not
    counting what is in it)."""
    before, after = os.lstat(old), os.lstat(new)
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(after.st_mode):
        return False
    if read_metadata(old, before) != read_metadata(new, after):
        return False
    if stat.S_ISREG(after.st_mode):
        return before.st_size == after.st_size and _same_content(old, new)
    if stat.S_ISLNK(after.st_mode):
        return os.readlink(old) == os.readlink(new)
    return before.st_rdev == after.st_rdev


def _same_content(old: str, new: str) -> bool:
    with open(old, "rb") as before, open(new, "rb") as after:
        while True:
            ours, theirs = before.read(PIECE), after.read(PIECE)
            if ours != theirs or not ours:
                return ours == theirs


def link_groups(tree: Path) -> Groups:
    """For every file that has several names in ``tree``: its path -> all its paths."""
    names: dict[tuple[int, int], set[str]] = defaultdict(set)
    for folder, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_nlink > 1:
                names[status.st_dev, status.st_ino].add(os.path.relpath(path, tree))
    return {path: frozenset(group) for group in names.values() if len(group) > 1 for path in group}
