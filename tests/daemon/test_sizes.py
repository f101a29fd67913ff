"""What a container's files take, as dockerd counts it."""

from __future__ import annotations

import os
from pathlib import Path

from minidocker.daemon.container_look import disk_usage


def test_each_file_counts_once_and_a_link_by_its_text(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"x" * 1000)
    os.link(tmp_path / "deep" / "er" / "file", tmp_path / "same")
    os.symlink("seven c", tmp_path / "link")
    os.symlink("/no/such", tmp_path / "deep" / "dangling")
    os.mkfifo(tmp_path / "fifo")
    assert disk_usage(tmp_path) == 1000 + len("seven c") + len("/no/such")


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert disk_usage(tmp_path / "nothing") == 0
