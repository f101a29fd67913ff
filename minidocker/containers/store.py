"""The containers on record: one SQLite row each, and the same in memory.

Reading is from memory; every change is one transaction, so that after
``kill -9`` the database says what was true before or after it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import asdict, replace
from typing import Any, Final

from minidocker.containers.container import Container, State
from minidocker.containers.names import check_name, find, name_conflict, random_name
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter

log = logging.getLogger(__name__)

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS containers (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    image_id      TEXT NOT NULL,
    diff_ids      TEXT NOT NULL,            -- JSON list
    platform      TEXT NOT NULL,
    created_ns    INTEGER NOT NULL,
    args          TEXT NOT NULL,            -- JSON list
    spec          TEXT NOT NULL,            -- JSON object, see spec.py
    restart_count INTEGER NOT NULL,
    state         TEXT NOT NULL             -- JSON object, see container.State
);
"""


class ContainerStore:
    """The event loop's thread owns it.  Values go in and out; nobody holds a live record."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.executescript(SCHEMA)
        self._containers: dict[str, Container] = {}
        self._names: dict[str, str] = {}
        self._unwritten: set[str] = set()  # changed or deleted, but not in the database
        for row in db.execute("SELECT * FROM containers"):
            container = _from_row(row)
            self._containers[container.id] = container
            self._names[container.name] = container.id

    def __contains__(self, id: str) -> bool:
        return id in self._containers

    def get(self, ref: str) -> Container:
        """By name, ID or prefix.  Raises ``NotFound``, ``InvalidParameter``."""
        return self._containers[find(ref, self._containers, self._names)]

    def now(self, id: str) -> Container | None:
        """The container with this full ID, unless it is gone."""
        return self._containers.get(id)

    def all(self) -> list[Container]:
        """Newest first, as ``docker ps`` lists."""
        return sorted(self._containers.values(), key=lambda each: -each.created_ns)

    def free_name(self, wanted: str | None) -> str:
        """``wanted``, checked, or a random one.  Raises ``Conflict``, ``InvalidParameter``."""
        if wanted is None:
            return random_name(self._names.__contains__)
        name = check_name(wanted)
        if name in self._names:
            raise name_conflict(name, self._names[name])
        return name

    def add(self, container: Container) -> None:
        """Raises ``Conflict`` when the name is taken."""
        if container.name in self._names:
            raise name_conflict(container.name, self._names[container.name])
        row = _to_row(container)
        columns, marks = ", ".join(row), ", ".join(f":{column}" for column in row)
        self._db.execute(f"INSERT INTO containers ({columns}) VALUES ({marks})", row)
        self._containers[container.id] = container
        self._names[container.name] = container.id

    def save(self, container: Container) -> Container:
        """Write what changes in a life: the state and the restart count.

        Nothing else of ``container`` counts: a value from before a rename or an update does
        not undo it, and one that was deleted stays so.
        """
        if container.id not in self._containers:
            return container
        container = self._renewed(container)
        self._containers[container.id] = container
        self._write(container.id)
        return container

    def _write(self, id: str) -> None:
        """A full disk keeps no container from being stopped or removed, which makes room:
        what cannot be written is known in memory, and written with a later change."""
        self._unwritten.add(id)
        try:
            for each in list(self._unwritten):
                self._write_one(each)
                self._unwritten.discard(each)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                raise
            log.error("the record of container %s is not written: %s; make room", id, error)

    def _write_one(self, id: str) -> None:
        now = self._containers.get(id)
        if now is None:
            self._db.execute("DELETE FROM containers WHERE id = ?", (id,))
            return
        self._db.execute(
            "UPDATE containers SET state = ?, restart_count = ? WHERE id = ?",
            (_state_text(now.state), now.restart_count, id),
        )

    def keep(self, container: Container) -> Container:
        """Change it in memory only: for states that a restart of the daemon finds out anew."""
        if container.id not in self._containers:
            return container
        container = self._renewed(container)
        self._containers[container.id] = container
        return container

    def set_spec(self, id: str, spec: ContainerSpec) -> Container:
        """Give the container, which must be there, another spec (``docker update``)."""
        changed = replace(self._containers[id], spec=spec)
        self._db.execute(
            "UPDATE containers SET spec = ? WHERE id = ?", (_spec_text(changed.spec), id)
        )
        self._containers[id] = changed
        return changed

    def _renewed(self, container: Container) -> Container:
        now = self._containers[container.id]
        return replace(container, name=now.name, spec=now.spec)

    def rename(self, container: Container, name: str) -> Container:
        """Raises ``InvalidParameter``, ``Conflict``."""
        if not name:
            raise InvalidParameter("Neither old nor new names may be empty")
        try:
            name = check_name(name)
        except InvalidParameter as error:
            raise InvalidParameter(f"Error when allocating new name: {error}") from error
        if name == container.name:
            raise InvalidParameter("Renaming a container with the same name as its current name")
        if name in self._names:
            conflict = name_conflict(name, self._names[name])
            raise type(conflict)(f"Error when allocating new name: {conflict}")
        self._db.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container.id))
        renamed = replace(container, name=name)
        del self._names[container.name]
        self._names[name] = container.id
        self._containers[container.id] = renamed
        return renamed

    def delete(self, id: str) -> None:
        gone = self._containers.pop(id, None)
        if gone is not None:
            self._names.pop(gone.name, None)
        self._write(id)


def _state_text(state: State) -> str:
    return json.dumps(asdict(state), separators=(",", ":"))


def _spec_text(spec: ContainerSpec) -> str:
    return json.dumps(spec.to_record(), separators=(",", ":"))


def _to_row(container: Container) -> dict[str, Any]:
    return {
        "id": container.id,
        "name": container.name,
        "image_id": container.image_id,
        "diff_ids": json.dumps(container.diff_ids),
        "platform": container.platform,
        "created_ns": container.created_ns,
        "args": json.dumps(container.args),
        "spec": _spec_text(container.spec),
        "restart_count": container.restart_count,
        "state": _state_text(container.state),
    }


def _from_row(row: sqlite3.Row) -> Container:
    return Container(
        id=row["id"],
        name=row["name"],
        spec=ContainerSpec.from_record(json.loads(row["spec"])),
        image_id=row["image_id"],
        diff_ids=tuple(json.loads(row["diff_ids"])),
        platform=row["platform"],
        created_ns=row["created_ns"],
        args=tuple(json.loads(row["args"])),
        restart_count=row["restart_count"],
        state=State.from_record(json.loads(row["state"])),
    )
