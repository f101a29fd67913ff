"""The layer store: unpacked once, verified, whole or not at all; whatever is killed when."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minidocker.errors import InvalidParameter, NotFound, SystemFailure
from minidocker.layers.apply import Limits, apply_layer
from minidocker.layers.store import NAME_LENGTH, LayerStore
from minidocker.oci.chain import chain_ids
from tests.layers.crash import crashed
from tests.layers.tars import diff_id, file, folder, hard, tar
from tests.layers.trees import Tree, read

TARS = [
    tar(folder("etc", mode=0o750), file("etc/passwd", b"root"), file("bin", b"x" * 2000)),
    tar(file("etc/group", b"wheel"), file(".wh.bin")),
    tar(file("etc/.wh.passwd"), hard("g", "etc/group")),
]
IDS = [diff_id(each) for each in TARS]
CHAIN = chain_ids(IDS)


def opener(index: int) -> BinaryIO:
    return io.BytesIO(gzip.compress(TARS[index].getvalue()))


def ensure(store: LayerStore, index: int, ids: Sequence[str] = IDS) -> str:
    return store.ensure(ids, index, lambda: opener(index))


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    return LayerStore(tmp_path / "layers")


def test_layers_are_found_by_their_chain_and_listed_topmost_first(store: LayerStore) -> None:
    for index in range(3):
        assert ensure(store, index) == CHAIN[index]
        assert store.has(CHAIN[index])
    assert store.lower_dirs(IDS) == tuple(store.path(chain) for chain in reversed(CHAIN))
    assert sorted(store.all()) == sorted(CHAIN)
    assert all(len(path.name) == NAME_LENGTH for path in store.lower_dirs(IDS))
    assert store.size(CHAIN[0]) == 2004


def test_a_layer_that_is_there_is_not_opened_again(store: LayerStore) -> None:
    ensure(store, 0)

    def refuse() -> BinaryIO:
        raise AssertionError("opened again")

    assert store.ensure(IDS, 0, refuse) == CHAIN[0]


def test_the_layers_below_come_first(store: LayerStore) -> None:
    with pytest.raises(NotFound, match=IDS[0]):
        ensure(store, 1)


def test_another_diff_id_is_refused_and_leaves_nothing(store: LayerStore) -> None:
    with pytest.raises(SystemFailure, match="its diff ID is"):
        store.ensure(IDS, 0, lambda: opener(1))
    assert os.listdir(store.root) == []


@pytest.mark.parametrize("damage", [b"no gzip and no tar" * 99, gzip.compress(b"no tar" * 999)])
def test_damage_is_refused_and_leaves_nothing(store: LayerStore, damage: bytes) -> None:
    with pytest.raises(InvalidParameter):
        store.ensure(IDS, 0, lambda: io.BytesIO(damage))
    assert os.listdir(store.root) == []


def test_a_no_of_the_machine_is_one_sentence_and_leaves_nothing(store: LayerStore) -> None:
    endless = tar(file("a" * 300))  # a name that no file system takes
    with pytest.raises(SystemFailure, match=r"cannot be unpacked in .*too long"):
        store.ensure([diff_id(endless)], 0, lambda: endless)
    assert os.listdir(store.root) == []


def test_the_limits_are_the_stores(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="more than 1000 bytes"):
        ensure(LayerStore(tmp_path, Limits(size=1000)), 0)


def test_what_is_removed_is_gone_and_can_come_again(store: LayerStore) -> None:
    ensure(store, 0)
    store.remove(CHAIN[0])
    store.remove(CHAIN[0])
    assert not store.has(CHAIN[0])
    assert os.listdir(store.root) == []
    with pytest.raises(NotFound):
        store.size(CHAIN[0])
    ensure(store, 0)
    assert store.has(CHAIN[0])


def test_a_tree_may_be_removed_later_and_a_crash_before_that_is_swept(tmp_path: Path) -> None:
    later: list[Path] = []
    store = LayerStore(tmp_path / "layers", discard=later.append)
    ensure(store, 0)
    store.remove(CHAIN[0])
    assert not store.has(CHAIN[0])
    assert list(store.all()) == []
    assert [path for path in later if path.is_dir()] == list(store.root.iterdir())
    store.clean()
    assert list(store.root.iterdir()) == []


def test_two_chains_with_one_beginning_are_not_mistaken(store: LayerStore) -> None:
    ensure(store, 0)
    last = "0" if CHAIN[0][-1] != "0" else "1"
    with pytest.raises(SystemFailure, match="no accident"):
        store.has(CHAIN[0][:-1] + last)


def test_the_same_layer_at_once_ends_up_there_once(store: LayerStore) -> None:
    ready = threading.Barrier(4)
    wrong: list[BaseException] = []

    def unpack() -> None:
        def open_together() -> BinaryIO:
            ready.wait(10)
            return opener(0)

        try:
            store.ensure(IDS, 0, open_together)
        except BaseException as error:
            wrong.append(error)  # a thread's errors go nowhere by themselves

    threads = [threading.Thread(target=unpack) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(store.all()) == CHAIN[:1]
    assert len(os.listdir(store.root)) == 2


def test_clean_spares_a_layer_that_is_being_unpacked(store: LayerStore) -> None:
    def open_and_clean() -> BinaryIO:
        store.clean()
        return opener(0)

    store.ensure(IDS, 0, open_and_clean)
    assert store.has(CHAIN[0])


def expected() -> list[Tree]:
    """The three layers, unpacked without any store."""
    with tempfile.TemporaryDirectory() as name:
        layers: list[Path] = []
        for index in range(3):
            layer = Path(name, str(index))
            layer.mkdir()
            apply_layer(io.BytesIO(TARS[index].getvalue()), layer, layers)
            layers.insert(0, layer)
        return [read(layer) for layer in reversed(layers)]


def test_killed_at_any_step_of_unpacking_a_layer_is_whole_or_not_there(tmp_path: Path) -> None:
    whole = expected()[0]
    for step in itertools.count():
        store = LayerStore(tmp_path / str(step))
        died = crashed(lambda store=store: ensure(store, 0), step)  # type: ignore[misc]
        if store.has(CHAIN[0]):
            assert read(store.path(CHAIN[0])) == whole
        store.clean()
        ensure(store, 0)
        assert read(store.path(CHAIN[0])) == whole
        assert len(os.listdir(store.root)) == 2
        if not died:
            assert step > 10, "there were steps to die at"
            break


def test_killed_at_any_step_of_removing_a_layer_is_whole_or_gone(tmp_path: Path) -> None:
    whole = expected()[0]
    for step in itertools.count():
        store = LayerStore(tmp_path / str(step))
        ensure(store, 0)
        died = crashed(lambda store=store: store.remove(CHAIN[0]), step)  # type: ignore[misc]
        there = store.has(CHAIN[0])
        if there:
            assert read(store.path(CHAIN[0])) == whole
        store.clean()
        assert len(os.listdir(store.root)) == (2 if there else 0)
        if not died:
            assert step > 5, "there were steps to die at"
            break


class Layers(RuleBasedStateMachine):
    """Any order of unpacking, removing, cleaning and being killed, against a set of layers."""

    whole = expected()
    indexes = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="minidocker-layers-"))
        self.store = LayerStore(self.home / "layers")
        self.there: set[int] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    def below(self, index: int) -> set[int]:
        return set(range(index))

    @rule(index=indexes)
    def unpack(self, index: int) -> None:
        if index in self.there or self.below(index) <= self.there:
            ensure(self.store, index)
            self.there.add(index)
        else:
            with pytest.raises(NotFound):
                ensure(self.store, index)

    @rule(index=indexes)
    def remove(self, index: int) -> None:
        self.store.remove(CHAIN[index])
        self.there.discard(index)

    @rule(index=indexes, step=st.integers(0, 60))
    def die_while_unpacking(self, index: int, step: int) -> None:
        if index not in self.there and self.below(index) <= self.there:
            crashed(lambda: ensure(self.store, index), step)
            if self.store.has(CHAIN[index]):
                self.there.add(index)

    @rule(index=indexes, step=st.integers(0, 20))
    def die_while_removing(self, index: int, step: int) -> None:
        crashed(lambda: self.store.remove(CHAIN[index]), step)
        if not self.store.has(CHAIN[index]):
            self.there.discard(index)

    @rule()
    def start_again(self) -> None:
        self.store = LayerStore(self.store.root)
        self.store.clean()
        names = {CHAIN[index].removeprefix("sha256:")[:NAME_LENGTH] for index in self.there}
        files = set(os.listdir(self.store.root)) if self.store.root.exists() else set()
        assert files == names | {f"{name}.json" for name in names}

    @invariant()
    def every_layer_is_whole(self) -> None:
        assert set(self.store.all()) == {CHAIN[index] for index in self.there}
        for index in self.there:
            assert read(self.store.path(CHAIN[index])) == self.whole[index]


TestLayers = Layers.TestCase
TestLayers.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
