"""A container's own file system: its image's layers, the engine's, and its own on top.

The engine's (``init_layer.py``) is made with the container and never written again.
``Snapshots`` prepares directories and mounts nothing: the container mounts them
itself, in its own mount namespace.  ``CopyingSnapshots`` keeps the same contract
where there is no overlayfs: it makes a whole copy.  What both promise is tested
by one suite.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minidocker.errors import Conflict, NotFound
from minidocker.layers.apply import merge_layer
from minidocker.layers.init_layer import make_init_layer
from minidocker.layers.metadata import copy_metadata
from minidocker.layers.store import LayerStore
from minidocker.layers.trees import remove_tree


@dataclass(frozen=True)
class Snapshot:
    """The directories of one container's root, all absolute paths.

    ``lower``: read only, topmost first: the engine's own, then the image's.  ``upper``: the
    container's own changes, or with no ``lower`` the whole tree.  ``work``: overlayfs's
    scratch directory, on the same file system as ``upper``; empty when there is nothing
    to mount.
    """

    lower: tuple[str, ...]
    upper: str
    work: str


class SnapshotStore(Protocol):
    """What containers need: a root of their own, made from an image's layers.

    ``diff_ids``: the image's, the bottom first; none is an empty image.
    ``prepare`` makes a fresh one: ``Conflict`` when the container has one,
    ``NotFound`` when a layer is not unpacked (and then nothing is left).
    ``get`` is the one that was prepared, ``NotFound`` if there is none: after a
    crash inside ``prepare`` there is none.  ``remove`` takes it away with all that
    the container wrote; nothing happens when there is none.
    """

    def prepare(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot: ...

    def get(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot: ...

    def remove(self, container_id: str) -> None: ...


class Snapshots:
    """Snapshots for overlayfs, under ``<containers_root>/<id>``: ``init``, ``upper`` and ``work``.

    Other files in the container's directory belong to others, and stay.
    """

    def __init__(self, containers_root: Path, layers: LayerStore) -> None:
        self._root = containers_root
        self.layers = layers

    def prepare(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot:
        """See ``SnapshotStore``; a few milliseconds, whatever the image's size."""
        lower = self.layers.lower_dirs(diff_ids)
        home = _home(self._root, container_id)
        if (home / "upper").is_dir():
            raise Conflict(f"the container {container_id} has a root already")
        (home / "work").mkdir(parents=True, exist_ok=True)
        snapshot = self._snapshot(home, lower)
        fresh = _fresh(home / "new-upper")
        # The root of an overlay is the upper directory: it must look like the image's.
        copy_metadata(snapshot.lower[0], fresh)
        os.rename(fresh, home / "upper")
        return snapshot

    def get(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot:
        """See ``SnapshotStore``."""
        home = _home(self._root, container_id)
        if not (home / "upper").is_dir():
            raise NotFound(f"the container {container_id} has no root")
        return self._snapshot(home, self.layers.lower_dirs(diff_ids))

    def remove(self, container_id: str) -> None:
        """See ``SnapshotStore``."""
        home = _home(self._root, container_id)
        for name in ("upper", "work", "new-upper", "init", "new-init"):
            remove_tree(home / name)

    @staticmethod
    def _snapshot(home: Path, lower: Sequence[Path]) -> Snapshot:
        below = [str(path) for path in lower]
        if not (home / "init").is_dir():  # also for a container of an engine that made none
            fresh = _fresh(home / "new-init")
            make_init_layer(str(fresh), below)
            os.rename(fresh, home / "init")
        return Snapshot((str(home / "init"), *below), str(home / "upper"), str(home / "work"))


class CopyingSnapshots:
    """Snapshots that are whole trees, ``<containers_root>/<id>/rootfs``: slow, and everywhere."""

    def __init__(self, containers_root: Path, layers: LayerStore) -> None:
        self._root = containers_root
        self._layers = layers

    def prepare(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot:
        """See ``SnapshotStore``; takes as long as copying the image."""
        lower = self._layers.lower_dirs(diff_ids)
        home = _home(self._root, container_id)
        if (home / "rootfs").is_dir():
            raise Conflict(f"the container {container_id} has a root already")
        home.mkdir(parents=True, exist_ok=True)
        fresh = _fresh(home / "new-rootfs")
        try:
            for layer in reversed(lower):
                merge_layer(layer, fresh)
            init = _fresh(home / "new-init")
            make_init_layer(str(init), [str(path) for path in lower])
            merge_layer(init, fresh)
            remove_tree(init)
        except BaseException:
            # Whatever it was, also Ctrl-C: a half copy is of no use to anyone.
            remove_tree(fresh)
            raise
        os.rename(fresh, home / "rootfs")
        return Snapshot((), str(home / "rootfs"), "")

    def get(self, container_id: str, diff_ids: Sequence[str]) -> Snapshot:
        """See ``SnapshotStore``."""
        rootfs = _home(self._root, container_id) / "rootfs"
        if not rootfs.is_dir():
            raise NotFound(f"the container {container_id} has no root")
        return Snapshot((), str(rootfs), "")

    def remove(self, container_id: str) -> None:
        """See ``SnapshotStore``."""
        home = _home(self._root, container_id)
        for name in ("rootfs", "new-rootfs", "new-init"):
            remove_tree(home / name)


def _home(root: Path, container_id: str) -> Path:
    assert Path(container_id).name == container_id, "an ID is one name"
    return root.absolute() / container_id


def _fresh(path: Path) -> Path:
    """An empty directory, without what an interrupted attempt left."""
    remove_tree(path)
    path.mkdir()
    path.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    return path
