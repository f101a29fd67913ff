"""Hostile archives: each trick is tried, and nothing outside the target has changed."""

from __future__ import annotations

import contextlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.layers.apply import Limits, apply_layer, apply_to_tree
from minidocker.layers.inside import clean_name
from minidocker.layers.trees import remove_tree
from tests.layers.tars import entry, file, folder, hard, joined, link, tar
from tests.layers.trees import Node, build, read, workshop

SECRET = "secret"

# Each is a list of entries; "{out}" becomes the directory that nothing may touch.
ESCAPES: dict[str, list[bytes]] = {
    "dot-dot": [file("../out/secret", b"owned")],
    "dot-dot in the middle": [file("a/../../out/secret", b"owned")],
    "many dot-dots": [file("../" * 20 + "{out}/secret", b"owned")],
    "absolute": [file("{out}/secret", b"owned")],
    "file through an absolute link": [link("a", "{out}"), file("a/secret", b"owned")],
    "file through a relative link": [link("a", "../out"), file("a/secret", b"owned")],
    "through a chain of links": [
        link("a", ".."),
        link("b", "a/../.."),
        link("c", "b/{out}"),
        file("c/secret", b"owned"),
    ],
    "file over a link": [link("a", "{out}/secret"), file("a", b"owned")],
    "directory over a link": [link("a", "{out}"), folder("a", mode=0o777), file("a/new")],
    "directory made into a link": [
        folder("a"),
        file("a/b"),
        link("a", "{out}"),
        file("a/secret", b"owned"),
    ],
    "hard link to an absolute name": [hard("a", "{out}/secret"), file("a", b"owned")],
    "hard link with dot-dot": [hard("a", "../out/secret"), file("a", b"owned")],
    "hard link through a link": [link("l", "{out}"), hard("a", "l/secret"), file("a", b"owned")],
    "hard link to a link": [link("l", "{out}/secret"), hard("a", "l"), file("a", b"owned")],
    "mode through a hard link": [link("l", "{out}/secret"), hard("a", "l"), file("a", mode=0o777)],
    "whiteout of the root": [file(".wh..")],
    "whiteout of what is above": [file(".wh...")],
    "whiteout above, deeper": [folder("a"), file("a/.wh...")],
    "whiteout without a name": [file(".wh.")],
    "whiteout through a link": [link("a", "{out}"), file("a/.wh.secret")],
    "whiteout with dot-dot": [file("../out/.wh.secret")],
    "opaque through a link": [link("a", "{out}"), file("a/.wh..wh..opq")],
    "opaque with dot-dot": [file("../out/.wh..wh..opq")],
    "file in a whiteout": [folder(".wh.out"), file(".wh.out/secret", b"owned")],
    "the root is a link": [link("./", "{out}"), file("secret", b"owned")],
    "the root is a file": [file(".", b"owned")],
    "a fifo over a link": [link("a", "{out}/secret"), entry("a", tarfile.FIFOTYPE)],
    "links in a circle": [link("a", "b"), link("b", "a"), file("a/secret")],
}


def aimed(entries: list[bytes], out: Path) -> list[bytes]:
    """The same entries with the real path of what they are after."""
    changed = []
    for raw in entries:
        info = tarfile.TarInfo.frombuf(raw[:512], "utf-8", "surrogateescape")
        info.name = info.name.replace("{out}", str(out))
        info.linkname = info.linkname.replace("{out}", str(out))
        body = raw[512:]
        changed.append(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape") + body)
    return changed


@pytest.mark.parametrize("apply", [apply_layer, apply_to_tree], ids=["overlay", "plain"])
@pytest.mark.parametrize("trick", ESCAPES)
def test_nothing_outside_the_target_is_touched(
    tmp_path: Path, trick: str, apply: Callable[..., object]
) -> None:
    out = build({"": Node("dir"), SECRET: Node("file", b"mine", 0o640)}, tmp_path / "out")
    before, links = read(out), (out / SECRET).stat().st_nlink
    target = tmp_path / "target"
    target.mkdir()
    said = "the layer "
    try:
        apply(tar(*aimed(ESCAPES[trick], out)), target)
    except InvalidParameter as error:
        said = error.message
    assert said.startswith("the layer "), "one sentence that says what is wrong"
    assert read(out) == before
    assert (out / SECRET).stat().st_nlink == links
    assert sorted(os.listdir(tmp_path)) == ["out", "target"]


names = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", ".wh.a", ".wh..wh..opq", "out", "secret"]),
    min_size=1,
    max_size=5,
).map("/".join)
kinds = st.sampled_from([file, folder])
hostile = st.one_of(
    st.builds(lambda make, name: make(name), kinds, names),
    st.builds(link, names, names),
    st.builds(lambda name, up: link(name, "/" + up), names, names),
    st.builds(hard, names, names),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(hostile, max_size=8), st.booleans())
def test_no_combination_of_entries_gets_out(entries: list[bytes], plain: bool) -> None:
    with workshop() as shop:
        out = build({"": Node("dir"), SECRET: Node("file", b"mine", 0o640)}, shop / "out")
        before = read(out)
        target = shop / "target"
        target.mkdir()
        with contextlib.suppress(InvalidParameter):
            (apply_to_tree if plain else apply_layer)(tar(*entries), target)
        assert read(out) == before
        assert sorted(os.listdir(shop)) == ["out", "target"]


@given(st.text(alphabet="ab./\0"))
def test_a_clean_name_stays_inside(name: str) -> None:
    try:
        clean = clean_name(name)
    except InvalidParameter:
        return
    assert not clean.startswith("/")
    assert ".." not in clean.split("/")
    assert clean == clean_name(clean)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 1600), st.integers(0, 40))
def test_damage_is_found_or_harmless(noise: bytes, at: int, count: int) -> None:
    """Any bytes at any place: an InvalidParameter or a tree, never another error."""
    whole = bytearray(tar(file("a" * 120, b"x", mtime=1.5), hard("b", "a" * 120)).getvalue())
    whole[at : at + count] = noise
    # OSError is the machine's own no: a name too long, ...
    with workshop() as shop, contextlib.suppress(InvalidParameter, OSError):
        apply_layer(joined([bytes(whole)]), shop)


BOMBS: dict[str, tuple[Callable[[], object], Limits]] = {
    "a big file": (lambda: tar(file("a", bytes(5000))), Limits(size=4000)),
    "many bytes": (lambda: tar(*[file(f"f{i}", b"x") for i in range(99)]), Limits(size=40_000)),
    "many entries": (lambda: tar(*[file(f"f{i}") for i in range(99)]), Limits(entries=98)),
    "a deep tree": (lambda: tar(folder("d/" * 300)), Limits()),
    "a deep tree behind links": (
        lambda: tar(
            folder("d/" * 200), link("l", "d/" * 200), folder("l/" + "e/" * 57), folder("l/e/f")
        ),
        Limits(),
    ),
    "a long name": (lambda: tar(file("/".join(["n" * 200] * 25))), Limits()),
    "a long link": (lambda: tar(link("a", "n/" * 3000)), Limits()),
    "a header without end": (
        lambda: tar(file("a", pax_headers={"comment": "x" * (2 << 20)})),
        Limits(),
    ),
    "headers of headers": (lambda: tar(*[pax_only()] * 3000), Limits()),
    "a sparse file of an exabyte": (lambda: tar(sparse(1 << 60)), Limits()),
}


def pax_only() -> bytes:
    """An extended header with nothing behind it."""
    return file("a", pax_headers={"comment": "x"})[:1024]


def sparse(size: int) -> bytes:
    """A file that is one hole (GNU's PAX format 0.1)."""
    return file("s", pax_headers={"GNU.sparse.map": f"{size},0", "GNU.sparse.size": str(size)})


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused(tmp_path: Path, bomb: str) -> None:
    make, limits = BOMBS[bomb]
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(InvalidParameter, match="the layer"):
        apply_layer(make(), target, limits=limits)  # type: ignore[arg-type]
    remove_tree(target)  # what it left can be removed, however deep
    assert not target.exists()


def test_a_sparse_file_keeps_its_holes(tmp_path: Path) -> None:
    size = 1 << 30
    apply_layer(tar(sparse(size)), tmp_path)
    status = (tmp_path / "s").stat()
    assert (status.st_size, status.st_blocks) == (size, 0)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_a_device_needs_root_and_is_left_out_without(tmp_path: Path, kind: bytes) -> None:
    applied = apply_layer(tar(entry("null", kind, devmajor=1, devminor=3)), tmp_path)
    root = os.geteuid() == 0
    assert bool(applied.skipped) != root
    assert (tmp_path / "null").exists() == root


def test_a_device_that_would_be_a_whiteout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="whiteout"):
        apply_layer(tar(entry("usr", tarfile.CHRTYPE, devmajor=0, devminor=0)), tmp_path)


@pytest.mark.parametrize("owner", [-1, (1 << 32) - 1, 1 << 40])
def test_an_owner_out_of_range_is_refused(tmp_path: Path, owner: int) -> None:
    with pytest.raises(InvalidParameter, match="owner"):
        apply_layer(tar(file("a", pax_headers={"uid": str(owner)})), tmp_path)
