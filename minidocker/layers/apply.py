"""Applying a layer: a tar becomes a tree.

Two forms of tree.  In overlay form the tree is one layer by itself and a
whiteout becomes a mark for overlayfs; in plain form the tree is all the layers
so far, and a whiteout removes.  Either way a whiteout speaks of the layers
below only, never of its own layer's files, wherever in the tar it stands.

https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minidocker.errors import InvalidParameter
from minidocker.layers.changes import diff_layer
from minidocker.layers.extract import extract
from minidocker.layers.inside import Inside, Place, clean_name
from minidocker.layers.metadata import Metadata, read_metadata
from minidocker.layers.sources import Ahead, Hashed, Pieces, Source
from minidocker.layers.tarheader import DIRTYPE, SYMTYPE, Entry
from minidocker.layers.tarstream import Limits, Stream, entries
from minidocker.layers.union import names_in
from minidocker.layers.whiteout import (
    META_PREFIX,
    OPAQUE_NAME,
    PREFIX,
    hidden_by,
    make_whiteout,
)

__all__ = ["Applied", "Limits", "apply_layer", "apply_to_tree", "merge_layer"]


@dataclass(frozen=True)
class Applied:
    """What a layer turned out to be.  ``size``: bytes of its files' contents.

    ``skipped``: what could not be made here (devices without root, attributes
    that the file system does not have), as ``path: what``.
    """

    diff_id: str
    size: int
    entries: int
    skipped: tuple[str, ...] = ()


def apply_layer(
    tar: Source, target: Path, lower: Sequence[Path] = (), *, limits: Limits | None = None
) -> Applied:
    """Unpack a layer into the empty directory ``target``, in overlay form.

    ``tar``: uncompressed, read once to its end.  ``lower``: the layers it lies on,
    in overlay form, topmost first; they say what a directory looks like that the
    tar only implies, and where a symbolic link in a path leads.

    Nothing outside ``target`` is touched, whatever the tar says.  Raises
    ``InvalidParameter`` for a damaged or hostile tar or one past ``limits``,
    ``OSError`` when the machine fails; ``target`` is then half filled.
    """
    below = [str(path) for path in lower]
    root = read_metadata(below[0]) if below else Metadata(0o755)
    limits = limits or Limits()
    with closing(Inside(target, below, limits, root)) as tree:
        return _apply(tar, tree, OverlayForm(tree, below), limits)


def apply_to_tree(tar: Source, target: Path, *, limits: Limits | None = None) -> Applied:
    """Change the whole tree ``target`` as the layer says: the same contract, in plain form.

    A directory whose contents change and that the tar does not name keeps its time.
    """
    limits = limits or Limits()
    with closing(Inside(target, (), limits)) as tree:
        return _apply(tar, tree, PlainForm(tree), limits)


def merge_layer(layer: Path, target: Path) -> Applied:
    """Lay a layer in overlay form onto the whole tree ``target``: by way of a tar."""
    return apply_to_tree(Pieces(diff_layer(layer)), target)


class Form(Protocol):
    """What becomes of a layer's deletions."""

    def made(self, path: str) -> None:
        """The layer has something at ``path``."""

    def hide(self, place: Place) -> None:
        """What is below at ``place`` is gone."""

    def hide_all(self, directory: str) -> None:
        """All that is below in ``directory`` is gone."""

    def finish(self) -> None:
        """The last entry has been applied."""


class OverlayForm:
    """Deletions become marks.  Everything in the tree is this layer's own."""

    def __init__(self, tree: Inside, lower: Sequence[str]) -> None:
        self._tree = tree
        self._lower = lower

    def made(self, path: str) -> None:
        pass

    def hide(self, place: Place) -> None:
        status = self._tree.status(place)
        if status is None:
            make_whiteout(place.parent, place.name)
        elif stat.S_ISDIR(status.st_mode):
            self._tree.hide_below(place.path)
        # Any other file of this layer hides what is below by being there.

    def hide_all(self, directory: str) -> None:
        if directory:
            self._tree.hide_below(directory)
        else:
            self._tree.opaque.add("")

    def finish(self) -> None:
        """overlayfs ignores an opaque root: every name below is hidden by itself."""
        if "" in self._tree.opaque:
            for name in names_in(self._lower):
                self.hide(self._tree.place(name))


class PlainForm:
    """Deletions remove, except what this layer has brought itself."""

    def __init__(self, tree: Inside) -> None:
        self._tree = tree
        self._made: set[str] = set()

    def made(self, path: str) -> None:
        while path and path not in self._made:
            self._made.add(path)
            path = path.rpartition("/")[0]

    def hide(self, place: Place) -> None:
        status = self._tree.status(place)
        if place.path not in self._made:
            self._tree.remove(place)
        elif status is not None and stat.S_ISDIR(status.st_mode):
            self.hide_all(place.path)

    def hide_all(self, directory: str) -> None:
        for name in os.listdir(self._tree.descriptor(directory)):
            self.hide(self._tree.place(f"{directory}/{name}".lstrip("/")))

    def finish(self) -> None:
        pass


def _apply(tar: Source, tree: Inside, form: Form, limits: Limits) -> Applied:
    hashed = Hashed(tar)
    size, count = 0, 0
    skipped: list[str] = []
    with Ahead(hashed) as source:
        stream = Stream(source, limits.size)
        for entry in entries(stream, limits):
            count += 1
            size += len(os.fsencode(entry.linkname)) if entry.type == SYMTYPE else entry.size
            if size > limits.size:
                raise InvalidParameter(f"the layer unpacks to more than {limits.size} bytes")
            skipped += _apply_entry(entry, stream, tree, form, limits)
        stream.drain()
    form.finish()
    skipped += tree.finish()
    return Applied(hashed.digest, size, count, tuple(skipped))


def _apply_entry(
    entry: Entry, stream: Stream, tree: Inside, form: Form, limits: Limits
) -> list[str]:
    path = clean_name(entry.name)
    if len(os.fsencode(path)) >= limits.path or len(os.fsencode(entry.linkname)) >= limits.path:
        raise InvalidParameter(f"the layer has a name of more than {limits.path - 1} bytes")
    if not path:
        if entry.type != DIRTYPE:
            raise InvalidParameter("the layer has a root that is no directory")
        tree.set_root(entry.metadata)
        return []
    parent, _, name = path.rpartition("/")
    if name == OPAQUE_NAME:
        form.hide_all(tree.resolve(parent))
        form.made(tree.resolve(parent))
        return []
    if path.startswith(META_PREFIX) or f"/{META_PREFIX}" in path:
        return []  # aufs's own notes: no files of the image
    if f"/{PREFIX}" in f"/{parent}":
        raise InvalidParameter(f"the layer has a file in a whiteout: {entry.name!r}")
    hidden = hidden_by(name)
    place = tree.place(f"{parent}/{hidden}".lstrip("/") if hidden else path)
    if hidden:
        form.hide(place)
        form.made(place.path.rpartition("/")[0])
        return []
    skipped = extract(entry, stream, place, tree)
    form.made(place.path)
    return skipped
