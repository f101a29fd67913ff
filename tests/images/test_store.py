"""The image store: names, IDs, what is shared, what goes, what survives a crash."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import Conflict, InvalidParameter, NotFound
from minidocker.images.store import ImageStore, matching_ids
from minidocker.oci.reference import parse_reference
from tests.images.samples import digest, sample
from tests.images.stores import content, listed, open_store, put

ONE = sample([{"a": b"1"}])
TWO = sample([{"a": b"1"}, {"b": b"22"}], cmd=("two",))


def nobody(image_id: str) -> list[str]:
    return []


def test_an_image_is_found_by_all_its_names(store: ImageStore) -> None:
    pinned = f"it@{digest(ONE.manifest)}"
    image = put(store, ONE, ["it:1", "localhost:5000/it", pinned])
    assert image.names == ("it:1", "localhost:5000/it:latest")
    assert image.repo_digests == (pinned,)
    digits = image.id.removeprefix("sha256:")
    for text in (
        *("it:1", "docker.io/library/it:1", "localhost:5000/it", pinned, f"it:x@{pinned[3:]}"),
        *(image.id, digits, digits[:12], digits[:2], f"sha256:{digits[:7]}"),
    ):
        assert store.resolve(text) == image, text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("it", "No such image: it:latest"),
        ("a/b:c", "No such image: a/b:c"),
        ("0" * 64, "No such image: " + "0" * 64),
        (f"it@{digest(b'')}", f"No such image: it@{digest(b'')}"),
    ],
)
def test_what_is_not_there_is_named_as_docker_does(store: ImageStore, text: str, said: str) -> None:
    put(store, ONE, ["it:1"])
    with pytest.raises(NotFound) as caught:
        store.resolve(text)
    assert caught.value.message == said


def test_a_text_that_can_be_no_name_is_refused(store: ImageStore) -> None:
    for text in ("", "A B", "It"):
        with pytest.raises(InvalidParameter, match="invalid reference format"):
            store.resolve(text)


def test_a_name_goes_before_the_beginning_of_an_id(store: ImageStore) -> None:
    one = put(store, ONE)
    two = put(store, TWO, [one.id[7:11]])
    assert store.resolve(one.id[7:11]) == two
    assert store.resolve(one.id[7:12]) == one


@given(st.lists(st.text("ab", min_size=3, max_size=4), unique=True), st.text("ab", max_size=4))
def test_a_prefix_matches_what_begins_so(digits: list[str], prefix: str) -> None:
    ids = [f"sha256:{each}" for each in digits]
    expected = [each for each in ids if prefix and each[7:].startswith(prefix)]
    assert matching_ids(prefix, ids) == expected


def test_an_ambiguous_prefix_is_no_image(store: ImageStore) -> None:
    made = [put(store, sample([{"a": b"1"}], cmd=(f"{n}",))) for n in range(17)]
    first = [image.id[7] for image in made]
    shared = next(digit for digit in first if first.count(digit) > 1)
    with pytest.raises(NotFound, match=rf"No such image: {shared}:latest: \d+ images have an ID"):
        store.resolve(shared)


def test_a_tag_moves_and_the_other_image_stays(store: ImageStore, tmp_path: Path) -> None:
    one, two = put(store, ONE, ["it:1"]), put(store, TWO)
    store.tag(two.id, parse_reference("it:1"))
    assert store.resolve("it:1").id == two.id
    assert store.resolve(one.id).names == ()
    assert listed(tmp_path / "store") == {"it:1": digest(TWO.manifest), "": digest(ONE.manifest)}


def test_what_cannot_be_tagged(store: ImageStore) -> None:
    one = put(store, ONE)
    with pytest.raises(InvalidParameter, match="digest reference"):
        store.tag(one.id, parse_reference(f"it@{digest(b'')}"))
    with pytest.raises(NotFound):
        store.tag(digest(b""), parse_reference("it"))
    with pytest.raises(NotFound, match="No such image: it:latest"):
        store.untag(parse_reference("it"))


def test_the_last_name_takes_the_image_along(store: ImageStore, tmp_path: Path) -> None:
    image = put(store, ONE, ["it:1", "it:2", f"it@{digest(ONE.manifest)}"])
    assert store.remove("it:1", False, nobody) == [("Untagged", "it:1")]
    [layer] = json.loads(ONE.config)["rootfs"]["diff_ids"]
    assert store.remove("it:2", False, nobody) == [
        ("Untagged", "it:2"),
        ("Untagged", f"it@{digest(ONE.manifest)}"),
        ("Deleted", image.id),
        ("Deleted", layer),
    ]
    assert content(tmp_path / "store") == (set(), set(), set())
    assert listed(tmp_path / "store") == {}


def test_shared_content_goes_with_the_last_image(store: ImageStore, tmp_path: Path) -> None:
    put(store, ONE, ["one"])
    put(store, TWO, ["two"])
    removed = store.remove("two", False, nobody)
    assert [kind for kind, _ in removed] == ["Untagged", "Deleted", "Deleted"]
    blobs, layers, _ = content(tmp_path / "store")
    assert blobs == {key[7:] for key in ONE.blobs}
    assert len(layers) == 1
    assert store.layers.lower_dirs(store.resolve("one").config.diff_ids)


def test_an_image_of_a_container_is_kept(store: ImageStore, tmp_path: Path) -> None:
    image = put(store, ONE, ["it"])
    short = image.id[7:19]
    before = content(tmp_path / "store")
    with pytest.raises(Conflict) as caught:
        store.remove("it", False, lambda _: ["c" * 64])
    assert caught.value.message == (
        'conflict: unable to remove repository reference "it" (must force) - '
        f"container {'c' * 12} is using its referenced image {short}"
    )
    with pytest.raises(Conflict, match=rf"unable to delete {short} \(must be forced\) - .*stopped"):
        store.remove(short, False, lambda _: ["c" * 64], nobody)
    with pytest.raises(Conflict, match=r"\(cannot be forced\) - .*running container c{12}"):
        store.remove(short, True, lambda _: ["c" * 64])
    assert content(tmp_path / "store") == before
    # By name and with force, the name goes; the running container keeps the image.
    assert store.remove("it", True, lambda _: ["c" * 64]) == [("Untagged", "it:latest")]
    assert store.resolve(image.id).names == ()


def test_a_stopped_container_keeps_its_layers_without_the_image(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        image = put(store, TWO, ["it"])
        diff_ids = image.config.diff_ids
        removed = store.remove("it", True, lambda _: ["c" * 64], nobody)
        assert removed == [("Untagged", "it:latest"), ("Deleted", image.id)]
        assert store.list() == []
        assert len(store.layers.lower_dirs(diff_ids)) == 2
    with open_store(tmp_path) as store:  # nor does a start of the daemon take them
        assert len(store.layers.lower_dirs(diff_ids)) == 2
        store.release(lambda _: ["c" * 64])
        assert len(store.layers.lower_dirs(diff_ids)) == 2
        store.release(nobody)
        assert content(tmp_path) == (set(), set(), set())


def test_the_image_comes_back_to_layers_that_stayed(store: ImageStore, tmp_path: Path) -> None:
    put(store, ONE, ["it"])
    store.remove("it", True, lambda _: ["c" * 64], nobody)
    put(store, ONE, ["it"])
    store.release(nobody)
    assert store.layers.lower_dirs(store.resolve("it").config.diff_ids)


def test_an_image_that_came_back_goes_as_any_other(store: ImageStore, tmp_path: Path) -> None:
    put(store, ONE, ["it"])
    store.remove("it", True, lambda _: ["c" * 64], nobody)
    put(store, ONE, ["it"])
    store.remove("it", False, nobody)
    assert content(tmp_path / "store") == (set(), set(), set())


def test_the_world_hears_of_changes(tmp_path: Path) -> None:
    heard: list[tuple[str, str, str]] = []
    with open_store(tmp_path, lambda *news: heard.append(news)) as store:
        image = put(store, ONE)
        store.tag(image.id, parse_reference("it"))
        store.untag(parse_reference("it"))
        store.tag(image.id, parse_reference("it"))
        store.remove("it", False, nobody)
    assert heard == [
        ("tag", image.id, "it:latest"),
        ("untag", image.id, "it:latest"),
        ("tag", image.id, "it:latest"),
        ("untag", image.id, "it:latest"),
        ("delete", image.id, ""),
    ]


def test_a_missing_layer_is_no_image(store: ImageStore) -> None:
    store.blobs.put(ONE.config)
    with pytest.raises(NotFound):
        store.add_manifest(ONE.manifest, [parse_reference("it")])
    assert store.list() == []


def test_an_index_is_no_image(store: ImageStore) -> None:
    with pytest.raises(InvalidParameter, match="is an index"):
        store.add_manifest(b'{"schemaVersion": 2, "manifests": []}')


def test_a_killed_pull_is_swept_at_the_next_start(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        put(store, ONE, ["it"])
        before = content(tmp_path)
        for blob in TWO.blobs.values():
            store.blobs.put(blob)
        diff_ids = json.loads(TWO.config)["rootfs"]["diff_ids"]
        top = digest(TWO.layers[1])
        store.layers.ensure(diff_ids, 1, lambda: store.blobs.open(top))
        (tmp_path / "images/ingest").mkdir(exist_ok=True)
        (tmp_path / "images/ingest/new-left").write_bytes(b"half")
    with open_store(tmp_path) as store:
        assert content(tmp_path) == before
        assert [image.names for image in store.list()] == [("it:latest",)]


def test_an_index_that_lags_behind_is_brought_in_step(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        put(store, ONE, ["it"])
        old = (tmp_path / "images/index.json").read_bytes()
        put(store, TWO, ["two"])
    (tmp_path / "images/index.json").write_bytes(old)
    with open_store(tmp_path):
        assert set(listed(tmp_path)) == {"it:latest", "two:latest"}


def test_a_damaged_image_is_forgotten_and_the_others_stay(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        put(store, ONE, ["it"])
        put(store, TWO, ["two"])
    (tmp_path / "images/blobs/sha256" / ONE.id[7:]).write_bytes(b"{")
    with open_store(tmp_path) as store:
        assert [image.names for image in store.list()] == [("two:latest",)]
        with pytest.raises(NotFound):
            store.resolve("it")
        assert put(store, ONE, ["it"]).id == ONE.id


def test_a_name_is_the_last_writers() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        with open_store(root) as store:
            put(store, ONE, ["it"])
            image = put(store, TWO, ["it"])
            assert store.resolve("it") == image
    finally:
        shutil.rmtree(root)
