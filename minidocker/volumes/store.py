"""The volumes that there are: a row in the database and a directory for each.

A row comes before its directory, and a directory goes before its row: whatever moment a
``kill -9`` picks, what is found at the next start can be told apart and finished (``recover``).
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from minidocker.errors import Conflict, MinidockerError, NotFound
from minidocker.records import transaction
from minidocker.volumes import copy_up
from minidocker.volumes.names import check_name, new_name
from minidocker.volumes.options import Filesystem, check_driver, check_options, filesystem

log = logging.getLogger(__name__)

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS volumes (
    name       TEXT PRIMARY KEY,
    labels     TEXT NOT NULL,     -- JSON object
    options    TEXT NOT NULL,     -- JSON object, see options.py
    created_ns INTEGER NOT NULL,
    pending    INTEGER NOT NULL   -- 1: made by the create of a container, which is not over
);
"""
GOING: Final = ".going-"  # no volume's name begins with a dot
ANONYMOUS: Final = "com.docker.volume.anonymous"  # a label, by which a prune knows them


@dataclass(frozen=True)
class Volume:
    """``directory`` is <data-root>/volumes/<name>; ``created_ns``: Unix time."""

    name: str
    directory: Path
    created_ns: int
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False

    @property
    def data(self) -> Path:
        """What is mounted, unless ``filesystem`` says otherwise."""
        return self.directory / copy_up.DATA

    @property
    def filesystem(self) -> Filesystem | None:
        """What is mounted instead of ``data``; None for most volumes."""
        return filesystem(self.options)

    @property
    def anonymous(self) -> bool:
        """Whether nobody gave it a name."""
        return ANONYMOUS in self.labels


class VolumeStore:
    """The event loop's thread owns it.

    A container that is being created *claims* the volumes that it names, and those that
    nobody else made are ``pending`` until it is on record.  So a create that fails, or is
    killed, leaves no volume of its own behind; and nobody takes away what it counts on.
    """

    def __init__(self, db: sqlite3.Connection, root: Path) -> None:
        root.mkdir(mode=0o701, parents=True, exist_ok=True)
        self._db = db
        self._root = root
        self._db.executescript(SCHEMA)
        self._volumes = {
            row["name"]: self._volume(row) for row in db.execute("SELECT * FROM volumes")
        }
        self._claims: dict[str, list[str]] = {}  # name -> the containers being created

    def get(self, name: str) -> Volume:
        """Raises ``NotFound``."""
        if name not in self._volumes:
            raise NotFound(f"get {name}: no such volume")
        return self._volumes[name]

    def all(self) -> list[Volume]:
        """By name."""
        return sorted(self._volumes.values(), key=lambda volume: volume.name)

    # -- made

    def create(
        self,
        name: str = "",
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Volume, bool]:
        """The volume of this name, and whether it is new; ``name`` "" is an anonymous one.

        One that is there stays as it is, whatever the options.  Raises ``InvalidParameter``
        and ``NotFound`` (no such driver), and then there is nothing.
        """
        volume, made = self._make(name, driver, options or {}, labels or {}, pending=False)
        self.keep([volume.name])  # it was wished for by itself: no create that fails takes it away
        return self._volumes[volume.name], made

    def claim(
        self,
        container: str,
        name: str,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Volume, bool]:
        """The same for a container that is being created, by its ID; see ``give_up``."""
        volume, made = self._make(name, driver, options or {}, labels or {}, pending=True)
        self._claims.setdefault(volume.name, []).append(container)
        return volume, made

    def keep(self, names: Collection[str]) -> None:
        """These are there to stay.  Part of the transaction that records their container."""
        for name in names:
            if self._volumes[name].pending:
                self._db.execute("UPDATE volumes SET pending = 0 WHERE name = ?", (name,))
                self._volumes[name] = replace(self._volumes[name], pending=False)

    def give_up(self, container: str) -> list[Volume]:
        """The create is over: no claims any more.

        Returns those that were made for it alone and that it did not keep: remove them.
        """
        released = [name for name, claims in self._claims.items() if container in claims]
        for name in released:
            self._claims[name] = [each for each in self._claims[name] if each != container]
            if not self._claims[name]:
                del self._claims[name]
        return [
            self._volumes[name]
            for name in released
            if self._volumes[name].pending and name not in self._claims
        ]

    def _make(
        self,
        name: str,
        driver: str,
        options: Mapping[str, str],
        labels: Mapping[str, str],
        pending: bool,
    ) -> tuple[Volume, bool]:
        if not name:
            name, labels = new_name(), {**labels, ANONYMOUS: ""}
        try:
            check_driver(driver)
            if name in self._volumes:
                return self._volumes[name], False
            check_name(name)
            check_options(options)
        except MinidockerError as error:
            raise type(error)(f"create {name}: {error}") from None
        volume = Volume(
            name, self._root / name, time.time_ns(), dict(labels), dict(options), pending
        )
        self._db.execute(
            "INSERT INTO volumes (name, labels, options, created_ns, pending)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                name,
                json.dumps(volume.labels),
                json.dumps(volume.options),
                volume.created_ns,
                pending,
            ),
        )
        try:
            self._make_directories(volume)
        except BaseException:
            # Whatever it was: a volume is a row and a directory, or nothing.
            self._db.execute("DELETE FROM volumes WHERE name = ?", (name,))
            raise
        self._volumes[name] = volume
        return volume, True

    # -- removed

    def remove(self, name: str, users: Collection[str] = ()) -> Path:
        """Forget it; its directory, which has another name now, is yours to delete.

        ``users``: the IDs of the containers on record that name it.  Raises ``NotFound``,
        ``Conflict`` when there are any, or one is being created.
        """
        volume = self.get(name)
        users = [*users, *self._claims.get(name, ())]
        if users:
            raise in_use(name, users)
        going = self._root / f"{GOING}{secrets.token_hex(8)}"
        try:
            with transaction(self._db):
                self._db.execute("DELETE FROM volumes WHERE name = ?", (name,))
                if volume.directory.exists():
                    os.rename(volume.directory, going)
        except BaseException as error:
            # Whatever it was: the row stays, and so does the directory.
            if going.exists():
                os.rename(going, volume.directory)
            if isinstance(error, sqlite3.IntegrityError):  # a row of a container names it
                raise in_use(name, ["a container"]) from None
            raise
        del self._volumes[name]
        return going

    # -- after a daemon's end, whatever it was

    def recover(self) -> list[Path]:
        """Finish what was begun; returns directories of which nothing is needed: delete them.

        Call once, before anything else.
        """
        for volume in self.all():
            if volume.pending:
                self.remove(volume.name)
                continue
            try:
                self._make_directories(volume)
                copy_up.finish(volume.directory)
            except OSError as error:  # one must not keep the others
                log.error("the volume %s is not as it should be: %s", volume.name, error)
        return [path for path in self._root.iterdir() if path.name.startswith(GOING)]

    def _make_directories(self, volume: Volume) -> None:
        """As Docker's: others may pass through the first one, and look into the second."""
        for path, mode in ((volume.directory, 0o701), (volume.data, 0o755)):
            if not path.is_dir():
                path.mkdir()
                path.chmod(mode)  # again: mkdir obeyed the umask

    def _volume(self, row: sqlite3.Row) -> Volume:
        return Volume(
            name=row["name"],
            directory=self._root / row["name"],
            created_ns=row["created_ns"],
            labels=json.loads(row["labels"]),
            options=json.loads(row["options"]),
            pending=bool(row["pending"]),
        )


def in_use(name: str, users: Collection[str]) -> Conflict:
    """Docker's words."""
    return Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
