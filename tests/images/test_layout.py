"""The store as others see it: skopeo and umoci read it, in the middle of its life."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.images.layout import OCI_TYPES, as_oci, index_json, write_layout
from minidocker.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST, parse_manifest
from tests.images.samples import digest, sample
from tests.images.stores import open_store, put
from tests.oci.schemas import validator
from tests.oci.texts import descriptors
from tests.support.need import need_program, need_root

names = st.lists(st.sampled_from(["a:1", "b/c:2", "localhost/d:3"]), unique=True, max_size=2)


@given(st.lists(st.tuples(descriptors.map(lambda each: each.to_json()), names), max_size=3))
def test_the_index_fits_the_schema_and_lists_all(
    images: list[tuple[Mapping[str, Any], list[str]]],
) -> None:
    index = json.loads(index_json(images))
    validator("image-index-schema.json").validate(index)
    assert len(index["manifests"]) == sum(max(1, len(each)) for _, each in images)


def test_an_oci_manifest_stays_as_it_is() -> None:
    manifest = sample([{"a": b""}]).manifest
    assert as_oci(manifest) == manifest


@given(st.lists(st.sampled_from([k for k in OCI_TYPES if "diff" in k]), min_size=1), st.booleans())
def test_dockers_manifest_becomes_ocis_with_the_same_content(kinds: list[str], more: bool) -> None:
    def entry(kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "size": 3, "digest": digest(kind.encode())}

    config = entry("application/vnd.docker.container.image.v1+json")
    said = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config}
    said |= {"layers": [entry(kind) for kind in kinds]} | (
        {"annotations": {"a": "b"}} if more else {}
    )
    translated = as_oci(json.dumps(said).encode())
    before, after = parse_manifest(json.dumps(said).encode()), parse_manifest(translated)
    assert after.media_type == OCI_MANIFEST
    assert "docker" not in translated.decode()
    assert [x.digest for x in after.layers] == [x.digest for x in before.layers]  # type: ignore[union-attr]
    assert after.annotations == before.annotations
    validator("image-manifest-schema.json").validate(json.loads(translated))
    assert as_oci(translated) == translated


def test_a_reader_never_sees_half_an_index(tmp_path: Path) -> None:
    write_layout(tmp_path, index_json([]))
    first = (tmp_path / "index.json").stat().st_ino
    write_layout(tmp_path, index_json([]))
    assert (tmp_path / "index.json").stat().st_ino == first, "nothing new: nothing written"
    kept = (tmp_path / "index.json").open("rb")
    write_layout(tmp_path, b"{}")
    assert json.loads(kept.read())["manifests"] == []
    assert (tmp_path / "index.json").stat().st_ino != first
    assert {path.name for path in tmp_path.iterdir()} == {"oci-layout", "index.json"}
    kept.close()


@pytest.mark.oracle
def test_skopeo_finds_every_image_by_its_name(tmp_path: Path) -> None:
    skopeo = need_program("skopeo")
    made = sample([{"a": b"1"}, {"b": b"2"}])
    with open_store(tmp_path) as store:
        put(store, made, ["alpine", "localhost:5000/x/y:v1"])
        put(store, sample([{"c": b"3"}], compression="zstd"), ["other:z"])
        for name in ("alpine:latest", "localhost:5000/x/y:v1", "other:z"):
            answer = subprocess.run(
                [skopeo, "inspect", "--raw", f"oci:{tmp_path}/images:{name}"],
                capture_output=True,
                check=True,
                timeout=30,
            )
            assert digest(answer.stdout) == store.resolve(name).manifest_digest
        copy = ["copy", "--quiet", f"oci:{tmp_path}/images:alpine:latest", f"dir:{tmp_path}/copy"]
        subprocess.run([skopeo, *copy], check=True, capture_output=True, timeout=30)
    assert {key[7:] for key in made.blobs} - {digest(made.manifest)[7:]} <= {
        path.name for path in (tmp_path / "copy").iterdir()
    }


@pytest.mark.kernel
@pytest.mark.oracle
def test_umoci_unpacks_what_we_unpack(tmp_path: Path) -> None:
    need_root()
    umoci = need_program("umoci")
    made = sample([{"a": b"1", "d/e": b"5"}, {"b": b"2"}])
    with open_store(tmp_path) as store:
        image = put(store, made, ["alpine"])
        unpack = ["unpack", "--image", f"{tmp_path}/images:alpine:latest", str(tmp_path / "bundle")]
        subprocess.run([umoci, *unpack], check=True, capture_output=True, timeout=30)
        theirs = files(tmp_path / "bundle/rootfs")
        ours: dict[str, bytes] = {}
        for lower in reversed(store.layers.lower_dirs(image.config.diff_ids)):
            ours |= files(lower)
        assert ours == theirs == {"a": b"1", "b": b"2", "d/e": b"5"}


@pytest.mark.oracle
def test_umocis_collector_takes_nothing_of_ours(tmp_path: Path) -> None:
    umoci = need_program("umoci")
    with open_store(tmp_path) as store:
        image = put(store, sample([{"a": b"1"}]))
        put(store, sample([{"b": b"1"}]), ["b"])
        blobs = sorted(store.blobs.all())
        subprocess.run(
            [umoci, "gc", "--layout", str(tmp_path / "images")],
            check=True,
            capture_output=True,
            timeout=30,
        )
        assert sorted(store.blobs.all()) == blobs
        assert store.resolve(image.id) == image


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
