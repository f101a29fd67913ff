"""Applying layers: the round trip, whiteouts, what is implied, and who owns what."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings

from minidocker.errors import InvalidParameter
from minidocker.layers.apply import apply_layer, apply_to_tree, merge_layer
from minidocker.layers.changes import diff_layer, diff_trees
from minidocker.layers.union import find, names_in, root_of
from minidocker.layers.whiteout import is_opaque, is_whiteout
from tests.layers.tars import diff_id, file, folder, hard, joined, link, tar
from tests.layers.trees import Node, Tree, build, pairs, read, trees, workshop

EXAMPLES = settings(max_examples=30, deadline=None)


@EXAMPLES
@given(pairs())
def test_the_difference_of_two_trees_applied_to_the_first_gives_the_second(
    pair: tuple[Tree, Tree],
) -> None:
    with workshop() as shop:
        old, new = build(pair[0], shop / "old"), build(pair[1], shop / "new")
        apply_to_tree(joined(diff_trees(old, new)), old)
        assert read(old) == read(new)


@EXAMPLES
@given(trees())
def test_a_tree_and_itself_differ_in_nothing(tree: Tree) -> None:
    with workshop() as shop:
        one, other = build(tree, shop / "one"), build(tree, shop / "other")
        assert b"".join(diff_trees(one, other)) == bytes(1024)


@EXAMPLES
@given(pairs())
def test_a_layer_in_overlay_form_merges_to_what_it_was_made_from(pair: tuple[Tree, Tree]) -> None:
    with workshop() as shop:
        old, new = build(pair[0], shop / "old"), build(pair[1], shop / "new")
        layer = shop / "layer"
        layer.mkdir()
        apply_layer(joined(diff_trees(old, new)), layer, [old])
        # What the rules of overlayfs make of the two, in names; the metadata by the merge below.
        assert seen([str(layer), str(old)]) == set(read(new)) - {""}
        merge_layer(layer, old)
        assert read(old) == read(new)


@EXAMPLES
@given(pairs())
def test_a_layer_survives_tar_and_back(pair: tuple[Tree, Tree]) -> None:
    with workshop() as shop:
        old, new = build(pair[0], shop / "old"), build(pair[1], shop / "new")
        one, two = shop / "one", shop / "two"
        for layer in (one, two):
            layer.mkdir()
        apply_layer(joined(diff_trees(old, new)), one, [old])
        written = joined(diff_layer(one))
        applied = apply_layer(written, two, [old])
        assert read(one) == read(two)
        assert applied.diff_id == diff_id(written)
        assert written.getvalue() == b"".join(diff_layer(two)), "the same tree, the same bytes"


def seen(layers: list[str]) -> set[str]:
    """All paths that one sees in a stack of layers."""
    found, todo = set(), [("", root_of(layers))]
    while todo:
        path, here = todo.pop()
        for name in names_in(here.merged) if here else ():
            below = f"{path}/{name}".lstrip("/")
            found.add(below)
            todo.append((below, find(layers, below)))
    return found


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "layer"
    path.mkdir()
    return path


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    """A lower layer: a/{x,y}, lib -> usr/lib, usr/lib/, private/ (0700)."""
    tree = {
        "": Node("dir", mode=0o711),
        "a": Node("dir"),
        "a/x": Node("file", b"x below"),
        "a/y": Node("file", b"y below", mtime=5),
        "lib": Node("link", "usr/lib", 0o777),
        "private": Node("dir", mode=0o700, mtime=77, xattrs={"user.note": b"kept"}),
        "usr": Node("dir"),
        "usr/lib": Node("dir"),
    }
    return build(tree, tmp_path / "lower")


def test_a_whiteout_becomes_a_device(layer: Path) -> None:
    apply_layer(tar(folder("a"), file("a/.wh.x")), layer)
    assert is_whiteout(os.lstat(layer / "a/x"))


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_whiteout_never_hides_its_own_layers_file(
    layer: Path, lower: Path, whiteout_first: bool
) -> None:
    entries = [file("a/.wh.x"), file("a/x", b"above")]
    ordered = entries if whiteout_first else entries[::-1]
    apply_layer(tar(*ordered), layer, [lower])
    assert (layer / "a/x").read_bytes() == b"above"
    apply_to_tree(tar(*ordered), lower)
    assert (lower / "a/x").read_bytes() == b"above"


@pytest.mark.parametrize("whiteout_first", [True, False])
@pytest.mark.parametrize("whiteout", [".wh.a", "a/.wh..wh..opq"])
def test_a_directory_that_is_hidden_and_made_shows_only_its_own(
    layer: Path, lower: Path, whiteout: str, whiteout_first: bool
) -> None:
    entries = [file(whiteout), folder("a"), file("a/z")]
    ordered = entries if whiteout_first else [*entries[1:], entries[0]]
    apply_layer(tar(*ordered), layer, [lower])
    assert is_opaque(str(layer / "a"))
    stack = [str(layer), str(lower)]
    assert {path for path in seen(stack) if path.startswith("a/")} == {"a/z"}
    apply_to_tree(tar(*ordered), lower)
    assert os.listdir(lower / "a") == ["z"]


def test_an_opaque_root_hides_every_name_below(layer: Path, lower: Path) -> None:
    entries = tar(file("a/new"), file(".wh..wh..opq"))
    apply_layer(entries, layer, [lower])
    assert seen([str(layer), str(lower)]) == {"a", "a/new"}
    apply_to_tree(tar(file("a/new"), file(".wh..wh..opq")), lower)
    assert seen([str(lower)]) == {"a", "a/new"}


def test_an_implied_directory_looks_as_it_does_below(layer: Path, lower: Path) -> None:
    apply_layer(tar(file("private/key")), layer, [lower])
    above, below = read(layer), read(lower)
    assert above["private"] == below["private"]
    assert above[""] == below[""]


def test_a_path_follows_a_symbolic_link_of_a_lower_layer(layer: Path, lower: Path) -> None:
    apply_layer(tar(file("lib/libc.so", b"elf")), layer, [lower])
    assert (layer / "usr/lib/libc.so").read_bytes() == b"elf"
    assert not os.path.lexists(layer / "lib")


def test_a_hard_link_to_a_lower_file_copies_it_up(layer: Path, lower: Path) -> None:
    apply_layer(tar(hard("b", "a/y")), layer, [lower])
    assert (layer / "b").samefile(layer / "a/y")
    assert read(layer)["a/y"] == read(lower)["a/y"]


def test_a_later_entry_replaces_an_earlier_one(layer: Path) -> None:
    apply_layer(tar(folder("a"), file("a/b"), link("a", "c"), file("a", b"last")), layer)
    assert (layer / "a").read_bytes() == b"last"


def test_setuid_survives_the_change_of_owner(layer: Path) -> None:
    apply_layer(tar(file("su", mode=0o4755, uid=0, gid=7)), layer)
    assert stat.S_IMODE((layer / "su").stat().st_mode) == 0o4755


def test_a_directorys_time_is_its_own_not_of_what_is_put_in_it(layer: Path) -> None:
    apply_layer(tar(folder("a", mtime=1000), file("a/b"), file("a/c")), layer)
    assert (layer / "a").stat().st_mtime == 1000


def test_aufs_notes_are_no_files(layer: Path) -> None:
    apply_layer(tar(folder(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file("a")), layer)
    assert os.listdir(layer) == ["a"]


def test_no_bytes_and_no_entries_are_an_empty_layer(layer: Path) -> None:
    assert apply_layer(tar(), layer).entries == 0
    assert apply_layer(joined([]), layer).diff_id == diff_id(b"")


def test_the_size_is_that_of_files_and_of_links_texts(layer: Path) -> None:
    files = (file("a", b"12345"), hard("b", "a"), folder("c"), link("c/d", "/seven c"))
    assert apply_layer(tar(*files), layer).size == 5 + len("/seven c")


def test_padding_behind_the_archive_belongs_to_the_diff_id(layer: Path) -> None:
    padded = tar(file("a"), bytes(10240))
    assert apply_layer(padded, layer).diff_id == diff_id(padded)


def test_overlayfs_attributes_cannot_come_out_of_a_tar(layer: Path) -> None:
    forged = {"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y"}
    applied = apply_layer(tar(folder("a", pax_headers=forged)), layer)
    assert not is_opaque(str(layer / "a"))
    assert len(applied.skipped) == 2


@pytest.mark.parametrize("cut", [100, 512, 700])
def test_a_tar_that_ends_early_is_refused(layer: Path, cut: int) -> None:
    whole = tar(file("a", b"x" * 1000)).getvalue()
    with pytest.raises(InvalidParameter):
        apply_layer(joined([whole[:cut]]), layer)


def test_garbage_between_entries_is_no_end(layer: Path) -> None:
    with pytest.raises(InvalidParameter, match="damaged"):
        apply_layer(tar(file("a"), b"garbage!" * 64, file("b")), layer)
