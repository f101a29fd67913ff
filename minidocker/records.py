"""The one SQLite database that holds what the engine must remember.

Containers, image names and the like are rows; each package owns its own
tables and declares them in a ``SCHEMA`` string.  Look at them with
``sqlite3 <data-root>/minidocker.db``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path


def open_records(path: Path, schemas: Iterable[str] = ()) -> sqlite3.Connection:
    """Open (or make) the database at ``path`` and create the missing tables.

    Write-ahead logging with ``synchronous=NORMAL``: a transaction survives
    ``kill -9`` of the daemon at any point; a power cut may take back the last
    ones, never half of one (https://www.sqlite.org/wal.html).

    The connection is in autocommit mode; group changes with ``with db:``
    after ``BEGIN``, see ``transaction``.  One thread uses it: the event loop's.
    """
    db = sqlite3.connect(path, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA foreign_keys=ON")
    for schema in schemas:
        db.executescript(schema)
    return db


class transaction:
    """``with transaction(db):`` — all of the block's changes, or none."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> sqlite3.Connection:
        self.db.execute("BEGIN IMMEDIATE")
        return self.db

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.db.execute("COMMIT" if kind is None else "ROLLBACK")
