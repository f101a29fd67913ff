"""Save: one tar, two formats; what is loaded from it is what was saved."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.errors import NotFound
from minidocker.images import archive
from minidocker.images.save import choose
from minidocker.images.store import ImageStore
from minidocker.oci.manifest import OCI_LAYER, Manifest, parse_manifest
from minidocker.oci.platform import Platform
from minidocker.oci.reference import parse_reference
from tests.images.archives import files_of, load_bytes, saved
from tests.images.pulls import HERE
from tests.images.samples import digest, sample
from tests.images.stores import content, open_store, put
from tests.support.dockerd import Dockerd
from tests.support.need import need_program

names = st.sampled_from(["alpine:3", "alpine:latest", "a.b:5/x/y:1", "deep/er:t"])
files = st.dictionaries(st.sampled_from("abc"), st.binary(max_size=2000), min_size=1)
images = st.tuples(
    st.lists(files, max_size=3),
    st.sampled_from(["gzip", "none", "zstd"]),
    st.sets(names, max_size=3),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(images, min_size=1, max_size=3))
def test_what_is_loaded_is_what_was_saved(
    made: list[tuple[list[dict[str, bytes]], str, set[str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "one") as one:
        for index, (layers, compression, tags) in enumerate(made):
            config = sample(layers, compression=compression, architecture=HERE, cmd=[str(index)])
            put(one, config, sorted(tags))
        data = saved(
            one, *(image.id for image in one.list()), *(t for i in one.list() for t in i.names)
        )
        with open_store(Path(folder) / "two") as two:
            load_bytes(two, data)
            assert [(i.id, i.names, i.size) for i in two.list()] == [
                (i.id, i.names, i.size) for i in one.list()
            ]
            ids = [image.id for image in two.list()]
            # Plain and gzipped layers stay what they are, and with them the manifest.
            same = [i for i in ids if not any(c == "zstd" for _, c, _ in made)]
            for id in same:
                before, after = one.get(id), two.get(id)
                assert before is not None
                assert after is not None
                assert after.manifest_digest == before.manifest_digest
            assert saved(two, *ids, *(t for i in two.list() for t in i.names)) == data


@given(
    st.lists(st.sampled_from(["alpine:3", "alpine:4", "b.c/d:1"]).map(parse_reference), unique=True)
)
def test_every_list_of_the_archive_names_the_same(references: list[object]) -> None:
    made = sample([{"a": b"1"}, {"b": b"2"}])
    packed = archive.Packed(made.manifest, Platform("linux", "amd64"), tuple(references))  # type: ignore[arg-type]
    documents = archive.documents([packed])
    (entry,) = json.loads(documents["manifest.json"])
    index = json.loads(documents["index.json"])["manifests"]
    full = [
        each["annotations"]["io.containerd.image.name"] for each in index if "annotations" in each
    ]
    assert [str(parse_reference(each)) for each in entry["RepoTags"] or ()] == full
    assert {each["digest"] for each in index} == {digest(made.manifest)}
    assert f"blobs/sha256/{digest(made.manifest)[7:]}" in documents
    assert [each.rpartition("/")[2] for each in entry["Layers"]] == [
        each["digest"][7:] for each in json.loads(made.manifest)["layers"]
    ]
    repositories = json.loads(documents.get("repositories", b"{}"))
    assert sum(len(tags) for tags in repositories.values()) == len(references)


def test_a_bare_name_is_every_tag_and_an_id_none(store: ImageStore) -> None:
    one = put(store, sample([{"a": b"1"}]), ["it:1", "it:2", "other:1"])
    two = put(store, sample([{"a": b"2"}]), ["it:3"])

    def chosen(*names: str) -> dict[str, list[str]]:
        return {
            each.image.id: [r.familiar() for r in each.references] for each in choose(store, names)
        }

    assert chosen("it") == {one.id: ["it:1", "it:2"], two.id: ["it:3"]}
    assert chosen("it:2") == {one.id: ["it:2"]}
    assert chosen(one.id) == chosen(one.id[7:19]) == {one.id: []}
    assert chosen(one.id, "other:1", "other:1", "it:1") == {one.id: ["other:1", "it:1"]}
    for name in ("nope", "it:4", "it@sha256:" + "a" * 64, "sha256:" + "a" * 64):
        with pytest.raises(NotFound):
            choose(store, [name])


def test_zstd_layers_go_out_plain(store: ImageStore) -> None:
    made = sample([{"a": b"1" * 5000}], compression="zstd")
    put(store, made, ["it:1"])
    found = files_of(saved(store, "it:1"))
    index = json.loads(found["index.json"])
    path = "blobs/sha256/" + index["manifests"][0]["digest"][7:]
    manifest = parse_manifest(found[path])
    assert isinstance(manifest, Manifest)
    assert manifest.layers[0].media_type == OCI_LAYER
    assert manifest.layers[0].digest == made.diff_ids[0]
    assert digest(found[f"blobs/sha256/{made.diff_ids[0][7:]}"]) == made.diff_ids[0]


@pytest.mark.oracle
@pytest.mark.parametrize("compression", ["gzip", "none", "zstd"])
def test_skopeo_and_umoci_take_it_as_either(
    store: ImageStore, tmp_path: Path, compression: str
) -> None:
    skopeo, umoci = need_program("skopeo"), need_program("umoci")
    made = sample([{"a": b"1" * 5000}, {"b": b"2"}], compression=compression, architecture=HERE)
    put(store, made, ["it:1", "it:2"])
    path = tmp_path / "saved.tar"
    path.write_bytes(saved(store, "it:1"))
    for index, source in enumerate(
        (f"docker-archive:{path}", f"docker-archive:{path}:it:1", f"oci-archive:{path}:1")
    ):
        target = tmp_path / f"layout{index}"
        subprocess.run([skopeo, "copy", "-q", source, f"oci:{target}:it"], check=True)
        shown = subprocess.run(
            [skopeo, "inspect", "--config", "--raw", f"oci:{target}:it"],
            check=True,
            capture_output=True,
        )
        assert json.loads(shown.stdout)["rootfs"]["diff_ids"] == made.diff_ids
    unpacked = tmp_path / "layout"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", path, "-C", unpacked], check=True)
    listed = subprocess.run([umoci, "ls", "--layout", unpacked], check=True, capture_output=True)
    assert listed.stdout.split() == [b"1"]


@pytest.mark.kernel
@pytest.mark.oracle
def test_dockerd_loads_what_we_save_and_we_what_it_saves(
    dockerd: Dockerd, store: ImageStore, tmp_path: Path
) -> None:
    for compression in ("gzip", "none", "zstd"):
        made = sample([{"a": b"1" * 5000}, {"b": b"2"}], compression=compression, architecture=HERE)
        put(store, made, ["it:1", "other:x"])
        (tmp_path / "ours.tar").write_bytes(saved(store, "it:1", "other:x"))
        out = dockerd.docker("load", "-i", f"{tmp_path}/ours.tar").ok()
        assert out.splitlines() == ["Loaded image: it:1", "Loaded image: other:x"]
        assert dockerd.docker("images", "-q", "--no-trunc", "it:1").ok() == made.id
        dockerd.docker("save", "-o", f"{tmp_path}/theirs.tar", "it:1", "other:x").ok()
        dockerd.docker("rmi", "it:1", "other:x").ok()
        with open_store(tmp_path / compression) as two:
            said, _ = load_bytes(two, (tmp_path / "theirs.tar").read_bytes())
            assert said == ["Loaded image: it:1", "Loaded image: other:x"]
            assert [image.id for image in two.list()] == [made.id]
        assert content(tmp_path / compression)[2] == set()
