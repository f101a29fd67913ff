"""``docker diff`` and committed layers: what counts as a change, and what cannot be one."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from minidocker.errors import InvalidParameter, SystemFailure
from minidocker.layers.apply import apply_layer
from minidocker.layers.changes import changes, diff_layer, diff_trees
from tests.layers.tars import file, folder, hard, joined, link, tar
from tests.layers.trees import Node, build


@pytest.fixture
def lower(tmp_path: Path) -> Path:
    path = tmp_path / "lower"
    path.mkdir()
    old = {"mtime": 1000, "mode": 0o755}
    apply_layer(
        tar(folder("a", **old), folder("a/b", **old), file("a/b/x"), file("a/y"), file("z")), path
    )
    return path


def changed(upper: Path, lower: Path, *entries: bytes) -> list[str]:
    upper.mkdir()
    apply_layer(tar(*entries), upper, [lower])
    return [f"{change.kind} {change.path}" for change in changes(upper, [lower])]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([file("new")], ["A /new"]),
        ([file("z", b"other")], ["C /z"]),
        ([file(".wh.z")], ["D /z"]),
        ([file(".wh.never")], []),
        # A directory is changed when something in it is ...
        ([file("a/b/new")], ["C /a", "C /a/b", "A /a/b/new"]),
        # ... and only the top of what is deleted is listed.
        ([file(".wh.a")], ["D /a"]),
        ([file("a/.wh.b")], ["C /a", "D /a/b"]),
        # A directory that was only copied up is no change; another mode is one.
        ([folder("a", mtime=1000)], []),
        ([folder("a", mode=0o700, mtime=1000)], ["C /a"]),
        ([link("a", "z")], ["C /a"]),
        ([folder("z"), file("z/in")], ["C /z", "A /z/in"]),
        # Removed and made again: what was in it is gone, what is in it now is compared.
        (
            [file(".wh.a"), folder("a"), file("a/y", b"again"), file("a/new")],
            ["C /a", "D /a/b", "A /a/new", "C /a/y"],
        ),
    ],
)
def test_changes_as_docker_lists_them(
    tmp_path: Path, lower: Path, entries: list[bytes], expected: list[str]
) -> None:
    assert changed(tmp_path / "upper", lower, *entries) == expected


def test_the_tar_of_a_layer_is_sorted_and_speaks_of_whiteouts(tmp_path: Path, lower: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    entries = [file("z", b"1"), hard("y", "z"), folder("a"), file("a/.wh..wh..opq"), file(".wh.q")]
    apply_layer(tar(*entries), upper, [lower])
    with tarfile.open(fileobj=joined(diff_layer(upper))) as made:
        names = made.getnames()
        assert names == [".", "a", "a/.wh..wh..opq", ".wh.q", "y", "z"]
        assert made.getmember("z").linkname == "y"
        assert {member.uname for member in made} == {""}


@pytest.mark.parametrize("name", [".wh.x", ".wh..wh..opq"])
def test_a_file_named_like_a_whiteout_cannot_be_in_a_layer(tmp_path: Path, name: str) -> None:
    build({"": Node("dir"), name: Node("file")}, tmp_path / "tree")
    with pytest.raises(InvalidParameter, match="whiteouts"):
        list(diff_layer(tmp_path / "tree"))


def test_a_socket_is_left_out(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)
    with tarfile.open(fileobj=joined(diff_layer(tmp_path))) as made:
        assert made.getnames() == ["."]


def test_a_broken_hard_link_brings_all_its_names(tmp_path: Path) -> None:
    one = {"": Node("dir"), "a": Node("file", b"x"), "b": Node("name", "a")}
    two = {"": Node("dir"), "a": Node("file", b"x"), "b": Node("file", b"x")}
    old, new = build(one, tmp_path / "old"), build(two, tmp_path / "new")
    with tarfile.open(fileobj=joined(diff_trees(old, new))) as made:
        assert [(each.name, each.type) for each in made] == [
            ("a", tarfile.REGTYPE),
            ("b", tarfile.REGTYPE),
        ]


def test_a_layer_is_read_from_where_it_is_also_if_links_take_its_directories_places(
    tmp_path: Path,
) -> None:
    """Between two pieces the directory that is being read becomes a link to elsewhere."""
    upper, secret = tmp_path / "upper", tmp_path / "secret"
    for place, text in ((upper / "d", "mine"), (secret, "the host's")):
        place.mkdir(parents=True)
        for name in ("a", "b"):
            (place / name).write_text(text)
    pieces = diff_layer(upper)
    made = b""
    while b"d/a" not in made:
        made += next(pieces)
    (upper / "d").rename(tmp_path / "away")
    (upper / "d").symlink_to(secret)
    made += b"".join(pieces)
    assert b"d/b" in made
    assert b"the host's" not in made


def test_a_file_that_is_replaced_between_its_header_and_its_content_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("mine")
    pieces = diff_layer(tmp_path)
    while b"file" not in next(pieces):
        pass
    os.mkfifo(tmp_path / "other")
    (tmp_path / "file").rename(tmp_path / "kept")
    (tmp_path / "other").rename(tmp_path / "file")
    with pytest.raises(SystemFailure, match="file was replaced while it was read"):
        list(pieces)
