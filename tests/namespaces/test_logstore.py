"""Where entries go: files that rotate, are compressed, and are written by another process."""

from __future__ import annotations

import gzip
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.namespaces.logstore import Aside, Files, compress, head_of, inode_in

batches = st.lists(
    st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"") + b"\n"), min_size=1),
    max_size=8,
)


def kept(folder: Path) -> list[bytes]:
    """The files' contents, oldest first."""
    numbers = {}
    for path in folder.iterdir():
        name = path.name.removesuffix(".gz")
        data = path.read_bytes()
        number = int(name.partition(".")[2] or 0)
        assert number not in numbers, "one name for one file"
        numbers[number] = gzip.decompress(data) if path.suffix == ".gz" else data
    return [numbers[number] for number in sorted(numbers, reverse=True)]


@given(batches, st.sampled_from([-1, 1, 25, 100]), st.integers(1, 4), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_newest_lines_are_there_in_files_of_their_size(
    said: list[list[bytes]], size: int, count: int, packed: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = Files(f"{name}/log", size, count, compress=packed and count > 1)
        for batch in said:
            files.append(b"".join(batch))
        files.close()
        found = kept(Path(name))
    assert len(found) <= count
    whole, there = b"".join(line for batch in said for line in batch), b"".join(found)
    assert whole.endswith(there)
    if len(found) < count:
        assert there == whole
    if size > 0:
        assert all(len(each) <= size or each.count(b"\n") == 1 for each in found)


def test_what_is_older_is_compressed_and_tells_which_file_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"text\n" * 1000)
    os.chmod(path, 0o640)
    os.utime(path, ns=(5, 7))
    before = path.stat()
    compress(str(path))
    packed = tmp_path / "log.gz"
    assert os.listdir(tmp_path) == ["log.gz"]
    assert gzip.decompress(packed.read_bytes()) == b"text\n" * 1000
    assert inode_in(packed.read_bytes()) == before.st_ino
    assert (packed.stat().st_mode, packed.stat().st_mtime_ns) == (before.st_mode, 7)


@given(st.integers(0, (1 << 64) - 1))
def test_the_head_keeps_the_inode(inode: int) -> None:
    assert inode_in(head_of(inode)) == inode


@given(st.binary(max_size=40))
def test_of_anybody_elses_file_nothing_is_known(data: bytes) -> None:
    assert inode_in(data) == 0
    assert inode_in(gzip.compress(data)) == 0


def test_what_a_crash_left_uncompressed_is_compressed_at_the_next_rotation(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(b"old\n")
    files = Files(str(tmp_path / "log"), 4, 5, compress=True)
    files.append(b"one\n")
    files.append(b"two\n")
    files.close()  # does not wait for the child; what that has not done is as it was
    assert b"".join(kept(tmp_path)) == b"old\none\ntwo\n"


def test_where_no_new_file_can_be_made_the_old_one_goes_on(tmp_path: Path) -> None:
    files = Files(str(tmp_path / "log"), 4, 5)
    (tmp_path / "log.new").mkdir()
    files.append(b"one\ntwo\n")
    files.append(b"three\n")
    files.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\nthree\n"


# Another process


def test_a_process_beside_writes_everything_before_it_ends(tmp_path: Path) -> None:
    sink = Aside(Files(str(tmp_path / "log")), 1 << 20)
    lines = [b"%d\n" % number for number in range(50_000)]
    for at in range(0, len(lines), 1000):
        sink.append(b"".join(lines[at : at + 1000]))
    sink.close()
    assert (tmp_path / "log").read_bytes() == b"".join(lines)


def test_beyond_its_buffer_whole_lines_are_dropped_and_nobody_waits(tmp_path: Path) -> None:
    """A pipe to nobody yet stands for a disk that does not answer."""
    slow = tmp_path / "log"
    os.mkfifo(slow)
    opened = os.open(slow, os.O_RDWR)
    os.set_blocking(opened, True)
    sink = Aside(Files(str(slow), fd=os.dup(opened)), 10_000)
    for number in range(60_000):
        sink.append(b"%06d\n" % number)
    assert 0 < sink.waiting <= 10_000
    said = bytearray()

    def read() -> None:
        while b"end\n" not in said:
            said.extend(os.read(opened, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    while sink.waiting:
        sink.flush()
    sink.append(b"end\n")
    sink.close()
    reader.join()
    os.close(opened)
    lines = bytes(said).splitlines()
    assert lines[-1] == b"end"
    numbers = [int(line) for line in lines[:-1]]
    assert numbers == list(range(len(numbers))), "the first ones, whole"
    assert len(numbers) < 60_000


@pytest.mark.parametrize("entries", [b"", b"a\n"])
def test_a_writer_that_was_killed_takes_nothing_and_stops_nobody(
    tmp_path: Path, entries: bytes
) -> None:
    sink = Aside(Files(str(tmp_path / "log")), 100)
    os.kill(sink._writer, 9)
    os.waitid(os.P_PID, sink._writer, os.WEXITED | os.WNOWAIT)
    sink.append(entries)
    assert sink.waiting == 0
    sink.close()
