"""The store: what it makes, what it refuses, and what is found after any death of a daemon."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minidocker.errors import Conflict, InvalidParameter, NotFound
from tests.layers.crash import crashed
from tests.volumes.stores import Root, opened


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    with opened(tmp_path) as root:
        yield root


def test_a_volume_is_a_directory_as_dockers(root: Root) -> None:
    volume, made = root.store.create("data", labels={"a": "b"})
    assert made
    assert volume.data == root.path / "data" / "_data"
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (volume.directory, volume.data)]
    assert modes == [0o701, 0o755]
    assert not volume.anonymous
    assert root.store.get("data") == volume
    assert volume.labels == {"a": "b"}


def test_what_is_there_stays_as_it_is(root: Root) -> None:
    first, _ = root.store.create("data", labels={"a": "b"})
    assert root.store.create("data", labels={"c": "d"}) == (first, False)


def test_what_nobody_named_is_anonymous(root: Root) -> None:
    volume, _ = root.store.create()
    assert volume.anonymous
    assert len(volume.name) == 64


@pytest.mark.parametrize(
    ("name", "driver", "options", "words"),
    [
        ("./x", "", {}, 'create ./x: "./x" includes invalid characters'),
        ("xx", "nope", {}, 'create xx: error looking up volume plugin nope: plugin "nope" not'),
        ("xx", "local", {"a": "b"}, 'create xx: invalid option: "a"'),
    ],
)
def test_a_refusal_names_the_volume_and_makes_none(
    root: Root, name: str, driver: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises((InvalidParameter, NotFound)) as caught:
        root.store.create(name, driver, options)
    assert words in str(caught.value)
    assert root.store.all() == []
    assert root.names() == []


def test_a_directory_that_cannot_be_made_leaves_no_row(root: Root) -> None:
    (root.path / "data").write_text("a file, for a directory")
    with pytest.raises(OSError, match="exists"):
        root.store.create("data")
    assert root.store.all() == []
    assert not root.db.execute("SELECT * FROM volumes").fetchall()


def test_files_that_are_there_already_are_the_volumes(root: Root) -> None:
    (root.path / "data" / "_data").mkdir(parents=True)
    (root.path / "data" / "_data" / "file").write_text("kept")
    volume, made = root.store.create("data")
    assert made
    assert (volume.data / "file").read_text() == "kept"


def test_removed_it_is_gone_and_its_directory_is_the_callers(root: Root) -> None:
    volume, _ = root.store.create("data")
    (volume.data / "file").write_text("x")
    going = root.store.remove("data")
    assert (going / "_data" / "file").exists()
    assert root.store.all() == []
    fresh, made = root.store.create("data")
    assert made
    assert not os.listdir(fresh.data)
    with pytest.raises(NotFound, match="get nope: no such volume"):
        root.store.remove("nope")


def test_what_a_container_names_stays(root: Root) -> None:
    root.store.create("data")
    root.record("c1", ["data"])
    with pytest.raises(Conflict, match=r"remove data: volume is in use - \[c1\]"):
        root.store.remove("data", root.users("data"))
    with pytest.raises(Conflict):  # the database keeps it, whatever one says
        root.store.remove("data")
    assert root.names() == ["data"]
    root.forget("c1")
    root.store.remove("data", root.users("data"))


def test_what_is_claimed_stays_until_the_create_is_over(root: Root) -> None:
    root.store.create("data")
    root.store.claim("c1", "data")
    with pytest.raises(Conflict, match=r"in use - \[c1\]"):
        root.store.remove("data")
    assert root.store.give_up("c1") == []
    root.store.remove("data")


def test_a_create_that_fails_gives_up_what_it_made_alone(root: Root) -> None:
    root.store.create("old")
    for name in ("old", "own", "shared", "wished"):
        root.store.claim("c1", name)
    root.store.claim("c2", "shared")
    root.store.create("wished")  # by docker volume create, meanwhile
    assert [each.name for each in root.store.give_up("c1")] == ["own"]
    root.record("c2", ["shared"])
    assert root.store.give_up("c2") == []
    assert not root.store.get("shared").pending


def test_a_volume_without_a_directory_gets_one(tmp_path: Path) -> None:
    with opened(tmp_path) as root:
        root.store.create("data")
    shutil.rmtree(tmp_path / "volumes" / "data")
    with opened(tmp_path) as root:
        assert root.store.recover() == []
        assert root.store.get("data").data.is_dir()


def make(root: Root) -> None:
    root.store.create("data")


def run(root: Root) -> None:
    root.store.claim("c1", "own")
    root.store.claim("c1", "old")
    root.record("c1", ["own", "old"])
    root.store.give_up("c1")


def remove(root: Root) -> None:
    root.store.remove("old")


@pytest.mark.parametrize("act", [make, run, remove])
def test_killed_anywhere_all_of_it_is_true_or_nothing(
    tmp_path: Path, act: Callable[[Root], None]
) -> None:
    seen, step, died = set(), 0, True
    while died:
        top = tmp_path / str(step)
        top.mkdir()
        with opened(top) as root:
            root.store.create("old")
        died = crashed(lambda top=top: _acting(top, act), step)  # type: ignore[misc]
        with opened(top) as root:
            for path in root.store.recover():
                shutil.rmtree(path)
            names = [volume.name for volume in root.store.all()]
            assert root.names() == names
            assert all(volume.data.is_dir() for volume in root.store.all())
            assert not any(volume.pending for volume in root.store.all())
            assert set(names) >= {each for each in ("own", "old") if root.users(each)}
            seen.add((*names, bool(root.users("own"))))
        step += 1
    expected = {
        make: {("old", False), ("data", "old", False)},
        run: {("old", False), ("old", "own", True)},
        remove: {("old", False), (False,)},
    }
    assert seen == expected[act]


def _acting(top: Path, act: Callable[[Root], None]) -> None:
    with opened(top) as root:
        act(root)
