"""A reader beside a writer that rotates under its hands."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minidocker.containers.log_files import open_at
from minidocker.containers.logs import LogReader, Wish, read_log
from minidocker.namespaces.logfile import JsonLog, encode_pieces
from minidocker.namespaces.logstore import Files

WRITER = """
import sys
from minidocker.namespaces.logfile import JsonLog
from minidocker.namespaces.logstore import Files
log = JsonLog(Files(sys.argv[1], 300, 250, compress=sys.argv[2] == "True"))
for number in range(800):
    log.write("stdout", b"%d\\n" % number)
log.close()
"""


@pytest.mark.parametrize("packed", [False, True])
def test_no_line_is_lost_or_read_twice_whatever_the_moment_of_a_rotation(
    tmp_path: Path, packed: bool
) -> None:
    path = tmp_path / "log"
    (tmp_path / "log").touch()
    got = []
    reader = LogReader(path, Wish())
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(packed)]) as writer:
        while writer.poll() is None:
            got += [line.data for line in reader.lines()]
    got += [line.data for line in reader.lines()]
    reader.close()
    assert got == [b"%d\n" % number for number in range(800)]


def test_a_gap_in_the_numbers_hides_nothing(tmp_path: Path) -> None:
    """In the middle of a rotation one number is missing: NAME.1 has become NAME.2 already."""
    path = tmp_path / "log"
    for name, text in (("log.3", b"1\n"), ("log.2", b"2\n"), ("log", b"3\n")):
        (tmp_path / name).write_bytes(encode_pieces([text], "stdout", 1))
    reader = LogReader(path, Wish())
    assert [line.data for line in reader.lines()] == [b"1\n", b"2\n", b"3\n"]
    reader.close()


def test_a_log_of_one_file_begins_anew(tmp_path: Path) -> None:
    log = JsonLog(Files(str(tmp_path / "log"), 200, 1))
    reader = LogReader(tmp_path / "log", Wish())
    for number in range(20):
        log.write("stdout", b"%d\n" % number)
        assert [line.data for line in reader.lines()] == [b"%d\n" % number]
    reader.close()
    log.close()


def test_half_a_line_at_the_end_of_an_old_file_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(b'{"log":"cut by a full di')
    (tmp_path / "log").write_bytes(encode_pieces([b"whole\n"], "stdout", 1))
    reader = LogReader(tmp_path / "log", Wish())
    assert [line.data for line in reader.lines()] == [b"whole\n"]
    reader.close()


def test_lines_that_are_not_wanted_let_others_have_their_turn(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(encode_pieces([b"x\n"] * 50_000, "stdout", 1))

    async def story() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        wish = Wish(since_ns=2)
        assert [line async for line in read_log(tmp_path / "log", wish, None, bool)] == []
        beside.cancel()
        return turns

    assert asyncio.run(story()) >= 4


def test_a_stream_that_does_not_exist_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(encode_pieces([b"x\n"], "stdwhat", 1))
    reader = LogReader(tmp_path / "log", Wish())
    assert reader.lines() == []
    reader.close()


def test_who_is_left_behind_goes_on_with_the_oldest_there_is(tmp_path: Path) -> None:
    log = JsonLog(Files(str(tmp_path / "log"), 100, 3))
    reader = LogReader(tmp_path / "log", Wish())
    log.write("stdout", b"0\n")
    assert [line.data for line in reader.lines()] == [b"0\n"]
    for number in range(1, 10):
        log.write("stdout", b"%d\n" % number)
    assert [line.data for line in reader.lines()] == [b"7\n", b"8\n", b"9\n"]
    reader.close()
    log.close()


def test_old_files_are_not_read_for_what_is_new(tmp_path: Path) -> None:
    """A damaged old one would be seen: it is not looked at."""
    (tmp_path / "log.1.gz").write_bytes(b"no gzip at all")
    os.utime(tmp_path / "log.1.gz", (1, 1))
    (tmp_path / "log").write_bytes(encode_pieces([b"new\n"], "stdout", 10**18))
    assert [file.packed for file in open_at(tmp_path / "log", None, 10**18)] == [False]
    assert [file.packed for file in open_at(tmp_path / "log", None, 10**9)] == [True, False]
    reader = LogReader(tmp_path / "log", Wish())
    assert [line.data for line in reader.lines()] == [b"new\n"]
    reader.close()
