"""Import and commit, in the store: what is made, what is refused, what is left."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import lzma
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter, MinidockerError, NotFound
from minidocker.images.commit import Note, changed, child_config, commit
from minidocker.images.imported import import_tar
from minidocker.images.load import holding
from minidocker.images.make import Written, write_layer
from minidocker.images.store import Image, ImageStore
from minidocker.images.threads import in_thread
from minidocker.layers.tarstream import Limits
from minidocker.oci.image_config import History, ImageConfig, RunDefaults
from minidocker.oci.platform import Platform
from minidocker.oci.reference import parse_reference
from tests.images.pulls import HERE, nothing_is_left
from tests.images.samples import digest, sample, tar_of
from tests.images.stores import content, open_store, put

TIME = "2024-05-01T10:00:00.5Z"
TAR = tar_of({"a": b"1" * 3000, "d/b": b"2"})


def imported(store: ImageStore, data: bytes, name: str = "", **options: object) -> Image:
    references = [parse_reference(name)] if name else []

    async def run() -> Image:
        return await import_tar(
            io.BytesIO(data),
            store=store,
            config=RunDefaults(cmd=("sh",)),
            created=TIME,
            references=references,
            **options,  # type: ignore[arg-type]
        )

    return asyncio.run(run())


def test_an_import_is_one_layer_and_its_config(store: ImageStore, tmp_path: Path) -> None:
    told: list[tuple[str, str, str]] = []
    store.notify = lambda *news: told.append(news)
    image = imported(store, TAR, "it:1", message="why", platform=Platform("linux", "arm64", "v8"))
    assert image.config.diff_ids == (digest(TAR),)
    assert image.config.history == (History(created=TIME, comment="why"),)
    assert (image.config.config.cmd, image.names) == (("sh",), ("it:1",))
    assert (image.config.architecture, image.config.variant) == ("arm64", "")
    assert told == [("tag", image.id, "it:1"), ("import", image.id, "")]
    for packed in (gzip.compress(TAR), lzma.compress(TAR)):
        same = imported(store, packed, message="why", platform=Platform("linux", "arm64"))
        assert same.id == image.id
    store.remove("it:1", force=False, in_use=lambda _: [])
    assert nothing_is_left(store, tmp_path / "store")


@pytest.mark.parametrize(
    "data", [b"garbage" * 1000, gzip.compress(TAR)[:-9], TAR[:700], tar_of({"../x": b"1"})]
)
def test_of_a_failed_import_nothing_is_left(store: ImageStore, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(MinidockerError):
        imported(store, data, "it:1")
    with pytest.raises(InvalidParameter, match="unpacks to more than"):
        imported(store, TAR, "it:1", limits=Limits(size=1000))
    assert nothing_is_left(store, tmp_path / "store")


def committed(
    store: ImageStore, parent: str, upper: Path, config: RunDefaults, note: Note
) -> Image:
    async def run() -> Image:
        with holding(store) as held:
            pieces = list(changed(upper))
            layer = None
            if pieces:
                layer = await in_thread(
                    lambda: write_layer(iter(pieces), store.blobs, held.from_thread)
                )
            return await commit(parent, layer, config, note, store=store, held=held)

    return asyncio.run(run())


words = st.text("ab -", max_size=5)
configs = st.dictionaries(st.sampled_from(["Cmd", "Image"]), words)
notes = st.builds(Note, st.just(TIME), words, words, words, words, configs)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=50)), notes)
def test_a_commit_is_the_parent_and_one_layer_and_one_line(
    files: dict[str, bytes], note: Note
) -> None:
    made = sample([{"a": b"1"}, {"b": b"2"}], architecture=HERE)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "store") as store:
        upper = Path(folder) / "upper"
        upper.mkdir()
        for name, data in files.items():
            (upper / name).write_bytes(data)
        parent = put(store, made, ["it:1"])
        before = content(Path(folder) / "store")
        image = committed(store, parent.id, upper, RunDefaults(cmd=("c",)), note)
        assert image.config.diff_ids[:2] == parent.config.diff_ids
        assert len(image.config.diff_ids) == (3 if files else 2)
        assert image.config.history[:-1] == parent.config.history
        assert image.config.history[-1] == History(
            note.created, note.created_by, note.author, note.comment, empty_layer=not files
        )
        assert image.config.parent == parent.id
        assert image.config.container == note.container
        assert image.config.container_config == note.container_config
        assert image.size == parent.size + sum(map(len, files.values()))
        again = committed(store, parent.id, upper, RunDefaults(cmd=("c",)), note)
        assert again.id == image.id
        store.remove(image.id, force=True, in_use=lambda _: [])
        assert content(Path(folder) / "store") == before


def test_a_parent_that_is_gone_is_named_and_nothing_is_left(
    store: ImageStore, tmp_path: Path
) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "x").write_text("y")
    with pytest.raises(NotFound, match="No such image: sha256:"):
        committed(store, "sha256:" + "a" * 64, upper, RunDefaults(), Note(TIME))
    assert nothing_is_left(store, tmp_path / "store")


def test_fields_of_the_parents_own_stay_with_it() -> None:
    raw = sample([{"a": b"1"}]).config[:-1] + b', "container": "x", "unknown": "x"}'
    parent = Image("sha256:" + "b" * 64, ImageConfig.from_bytes(raw), "")
    child = child_config(parent, Written("sha256:" + "a" * 64, 1), RunDefaults(), Note(TIME))
    assert {"container", "unknown"}.isdisjoint(json.loads(child.to_bytes()))
    assert ImageConfig.from_bytes(child.to_bytes()) == child
