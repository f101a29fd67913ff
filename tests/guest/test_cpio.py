"""The initramfs as bytes, read back by busybox's cpio; and what a guest said, as values."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.guest import cpio
from tests.guest.qemu import Outcome, read
from tests.support.need import need_program

names = st.lists(
    st.text("abcXYZ.-_ é", min_size=1, max_size=8).filter(lambda name: name not in (".", "..")),
    min_size=1,
    max_size=3,
).map("/".join)


@given(st.dictionaries(names, st.binary(max_size=40), max_size=6))
def test_every_part_of_an_archive_begins_at_a_multiple_of_four(contents: dict[str, bytes]) -> None:
    entries = [cpio.file(name, data) for name, data in contents.items()]
    pieces = list(cpio.archive(entries))
    at = 0
    for header, name, data, padding in zip(*[iter(pieces)] * 4, strict=True):
        assert at % 4 == 0
        assert header.startswith(b"070701")
        assert len(header) == cpio.HEADER
        at += len(header) + len(name)
        assert at % 4 == 0
        assert len(data) == int(header[54:62], 16)
        at += len(data) + len(padding)
    assert pieces[-3].startswith(cpio.TRAILER.encode() + b"\0")


@given(st.lists(names, max_size=6))
def test_a_directory_comes_before_what_is_in_it(paths: list[str]) -> None:
    found = cpio.parents(paths)
    for path in paths:
        above = path.rpartition("/")[0]
        assert not above or above in found
    for index, each in enumerate(found):
        assert not each.rpartition("/")[0] or each.rpartition("/")[0] in found[:index]


def test_busybox_unpacks_what_was_packed(tmp_path: Path) -> None:
    busybox = need_program("busybox")
    entries = [
        cpio.file("usr/bin/tool", b"#!/bin/sh\n", executable=True, mtime=1_000_000_000),
        cpio.file("etc/odd name é", b"12345"),
        cpio.file("empty", b""),
        cpio.link("bin", "usr/bin"),
    ]
    subprocess.run(
        [busybox, "cpio", "-i", "-m"],
        input=b"".join(cpio.archive(entries)),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    tool = tmp_path / "bin/tool"
    assert tool.read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE(tool.stat().st_mode) == 0o755
    assert tool.stat().st_mtime == 1_000_000_000
    assert (tmp_path / "etc/odd name é").read_bytes() == b"12345"
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_guest_that_went_off_in_the_middle_has_no_exit_status(tmp_path: Path) -> None:
    (tmp_path / "console").write_bytes(b"panic\xff")
    line = json.dumps({"name": "a.py::test_a[v2]", "outcome": "passed", "text": ""})
    (tmp_path / "report").write_text(f'{line}\n{{"name": "a.py::te')
    report = read(tmp_path)
    assert report.exit is None
    assert report.of("a.py::test_a") == [Outcome("a.py::test_a[v2]", "passed", "")]
    assert report.of("a.py::test") == []
    assert report.console.startswith("panic")


def test_the_exit_status_is_pytest_s(tmp_path: Path) -> None:
    (tmp_path / "console").write_text("")
    (tmp_path / "report").write_text('{"exit": 1}\r\n')
    assert read(tmp_path).exit == 1
