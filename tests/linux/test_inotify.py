"""inotify: news of a directory, and none where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.linux import inotify


@pytest.fixture
def fd() -> Iterator[int]:
    made = inotify.inotify_init1(inotify.IN_NONBLOCK | inotify.IN_CLOEXEC)
    yield made
    os.close(made)


def test_nothing_new_is_no_news(fd: int, tmp_path: Path) -> None:
    inotify.inotify_add_watch(fd, str(tmp_path), inotify.IN_CREATE)
    with pytest.raises(BlockingIOError):
        os.read(fd, 4096)


@pytest.mark.parametrize("what", ["create", "modify", "rename"])
def test_what_is_watched_for_is_news(fd: int, tmp_path: Path, what: str) -> None:
    (tmp_path / "there").write_text("x")
    mask = inotify.IN_CREATE | inotify.IN_MODIFY | inotify.IN_MOVED_TO
    inotify.inotify_add_watch(fd, str(tmp_path), mask)
    if what == "create":
        (tmp_path / "new").touch()
    elif what == "modify":
        with (tmp_path / "there").open("a") as file:
            file.write("y")
    else:
        (tmp_path / "there").rename(tmp_path / "elsewhere")
    assert os.read(fd, 4096)


def test_a_name_that_is_no_utf8_can_be_watched(fd: int, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(name)
    assert inotify.inotify_add_watch(fd, os.fsdecode(name), inotify.IN_CREATE) >= 1


def test_what_is_not_there_is_named_in_the_error(fd: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failed:
        inotify.inotify_add_watch(fd, str(tmp_path / "missing"), inotify.IN_CREATE)
    assert failed.value.filename == str(tmp_path / "missing")


def test_flags_that_do_not_exist_are_refused() -> None:
    with pytest.raises(OSError, match="inotify_init1"):
        inotify.inotify_init1(1)
