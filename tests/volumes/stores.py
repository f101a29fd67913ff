"""A volume store with containers beside it, as the engine has them on record."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from minidocker.records import open_records, transaction
from minidocker.volumes.store import VolumeStore

# What the engine's containers have: a row for each volume that they name.
USES = """
CREATE TABLE IF NOT EXISTS uses (
    container TEXT NOT NULL,
    volume    TEXT NOT NULL REFERENCES volumes(name)
);
"""


@dataclass(frozen=True)
class Root:
    """``store`` and ``db`` are open; ``path`` holds the volumes' directories."""

    path: Path
    db: sqlite3.Connection
    store: VolumeStore

    def record(self, container: str, volumes: list[str]) -> None:
        """The container is created: what it claimed is its own."""
        with transaction(self.db):
            for name in volumes:
                self.db.execute("INSERT INTO uses VALUES (?, ?)", (container, name))
            self.store.keep(volumes)

    def forget(self, container: str) -> None:
        self.db.execute("DELETE FROM uses WHERE container = ?", (container,))

    def users(self, name: str) -> list[str]:
        rows = self.db.execute("SELECT DISTINCT container FROM uses WHERE volume = ?", (name,))
        return [row[0] for row in rows]

    def names(self) -> list[str]:
        """What is on the disk."""
        return sorted(os.listdir(self.path))


@contextmanager
def opened(top: Path) -> Iterator[Root]:
    """As at the start of a daemon, before ``recover``.  A crash may come before any statement."""
    with closing(open_records(top / "records.db")) as db:
        db.executescript(USES)
        store = VolumeStore(db, top / "volumes")
        db.set_trace_callback(lambda statement: sys.audit("step", statement))
        yield Root(top / "volumes", db, store)
