"""Blobs by digest: the ``blobs/sha256`` directory of an OCI image layout.

A blob's name is the SHA-256 of its bytes, so a blob never changes, is stored
once however many images share it, and whoever reads it can check it.  New bytes
grow under ``ingest/`` and get their name by one rename, when they are complete and
what they were said to be: a crash leaves files under ``ingest/`` and nothing else.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md#blobs
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from minidocker.errors import InvalidParameter, NotFound, SystemFailure
from minidocker.oci.digest import digest_of, hex_of, parse_digest

PIECE = 1 << 20  # bytes read at once


class BlobStore:
    """Blobs under ``root``; ``root`` is made when the first one is written.

    Every method takes digests as ``sha256:<64 hex digits>`` and raises
    ``InvalidParameter`` for anything else, so that no digest is ever a path.
    Safe in several threads, and in several processes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._ingest = root / "ingest"

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        return self._blobs / hex_of(parse_digest(digest))

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def size(self, digest: str) -> int:
        """In bytes.  Raises ``NotFound``."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def open(self, digest: str) -> BinaryIO:
        """The blob's bytes, unchecked: who reads all of a big blob hashes it anyway.

        Raises ``NotFound``.  A blob deleted meanwhile can be read to its end.
        """
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise _missing(digest) from None

    def read(self, digest: str) -> bytes:
        """A small blob (manifest, config), checked.

        Raises ``NotFound``, and ``SystemFailure`` when the file has been damaged.
        """
        with self.open(digest) as file:
            data = file.read()
        if digest_of(data) != digest:
            raise SystemFailure(
                f"the blob {digest} is damaged: remove {self.path(digest)} and pull its image again"
            )
        return data

    def put(self, data: bytes) -> str:
        """Store ``data``, and return its digest.  Nothing happens when it is there."""
        digest = digest_of(data)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest

    def writer(self, key: str | None = None) -> BlobWriter:
        """Begin a new blob.

        With a ``key`` (the digest that the blob will have) the bytes outlive the
        writer: the next writer with this key goes on behind them, see ``offset``.
        While one writer has the key, another one starts its own file, without.
        """
        self._ingest.mkdir(parents=True, exist_ok=True)
        if key is not None:
            partial = self._ingest / hex_of(parse_digest(key))
            file = _lock(partial.open("a+b"))
            if file is not None:
                return BlobWriter(self, file, partial, keep=True)
        fresh = self._ingest / f"new-{secrets.token_hex(8)}"
        locked = _lock(fresh.open("x+b"))
        assert locked is not None, "a new file with a random name has no other owner"
        return BlobWriter(self, locked, fresh, keep=False)

    def delete(self, digest: str) -> None:
        """Remove the blob; nothing happens when it is not there."""
        self.path(digest).unlink(missing_ok=True)

    def all(self) -> Iterator[str]:
        """The digest of every blob, in order; other files in the directory are not ours."""
        names = sorted(os.listdir(self._blobs)) if self._blobs.is_dir() else []
        for name in names:
            with contextlib.suppress(InvalidParameter):
                yield parse_digest(f"sha256:{name}")

    def clean(self) -> None:
        """Remove what crashed or cut writers left; a writer that is alive keeps its file."""
        if not self._ingest.is_dir():
            return
        for partial in sorted(self._ingest.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                file = _lock(partial.open("rb"))
                if file is not None:
                    partial.unlink()
                    file.close()


class BlobWriter:
    """One blob on its way in.  As a context manager it closes itself.

    ``write`` as often as you like, then ``commit``.  ``close`` without a commit
    keeps the bytes for a later writer with the same key, if there was a key;
    ``abort`` never does.  One task or thread uses it.
    """

    def __init__(self, store: BlobStore, file: BinaryIO, path: Path, keep: bool) -> None:
        self._store = store
        self._file = file
        self._path = path
        self._keep = keep
        self._hash = hashlib.sha256()
        self._offset = 0
        file.seek(0)
        while piece := file.read(PIECE):  # what an earlier writer left
            self._count(piece)

    @property
    def offset(self) -> int:
        """How many bytes there are already: where a resumed download goes on."""
        return self._offset

    @property
    def digest(self) -> str:
        """The digest of the bytes so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes | memoryview) -> int:
        """Append ``data``; returns its length.  Raises ``OSError`` (a full disk)."""
        self._file.write(data)
        self._count(data)
        return len(data)

    def commit(self, expected: str | None = None) -> str:
        """Make the blob visible under its digest, and return that.

        No fsync: after a power cut a blob may be short, and is found to be so
        by its digest.  Raises ``SystemFailure`` when the digest is not
        ``expected``; the bytes are gone then, for they are no use to anyone.
        """
        if expected is not None and parse_digest(expected) != self.digest:
            got = self.digest
            self.abort()
            raise SystemFailure(
                f"the bytes that came are not the blob {expected}: their digest is {got}"
            )
        self._file.flush()
        target = self._store.path(self.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        # The rename is done under the lock, so that clean() cannot come between.
        os.replace(self._path, target)
        self._file.close()
        return self.digest

    def abort(self) -> None:
        """Forget the bytes.  Harmless after ``commit`` or ``close``."""
        self._keep = False
        self.close()

    def close(self) -> None:
        """End writing; the bytes stay for a later writer if this one had a key."""
        if self._file.closed:
            return
        try:
            if not self._keep:
                self._path.unlink(missing_ok=True)
        finally:
            self._file.close()

    def _count(self, piece: bytes | memoryview) -> None:
        self._hash.update(piece)
        self._offset += len(piece)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _lock(file: BinaryIO) -> BinaryIO | None:
    """The file if it is ours now, None (and closed) if another writer has it: flock(2).

    The kernel gives a lock back when its process ends, however it ends.
    """
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    try:
        # Between the open and the lock its owner may have renamed or removed it.
        current = os.stat(file.name).st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        current = False
    if not current:
        file.close()
        return None
    return file


def _missing(digest: str) -> NotFound:
    return NotFound(f"no such blob: {digest}")
