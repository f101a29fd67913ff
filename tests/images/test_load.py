"""Load: every archive that is good, nothing of one that is not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter, MinidockerError, NotFound
from minidocker.images.arrival import receive
from minidocker.images.arrived import name_of
from minidocker.images.progress import LOADING
from minidocker.images.store import ImageStore
from minidocker.layers.archives import open_archive
from minidocker.layers.blobs import BlobStore
from minidocker.layers.sources import pieces_of
from minidocker.layers.tarstream import Limits
from minidocker.oci.platform import parse_platform
from tests.images.archives import docker_archive, docker_files, layout_files, load_bytes
from tests.images.pulls import HERE, THERE, nothing_is_left
from tests.images.samples import digest, index_of, sample, tar_of
from tests.images.stores import content, open_store, put

ONE = sample([{"a": b"one" * 2000}, {"b": b"two"}], architecture=HERE)
PLAIN = sample([{"a": b"one" * 2000}, {"b": b"two"}], architecture=HERE, compression="none")
OTHER = sample([{"a": b"one"}], architecture=THERE)

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("made", [ONE, PLAIN], ids=["gzip", "plain"])
def test_a_docker_archive_of_any_compression(
    store: ImageStore, tmp_path: Path, compression: str, made: object
) -> None:
    data = COMPRESSIONS[compression](docker_archive(ONE))
    said, told = load_bytes(store, data)
    assert said == ["Loaded image: it:1"]
    (image,) = store.list()
    assert (image.id, image.names) == (ONE.id, ("it:1",))
    assert {each.status for each in told} == {LOADING}
    assert {each.id for each in told} == {each[7:19] for each in ONE.diff_ids}
    assert content(tmp_path / "store")[2] == set()
    store.remove("it:1", force=False, in_use=lambda _: [])
    assert nothing_is_left(store, tmp_path / "store")


@given(st.binary(max_size=5000), st.sampled_from(sorted(COMPRESSIONS)), st.integers(1, 700))
def test_what_is_compressed_is_read_again(data: bytes, compression: str, piece: int) -> None:
    packed = COMPRESSIONS[compression](data)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size, piece) if size and size > 0 else piece)

    assume(compression != "none" or not data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")))
    assert b"".join(pieces_of(open_archive(Slow(packed)))) == data
    if compression in ("xz", "bzip2"):
        assert b"".join(pieces_of(open_archive(Slow(packed + packed)))) == data + data
        for broken in (packed[:-1], packed[:-1] + b"x" + packed[:1]):
            with pytest.raises(InvalidParameter):
                b"".join(pieces_of(open_archive(Slow(broken))))


def test_several_images_and_one_without_a_name(store: ImageStore) -> None:
    files = docker_files(ONE, ["it:1", "it:2"])
    entry = json.loads(files["manifest.json"])[0]
    two = sample([{"x": b"y"}], architecture=HERE)
    files |= {"two.json": two.config, "two/layer.tar": two.layers[0]}
    second = {"Config": "two.json", "RepoTags": None, "Layers": ["two/layer.tar"]}
    files["manifest.json"] = json.dumps([entry, second]).encode()
    said, _ = load_bytes(store, tar_of(files))
    assert said == ["Loaded image: it:1", "Loaded image: it:2", f"Loaded image ID: {two.id}"]


def test_a_name_that_was_anothers_is_taken_and_told(store: ImageStore) -> None:
    old = put(store, sample([{"x": b"y"}], architecture=HERE), ["it:1"])
    said, _ = load_bytes(store, docker_archive(ONE))
    assert said[0] == (
        f"The image it:1 already exists, renaming the old one with ID {old.id} to empty string"
    )
    found = store.get(old.id)
    assert found is not None
    assert found.names == ()


def test_links_of_an_older_dockerd_lead_to_the_layer(store: ImageStore) -> None:
    twice = sample([{"a": b"1"}, {"a": b"1"}], architecture=HERE)
    files = docker_files(twice)
    del files["1/layer.tar"]
    buffer = io.BytesIO(tar_of(files))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        info = tarfile.TarInfo("1/layer.tar")
        info.type, info.linkname = tarfile.SYMTYPE, "../0/layer.tar"
        tar.addfile(info)
    assert load_bytes(store, buffer.getvalue())[0] == ["Loaded image: it:1"]


@pytest.mark.parametrize(
    ("annotations", "names"),
    [
        ({"io.containerd.image.name": "docker.io/library/it:1"}, ["it:1"]),
        ({"org.opencontainers.image.ref.name": "a.b/c:2"}, ["a.b/c:2"]),
        ({"org.opencontainers.image.ref.name": "latest"}, []),
        ({"org.opencontainers.image.ref.name": "A B:c"}, []),
        ({}, []),
    ],
)
def test_an_oci_layout_and_its_names(
    store: ImageStore, annotations: dict[str, str], names: list[str]
) -> None:
    assert [each.familiar() for each in name_of(annotations)] == names
    load_bytes(store, tar_of(layout_files(ONE, annotations)))
    (image,) = store.list()
    assert (image.id, list(image.names)) == (ONE.id, names)
    assert image.manifest_digest == digest(ONE.manifest)


def test_of_an_index_the_platforms_image_is_taken(store: ImageStore) -> None:
    descriptor, body = index_of([OTHER, ONE])
    files = layout_files(ONE) | {f"blobs/sha256/{digest(body)[7:]}": body}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [descriptor]}).encode()
    load_bytes(store, tar_of(files))
    assert [image.id for image in store.list()] == [ONE.id]
    with pytest.raises(NotFound, match="no matching manifest"):
        load_bytes(store, tar_of(files), parse_platform(f"linux/{THERE}"))
    with pytest.raises(NotFound, match="does not provide the specified platform"):
        load_bytes(store, docker_archive(ONE), parse_platform(f"linux/{THERE}"))


def test_loading_again_changes_nothing(store: ImageStore, tmp_path: Path) -> None:
    load_bytes(store, docker_archive(ONE))
    before = content(tmp_path / "store")
    said, told = load_bytes(store, docker_archive(ONE))
    assert (said, told) == (["Loaded image: it:1"], [])
    assert content(tmp_path / "store") == before


LYING = sample([{"a": b"other"}, {"b": b"two"}], architecture=HERE)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "garbage": (b"garbage" * 1000, "it is no tar"),
    "no lists": (tar_of({"a": b"b"}), "does not contain a manifest.json"),
    "no config": (docker_archive(ONE, Config="nope.json"), "it has no file nope.json"),
    "no layer": (docker_archive(ONE, Layers=["nope", "nope"]), "it has no file nope"),
    "few layers": (docker_archive(ONE, Layers=["0/layer.tar"]), "layers length mismatch"),
    "no tag": (docker_archive(ONE, tags=["it"]), 'invalid tag "it"'),
    "bad tag": (docker_archive(ONE, tags=["IT:1"]), "must be lowercase"),
    "outside": (docker_archive(ONE, Config="../../etc/passwd"), "leads out of it"),
    "absolute": (docker_archive(ONE, Config="/etc/passwd"), "it has no file etc/passwd"),
    "wrong layer": (
        tar_of(docker_files(ONE) | {"0/layer.tar": LYING.layers[0]}),
        "its diff ID is",
    ),
    "list": (tar_of({"manifest.json": b"{}"}), "a list of objects is wanted"),
    "no json": (tar_of({"manifest.json": b"{"}), "it is no JSON"),
    "lying blob": (
        tar_of(layout_files(ONE) | {f"blobs/sha256/{digest(ONE.layers[0])[7:]}": b"no"}),
        "is not what its name says",
    ),
    "cut xz": (lzma.compress(docker_archive(ONE))[:-20], "end too early"),
    "xz bomb of memory": (b"\xfd7zXZ\x00" + b"\xff" * 40, "damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_of_a_bad_archive_nothing_is_left(store: ImageStore, tmp_path: Path, case: str) -> None:
    data, text = BAD[case]
    with pytest.raises(MinidockerError, match=text.replace("[", r"\[")):
        load_bytes(store, data)
    assert nothing_is_left(store, tmp_path / "store")


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_an_archive_cut_anywhere_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = docker_archive(ONE)
    end = whole.rstrip(b"\0")
    cut = data.draw(st.integers(0, len(end) - 1))
    root = tmp_path_factory.mktemp("cut")
    with open_store(root) as store:
        with pytest.raises(MinidockerError):
            load_bytes(store, whole[:cut])
        assert nothing_is_left(store, root)


def hostile(kind: bytes, name: str, target: str = "", size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info.tobuf(tarfile.PAX_FORMAT) + b"x" * size + bytes(-size % 512)


HOSTILE = {
    "up": hostile(tarfile.REGTYPE, "../../../tmp/evil", size=3),
    "device": hostile(tarfile.CHRTYPE, "null"),
    "fifo": hostile(tarfile.FIFOTYPE, "pipe"),
    "link up": hostile(tarfile.SYMTYPE, "x", "../../../etc/passwd"),
    "hard link up": hostile(tarfile.LNKTYPE, "x", "../etc/passwd"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_entries_are_refused(store: ImageStore, tmp_path: Path, case: str) -> None:
    with pytest.raises(InvalidParameter):
        load_bytes(store, HOSTILE[case] + docker_archive(ONE))
    assert nothing_is_left(store, tmp_path / "store")


def test_names_of_the_machine_mean_nothing(store: ImageStore, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    before = hostile(tarfile.REGTYPE, str(evil), size=3)
    before += hostile(tarfile.SYMTYPE, "etc", "/etc") + hostile(tarfile.REGTYPE, "etc/evil", size=1)
    before += hostile(tarfile.SYMTYPE, "loop", "loop") + hostile(tarfile.DIRTYPE, "/tmp")
    load_bytes(store, before + docker_archive(ONE))
    assert not evil.exists()
    assert not Path("/etc/evil").exists()
    files = docker_files(ONE, Config="loop")
    with pytest.raises(NotFound):
        load_bytes(store, hostile(tarfile.SYMTYPE, "loop", "loop") + tar_of(files))


def test_past_a_limit_it_is_a_bomb(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    data = docker_archive(ONE)
    for limits in (Limits(entries=2), Limits(size=2000)):
        with pytest.raises(InvalidParameter, match=r"invalid archive: it .*more than"):
            receive(io.BytesIO(data), blobs, lambda _: None, limits)
    big = tar_of(docker_files(ONE) | {"manifest.json": b" " * (5 << 20)})
    contents = receive(io.BytesIO(big), blobs, lambda _: None)
    with pytest.raises(InvalidParameter, match="more than"):
        contents.read("manifest.json")
