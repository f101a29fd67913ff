"""The records against a model: what was saved is there, also for the next daemon."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from minidocker.containers.container import Container, State
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.store import ContainerStore
from minidocker.errors import Conflict, InvalidParameter, NotFound
from minidocker.records import open_records
from tests.containers import strategies as draw


@given(draw.specs)
def test_a_spec_survives_the_record(spec: ContainerSpec) -> None:
    assert ContainerSpec.from_record(json.loads(json.dumps(spec.to_record()))) == spec


@settings(max_examples=50)
@given(draw.containers)
def test_a_container_survives_the_database(container: Container) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        ContainerStore(db).add(container)
        assert ContainerStore(db).all() == [container]
    finally:
        db.close()


@settings(max_examples=10)
@given(draw.containers)
def test_a_full_disk_stops_no_life_and_is_made_good_later(container: Container) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        store = ContainerStore(db)
        store.add(container)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        changed = dataclasses.replace(
            container, state=dataclasses.replace(container.state, error="x" * 20_000)
        )
        store.save(changed)
        assert store.now(container.id) == changed
        assert ContainerStore(db).all() == [container]
        db.execute("PRAGMA max_page_count = 100000")
        store.save(changed)
        assert ContainerStore(db).all() == [changed]
        store.delete(container.id)
        assert ContainerStore(db).all() == []
    finally:
        db.close()


NAMES = st.sampled_from(["one", "two", "three", "four"])


class Records(RuleBasedStateMachine):
    """A store, a dictionary beside it, and daemons that come and go between them."""

    containers = Bundle("containers")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "records.db")
        self.db = open_records(self.path)
        self.store = ContainerStore(self.db)
        self.model: dict[str, Container] = {}
        self.made = 0

    @rule(target=containers, name=NAMES, spec=draw.specs)
    def add(self, name: str, spec: ContainerSpec) -> str:
        self.made += 1
        id = f"{self.made:064x}"
        made = Container(id, name, spec, "sha256:x", created_ns=self.made)
        if name in self.names():
            with pytest.raises(Conflict, match="already in use"):
                self.store.add(made)
            with pytest.raises(Conflict, match="already in use"):
                self.store.free_name(name)
        else:
            assert self.store.free_name(f"/{name}") == name
            self.store.add(made)
            self.model[id] = made
        return id

    @rule(id=containers, state=draw.states)
    def save(self, id: str, state: State) -> None:
        if id in self.model:
            self.model[id] = dataclasses.replace(self.model[id], state=state, restart_count=3)
            assert self.store.save(self.model[id]) == self.model[id]

    @rule(id=containers, name=NAMES | st.sampled_from(["", "-bad"]))
    def rename(self, id: str, name: str) -> None:
        if id not in self.model:
            return
        if name in ("", "-bad", self.model[id].name):
            with pytest.raises(InvalidParameter):
                self.store.rename(self.model[id], name)
        elif name in self.names():
            with pytest.raises(Conflict):
                self.store.rename(self.model[id], name)
        else:
            self.model[id] = self.store.rename(self.model[id], name)
            assert self.model[id].name == name

    @rule(id=consumes(containers))
    def delete(self, id: str) -> None:
        self.store.delete(id)
        self.model.pop(id, None)

    @rule()
    def another_daemon(self) -> None:
        self.db.close()
        self.db = open_records(self.path)
        self.store = ContainerStore(self.db)

    @invariant()
    def the_store_is_the_model(self) -> None:
        if not hasattr(self, "store"):
            return
        newest_first = sorted(self.model.values(), key=lambda each: -each.created_ns)
        assert self.store.all() == newest_first
        for id, container in self.model.items():
            assert self.store.get(id) is self.store.get(container.name)
            assert id in self.store
        with pytest.raises(NotFound):
            self.store.get("nobody")

    def names(self) -> set[str]:
        return {each.name for each in self.model.values()}

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()
            self.folder.cleanup()


TestRecords = Records.TestCase
TestRecords.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
