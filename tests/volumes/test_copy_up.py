"""Copy-up: the volume gets exactly what is in the image, or nothing, whenever it is killed."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.volumes.copy_up import copy_bytes, copy_tree, fill, finish
from tests.layers.crash import crashed
from tests.layers.trees import DAY, Node, Tree, build, dress, read, trees, workshop
from tests.support.need import need_root


@contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def volume_in(top: Path) -> Path:
    (top / "volume" / "_data").mkdir(parents=True)
    return top / "volume"


def filled(source: Path, volume: Path, subpath: str = "") -> None:
    with opened(source) as fd:
        fill(fd, volume, subpath)


@settings(max_examples=60, deadline=None)
@given(trees())
def test_the_volume_gets_what_is_in_the_image(tree: Tree) -> None:
    need_root()
    with workshop() as top:
        volume = volume_in(top)
        filled(build(tree, top / "image"), volume)
        assert read(volume / "_data") == read(top / "image")
        assert os.listdir(volume) == ["_data"]


@settings(max_examples=20, deadline=None)
@given(trees(), trees())
def test_a_volume_that_has_something_stays_as_it_is(image: Tree, own: Tree) -> None:
    need_root()
    with workshop() as top:
        volume = volume_in(top)
        filled(build(own, top / "own"), volume)
        before = read(volume / "_data")
        filled(build(image, top / "image"), volume)
        empty = len(own) == 1
        assert read(volume / "_data") == (read(top / "image") if empty else before)


SMALL: Tree = {
    "": Node("dir", mode=0o2750, uid=7, gid=7),
    "a": Node("file", b"text", mode=0o4711, uid=7),
    "b": Node("dir", mode=0o700, mtime=5 * DAY),
    "b/c": Node("link", "/etc/passwd"),
    "b/d": Node("name", "a"),
    "e": Node("fifo"),
}


def test_killed_at_any_step_it_is_empty_or_whole_after_the_next_start(tmp_path: Path) -> None:
    need_root()
    image = build(SMALL, tmp_path / "image")
    outcomes, step, died = set(), 0, True
    while died:
        volume = tmp_path / str(step)
        (volume / "_data").mkdir(parents=True)
        before = read(volume / "_data")
        died = crashed(lambda volume=volume: filled(image, volume), step)  # type: ignore[misc]
        finish(volume)
        now = read(volume / "_data")
        assert now in (before, read(image))
        assert os.listdir(volume) == ["_data"]
        outcomes.add(now == before)
        step += 1
    assert outcomes == {True, False}


def copied(top: Path) -> Path:
    """A volume whose copy is complete, and not yet where it belongs."""
    volume = volume_in(top)
    (volume / "copied").mkdir()
    (volume / "copied" / "where").symlink_to(".")
    build(SMALL, volume / "copied" / "tree")
    dress(volume / "copied", SMALL[""])
    return volume


def test_killed_while_finishing_it_is_finished_later(tmp_path: Path) -> None:
    need_root()
    image = build(SMALL, tmp_path / "image")
    for step in range(100):
        (tmp_path / str(step)).mkdir()
        volume = copied(tmp_path / str(step))
        died = crashed(lambda volume=volume: finish(volume), step)  # type: ignore[misc]
        finish(volume)
        assert read(volume / "_data") == read(image)
        assert os.listdir(volume) == ["_data"]
        if not died:
            break
    assert step > 5


def test_what_somebody_wrote_meanwhile_stays(tmp_path: Path) -> None:
    need_root()
    volume = copied(tmp_path)
    (volume / "_data" / "a").write_text("mine")
    finish(volume)
    assert (volume / "_data" / "a").read_text() == "mine"
    assert (volume / "_data" / "b").is_dir()


def test_a_failed_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    volume = volume_in(tmp_path)
    image = build(SMALL, tmp_path / "image")
    monkeypatch.setattr(os, "mknod", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        filled(image, volume)
    assert os.listdir(volume) == ["_data"]
    assert os.listdir(volume / "_data") == []


def test_a_subpath_is_filled_instead(tmp_path: Path) -> None:
    need_root()
    volume = volume_in(tmp_path)
    (volume / "_data" / "sub" / "below").mkdir(parents=True)
    image = build(SMALL, tmp_path / "image")
    filled(image, volume, "sub/below")
    assert read(volume / "_data" / "sub" / "below") == read(image)
    assert os.listdir(volume / "_data") == ["sub"]


@pytest.mark.parametrize("subpath", ["missing", "file", "out", "file/x"])
def test_a_subpath_that_cannot_be_mounted_is_not_filled(tmp_path: Path, subpath: str) -> None:
    need_root()
    volume, outside = volume_in(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (volume / "_data" / "file").write_text("")
    (volume / "_data" / "out").symlink_to(outside)
    filled(build(SMALL, tmp_path / "image"), volume, subpath)
    assert os.listdir(outside) == []
    assert os.listdir(volume) == ["_data"]


def test_devices_go_along_and_sockets_do_not(tmp_path: Path) -> None:
    need_root()
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    os.mknod(source / "null", stat.S_IFCHR | 0o640, os.makedev(1, 3))
    os.chown(source / "null", 3, 4)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
        with opened(source) as old, opened(target) as new:
            copy_tree(old, new)
    assert os.listdir(target) == ["null"]
    found = os.lstat(target / "null")
    assert (found.st_mode, found.st_uid, found.st_gid) == (stat.S_IFCHR | 0o640, 3, 4)
    assert found.st_rdev == os.makedev(1, 3)


CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep


def test_a_files_capability_goes_along(tmp_path: Path) -> None:
    need_root()
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    (source / "program").touch(0o755)
    os.chown(source / "program", 5, 5)
    os.setxattr(source / "program", "security.capability", CAPABILITY)
    with opened(source) as old, opened(target) as new:
        copy_tree(old, new)
    assert os.getxattr(target / "program", "security.capability") == CAPABILITY


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=6), st.binary(max_size=9))
def test_bytes_and_holes_are_the_same(parts: list[tuple[bool, int]], end: bytes) -> None:
    block = 64 * 1024
    with workshop() as top:
        with open(top / "source", "wb") as file:
            for is_hole, blocks in parts:
                if is_hole:
                    file.seek(blocks * block, os.SEEK_CUR)
                else:
                    file.write(os.urandom(blocks * block))
            file.write(end)
            file.truncate()
        size = os.path.getsize(top / "source")
        with open(top / "source", "rb") as old, open(top / "target", "wb") as new:
            copy_bytes(old.fileno(), new.fileno(), size)
        assert (top / "target").read_bytes() == (top / "source").read_bytes()
        used = [os.stat(top / name).st_blocks for name in ("source", "target")]
        assert used[1] <= used[0]
