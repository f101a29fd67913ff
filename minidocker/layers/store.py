"""The layers on disk: each unpacked once, and shared by every container that stands on it.

A layer's directory is named by its chain ID (what it is and on what it lies),
cut to 26 digits so that 127 of them fit in one page of mount options.  It
grows under another name and is renamed when its last byte is there and its
diff ID has been checked: ``kill -9`` at any moment leaves only what ``clean`` removes.

    layers/0b1c.../          the files, in overlay form
    layers/0b1c....json      the whole chain ID, the diff ID, the size
    layers/new-4711.../      on its way in, or on its way out
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from minidocker.errors import NotFound, SystemFailure
from minidocker.layers.apply import Limits, apply_layer
from minidocker.layers.compression import open_layer
from minidocker.layers.trees import remove_tree
from minidocker.oci.chain import chain_ids
from minidocker.oci.digest import hex_of, parse_digest

NAME_LENGTH = 26  # hex digits of the chain ID: 104 bits
UNFINISHED = "new-"


@dataclass(frozen=True)
class Record:
    """What is known of an unpacked layer.  ``size``: bytes of its files' contents."""

    chain_id: str
    diff_id: str
    size: int
    entries: int


class LayerStore:
    """Unpacked layers under ``root`` (``<data-root>/layers``), which is made when needed.

    Chain IDs and diff IDs are digests, ``sha256:...``.  Safe in several threads:
    the same layer unpacked twice at once ends up there once.  ``discard`` removes the tree
    of a removed layer, which takes as long as it has files: it may do so later and elsewhere.
    """

    def __init__(
        self,
        root: Path,
        limits: Limits | None = None,
        discard: Callable[[Path], object] = remove_tree,
    ) -> None:
        self.root = root
        self._limits = limits or Limits()
        self._discard = discard

    def path(self, chain_id: str) -> Path:
        """Where the layer is, or would be."""
        return self.root / hex_of(parse_digest(chain_id))[:NAME_LENGTH]

    def has(self, chain_id: str) -> bool:
        """Whether the layer is unpacked, all of it.

        Raises ``SystemFailure`` if another chain ID with the same beginning is
        there: that takes 2^52 tries, so somebody tried.
        """
        record = self._record(chain_id)
        return record is not None and self.path(chain_id).is_dir()

    def ensure(self, diff_ids: Sequence[str], index: int, open_blob: Callable[[], BinaryIO]) -> str:
        """Have the layer ``diff_ids[index]`` unpacked on those before it; returns its chain ID.

        ``diff_ids``: the image's, the bottom first.  ``open_blob`` opens the
        compressed layer; it is called only when the layer is not there.
        Raises ``NotFound`` when a layer below is not there (they are looked at
        to find what a path means), ``InvalidParameter`` for a tar that is
        damaged or hostile or whose diff ID is another, ``SystemFailure`` when the
        machine fails.  After an error nothing is left.
        """
        chain = chain_ids(diff_ids[: index + 1])
        if self.has(chain[index]):
            return chain[index]
        lower = self.lower_dirs(diff_ids[:index])
        try:
            self._unpack(chain[index], diff_ids[index], lower, open_blob)
        except OSError as error:
            hint = "; free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise SystemFailure(
                f"the layer {diff_ids[index]} cannot be unpacked in {self.root}: {error}{hint}"
            ) from error
        return chain[index]

    def _unpack(
        self,
        chain_id: str,
        diff_id: str,
        lower: Sequence[Path],
        open_blob: Callable[[], BinaryIO],
    ) -> None:
        with _Unfinished(self.root) as unfinished, open_blob() as blob:
            tree = unfinished.path / "tree"
            tree.mkdir()
            applied = apply_layer(open_layer(blob), tree, lower, limits=self._limits)
            if applied.diff_id != parse_digest(diff_id):
                raise SystemFailure(
                    f"the layer is not what the image says: its diff ID is {applied.diff_id}, "
                    f"not {diff_id}"
                )
            record = Record(chain_id, applied.diff_id, applied.size, applied.entries)
            self._publish(record, tree, unfinished.path)

    def lower_dirs(self, diff_ids: Sequence[str]) -> tuple[Path, ...]:
        """The directories of an image's layers as overlayfs wants them: topmost first.

        Raises ``NotFound`` for a layer that is not unpacked.
        """
        chain = chain_ids(diff_ids)
        for chain_id, diff_id in zip(chain, diff_ids, strict=True):
            if not self.has(chain_id):
                raise NotFound(f"the layer {diff_id} is not unpacked: pull its image again")
        return tuple(self.path(chain_id) for chain_id in reversed(chain))

    def size(self, chain_id: str) -> int:
        """Bytes of this layer's own files' contents.  Raises ``NotFound``."""
        record = self._record(chain_id)
        if record is None:
            raise NotFound(f"the layer {chain_id} is not unpacked")
        return record.size

    def remove(self, chain_id: str) -> None:
        """Remove the layer; nothing happens when it is not there.

        Nothing must stand on it: the caller knows which images and containers there are.
        """
        if not self.has(chain_id):
            return
        aside = self.root / f"{UNFINISHED}{secrets.token_hex(8)}"
        aside.mkdir(mode=0o700)
        # One rename, so that no half-removed layer ever has a layer's name.
        with contextlib.suppress(FileNotFoundError):  # another thread was faster
            os.rename(self.path(chain_id), aside / "tree")
            self._record_path(chain_id).unlink(missing_ok=True)
        self._discard(aside)

    def all(self) -> Iterator[str]:
        """The chain ID of every unpacked layer, in order."""
        for file in sorted(self.root.glob("*.json")):
            record = _read_record(file)
            if record is not None and self.path(record.chain_id).is_dir():
                yield record.chain_id

    def clean(self) -> None:
        """Remove what a crash left; a layer that is being unpacked right now stays."""
        for path in sorted(self.root.glob(f"{UNFINISHED}*")):
            _Unfinished.sweep(path)
        for file in sorted(self.root.glob("*.json")):
            record = _read_record(file)
            if record is None or not self.path(record.chain_id).is_dir():
                file.unlink(missing_ok=True)

    def _publish(self, record: Record, tree: Path, aside: Path) -> None:
        """Give the finished tree its name: the directory last, for it is what counts."""
        target = self.path(record.chain_id)
        text = aside / "record.json"
        text.write_text(json.dumps(asdict(record)) + "\n")
        os.rename(text, self._record_path(record.chain_id))
        try:
            os.rename(tree, target)
        except OSError:
            if not target.is_dir():
                raise
            # Another thread has unpacked the same layer meanwhile: ours goes away.

    def _record_path(self, chain_id: str) -> Path:
        return self.path(chain_id).with_suffix(".json")

    def _record(self, chain_id: str) -> Record | None:
        record = _read_record(self._record_path(chain_id))
        if record is not None and record.chain_id != chain_id:
            raise SystemFailure(
                f"the layers {record.chain_id} and {chain_id} begin with the same "
                f"{NAME_LENGTH} digits; that is no accident, and this engine keeps only one of them"
            )
        return record


class _Unfinished:
    """A directory for work that may be interrupted, locked while its owner lives (flock(2))."""

    def __init__(self, root: Path) -> None:
        self.path = root / f"{UNFINISHED}{secrets.token_hex(8)}"

    def __enter__(self) -> _Unfinished:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            remove_tree(self.path)
        finally:
            os.close(self._fd)

    @staticmethod
    def sweep(path: Path) -> None:
        """Remove such a directory, unless its owner lives."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            remove_tree(path)
        finally:
            os.close(fd)


def _read_record(file: Path) -> Record | None:
    """The record in ``file``; None when there is none, or it is damaged (by a power cut)."""
    try:
        return Record(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
