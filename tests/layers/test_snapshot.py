"""Snapshots: one contract, kept by the one for overlayfs and by the one that copies."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from minidocker.errors import Conflict, NotFound
from minidocker.layers.snapshot import CopyingSnapshots, Snapshot, Snapshots, SnapshotStore
from minidocker.layers.store import LayerStore
from minidocker.layers.union import find
from minidocker.oci.chain import chain_ids
from tests.layers.crash import crashed
from tests.layers.tars import diff_id, file, folder, tar

TARS = [
    tar(folder("./", mode=0o711), folder("etc"), file("etc/passwd", b"root"), file("old")),
    tar(file("etc/group", b"wheel"), file(".wh.old")),
]
IDS = [diff_id(each) for each in TARS]


@pytest.fixture
def layers(tmp_path: Path) -> LayerStore:
    store = LayerStore(tmp_path / "layers")
    for index, data in enumerate(TARS):
        store.ensure(IDS, index, lambda data=data: io.BytesIO(data.getvalue()))  # type: ignore[misc]
    return store


@pytest.fixture(params=[Snapshots, CopyingSnapshots])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path, layers: LayerStore) -> SnapshotStore:
    store: SnapshotStore = request.param(tmp_path / "containers", layers)
    return store


def look(snapshot: Snapshot, path: str) -> bytes | None:
    """What a container would read at ``path``."""
    found = find([snapshot.upper, *snapshot.lower], path)
    return Path(found.path).read_bytes() if found else None


def test_a_container_sees_its_images_layers(snapshots: SnapshotStore) -> None:
    made = snapshots.prepare("one", IDS)
    assert look(made, "etc/passwd") == b"root"
    assert look(made, "etc/group") == b"wheel"
    assert look(made, "old") is None


def test_the_root_looks_like_the_images(snapshots: SnapshotStore) -> None:
    upper = snapshots.prepare("one", IDS).upper
    assert stat.S_IMODE(os.stat(upper).st_mode) == 0o711


def test_all_paths_are_absolute_and_there(snapshots: SnapshotStore) -> None:
    made = snapshots.prepare("one", IDS)
    for path in (*made.lower, made.upper, *([made.work] if made.work else [])):
        assert os.path.isabs(path)
        assert os.path.isdir(path)


def test_it_is_the_same_when_asked_again(snapshots: SnapshotStore) -> None:
    made = snapshots.prepare("one", IDS)
    Path(made.upper, "mine").write_bytes(b"1")
    assert snapshots.get("one", IDS) == made
    assert look(snapshots.get("one", IDS), "mine") == b"1"


def test_two_containers_do_not_see_each_other(snapshots: SnapshotStore) -> None:
    one, two = (snapshots.prepare(name, IDS) for name in ("one", "two"))
    Path(one.upper, "mine").write_bytes(b"1")
    assert look(two, "mine") is None


def test_a_container_has_one_root(snapshots: SnapshotStore) -> None:
    snapshots.prepare("one", IDS)
    with pytest.raises(Conflict, match="one"):
        snapshots.prepare("one", IDS)


def test_what_was_not_prepared_is_not_found(snapshots: SnapshotStore) -> None:
    with pytest.raises(NotFound, match="one"):
        snapshots.get("one", IDS)
    snapshots.remove("one")


def test_what_is_removed_is_gone_and_other_files_stay(
    snapshots: SnapshotStore, tmp_path: Path
) -> None:
    made = snapshots.prepare("one", IDS)
    Path(made.upper, "mine").write_bytes(b"1")
    (tmp_path / "containers/one/log").write_text("kept")
    snapshots.remove("one")
    snapshots.remove("one")
    assert os.listdir(tmp_path / "containers/one") == ["log"]
    assert look(snapshots.prepare("one", IDS), "mine") is None


def test_a_missing_layer_is_named(snapshots: SnapshotStore, layers: LayerStore) -> None:
    layers.remove(chain_ids(IDS)[1])
    with pytest.raises(NotFound, match=IDS[1]):
        snapshots.prepare("one", IDS)
    with pytest.raises(NotFound):
        snapshots.get("one", IDS)


@pytest.mark.parametrize("ids", [[], IDS[:1]])
def test_an_image_may_have_few_layers_or_none(snapshots: SnapshotStore, ids: Sequence[str]) -> None:
    made = snapshots.prepare("one", ids)
    assert snapshots.get("one", ids) == made
    assert look(made, ".dockerenv") == b""
    assert not made.lower or os.listdir(made.upper) == []
    snapshots.remove("one")


@pytest.mark.parametrize("step", range(12))
def test_killed_while_preparing_there_is_all_or_none(snapshots: SnapshotStore, step: int) -> None:
    crashed(lambda: snapshots.prepare("one", IDS), step)
    try:
        made = snapshots.get("one", IDS)
    except NotFound:
        made = snapshots.prepare("one", IDS)
    assert look(made, "etc/group") == b"wheel"
