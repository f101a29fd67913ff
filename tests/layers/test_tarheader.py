"""Headers of tars: ours against the standard library's, both ways; and those of old programs."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.layers.metadata import Metadata
from minidocker.layers.tarheader import (
    BLKTYPE,
    BLOCK,
    CHECKSUM,
    CHRTYPE,
    DIRTYPE,
    FIFOTYPE,
    LNKTYPE,
    REGTYPE,
    SYMTYPE,
    Entry,
    number,
)
from minidocker.layers.tarstream import Limits, Stream, entries, pieces
from minidocker.layers.tarwrite import END, header
from tests.layers.tars import entry as written
from tests.layers.tars import file

LONG = 1 << 40
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]

letters = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1)
raw = st.binary(min_size=1, max_size=200).map(lambda data: data.replace(b"\0", b"!"))
names = st.one_of(
    st.sampled_from(["a", "d/" * 60 + "f", "x" * 100, "x" * 101, "p" * 155 + "/" + "n" * 100]),
    st.lists(letters, min_size=1, max_size=4).map("/".join),
    raw.map(lambda data: data.decode("utf-8", "surrogateescape")),
).map(lambda name: name.rstrip("/") or "n")
owners = st.one_of(st.integers(0, 70_000), st.integers(0, (1 << 32) - 2))
times = st.one_of(
    st.integers(0, 1 << 33).map(lambda seconds: seconds * 10**9), st.integers(-(10**18), 10**20)
)
attributes = st.dictionaries(
    st.sampled_from(["user.a", "security.capability", "user.é"]), st.binary(max_size=300)
)
metadata = st.builds(Metadata, st.integers(0, 0o7777), owners, owners, times, attributes)
sizes = st.integers(0, LONG)
numbers = st.tuples(st.integers(0, 4095), st.integers(0, (1 << 20) - 1))
files = st.builds(lambda *of: Entry(of[0], REGTYPE, *of[1:]), names, metadata, sizes)
others = st.builds(
    lambda name, kind, of: Entry(name, kind, of),
    names,
    st.sampled_from([DIRTYPE, FIFOTYPE]),
    metadata,
)
links = st.builds(
    lambda name, kind, of, link: Entry(name, kind, of, linkname=link),
    names,
    st.sampled_from([SYMTYPE, LNKTYPE]),
    metadata,
    names,
)
devices = st.builds(
    lambda name, kind, of, device: Entry(name, kind, of, device=device),
    names,
    st.sampled_from([CHRTYPE, BLKTYPE]),
    metadata,
    numbers,
)
entry_values = st.one_of(files, others, links, devices)


def read(data: bytes) -> list[Entry]:
    return list(entries(Stream(io.BytesIO(data), LONG), Limits()))


def first(data: bytes) -> Entry:
    """Without the slash that ends a directory's name."""
    found = next(entries(Stream(io.BytesIO(data), LONG), Limits()))
    return found._replace(name=found.name.rstrip("/"))


@given(entry_values)
def test_what_is_written_is_read(entry: Entry) -> None:
    assert len(header(entry)) % BLOCK == 0
    assert first(header(entry)) == entry


@given(entry_values)
def test_the_standard_library_reads_what_is_written(entry: Entry) -> None:
    with tarfile.open(fileobj=io.BytesIO(header(entry) + END), mode="r:") as tar:
        found = tar.next()
    assert found is not None
    of = entry.metadata
    assert (found.name, found.linkname, found.type) == (entry.name, entry.linkname, entry.type)
    assert (found.size, found.mode, found.uid, found.gid) == (entry.size, of.mode, of.uid, of.gid)
    assert found.mtime == pytest.approx(of.mtime / 10**9, rel=1e-9)
    if entry.type in (CHRTYPE, BLKTYPE):
        assert (found.devmajor, found.devminor) == entry.device


@pytest.mark.parametrize("form", FORMATS, ids=["ustar", "gnu", "pax"])
@given(entry_values)
def test_what_the_standard_library_writes_is_read(form: int, entry: Entry) -> None:
    of = entry.metadata
    info = tarfile.TarInfo(entry.name)
    info.type, info.size, info.linkname = entry.type, entry.size, entry.linkname
    info.mode, info.uid, info.gid, info.mtime = of.mode, of.uid, of.gid, of.mtime // 10**9
    info.devmajor, info.devminor = entry.device
    try:
        data = info.tobuf(form, "utf-8", "surrogateescape")
    except ValueError:
        return  # more than the format can say
    plain = Metadata(of.mode, of.uid, of.gid, info.mtime * 10**9)
    assert first(data) == entry._replace(metadata=plain)


@given(st.integers(-(1 << 80), 1 << 80), st.sampled_from([8, 12]))
@example(-1, 8)
def test_numbers_are_the_standard_librarys(value: int, digits: int) -> None:
    try:
        field = tarfile.itn(value, digits, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    except ValueError:
        return
    assert number(bytes(field)) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000017\0", 15),
        (b"   17 \0\0", 15),
        (bytes(8), 0),
        (b"7\0trash!", 7),
        (b"77777777", 8**8 - 1),
    ],
)
def test_octal_numbers_are_padded_in_many_ways(field: bytes, value: int) -> None:
    assert number(bytes(field)) == value


@pytest.mark.parametrize("field", [b"-1", b"0x1f", b"1_0", b"1 2", b"8"])
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        number(field)
    bad = changed(file("a"), slice(100, 108), field.ljust(8, b"\0"))
    with pytest.raises(InvalidParameter, match="the layer is no tar"):
        read(bad)


def changed(block: bytes, where: slice, what: bytes) -> bytes:
    """The header with other bytes in it, and the checksum that it has then."""
    block = block[: where.start] + what + block[where.stop :]
    blank = block[: CHECKSUM.start] + b" " * 8 + block[CHECKSUM.stop :]
    return block[: CHECKSUM.start] + b"%06o\0 " % sum(blank[:BLOCK]) + block[CHECKSUM.stop :]


def test_a_wrong_checksum_is_found() -> None:
    with pytest.raises(InvalidParameter, match="checksum"):
        read(file("a").replace(b"a", b"b", 1))
    with pytest.raises(InvalidParameter, match="is damaged"):
        read(file("a") + file("a").replace(b"a", b"b", 1))


def test_a_checksum_of_signed_bytes_is_taken() -> None:
    block = changed(file("a"), slice(0, 3), b"\xc3\xa9.")
    unsigned = int(block[CHECKSUM][:6], 8)
    signed = b"%06o\0 " % (unsigned - 2 * 256)
    assert read(block[: CHECKSUM.start] + signed + block[CHECKSUM.stop :])[0].name == "é."


PREFIX, MAGIC, TAIL = slice(345, 500), slice(257, 265), slice(508, 512)


def test_a_prefix_is_one_in_ustar_only() -> None:
    """GNU tar has times there; Go before 1.8 had a prefix; star's is shorter; of old no one had."""
    ustar = changed(file("name"), PREFIX, b"folder".ljust(155, b"\0"))
    assert first(ustar).name == "folder/name"
    gnu = changed(ustar, MAGIC, b"ustar  \0")
    assert first(gnu).name == "folder/name"
    times = b"14000000000\0" * 2
    assert first(changed(gnu, PREFIX, times.ljust(155, b"\0"))).name == "name"
    star = changed(changed(ustar, PREFIX, b"f" * 131 + times), TAIL, b"tar\0")
    assert first(star).name == "f" * 131 + "/name"
    assert first(changed(ustar, MAGIC, bytes(8))).name == "name"


def test_a_name_with_a_slash_was_a_directory_before_there_was_a_type() -> None:
    assert read(changed(file("a/"), slice(156, 157), b"\0"))[0].type == DIRTYPE
    assert read(changed(file("a"), slice(156, 157), b"\0"))[0].type == REGTYPE
    assert read(changed(file("a"), slice(156, 157), b"7"))[0].type == REGTYPE


def test_a_header_for_all_that_follows_says_nothing_of_a_file() -> None:
    with_one = io.BytesIO()
    headers = {"comment": "a commit", "path": "other", "uid": "7"}
    with tarfile.open(fileobj=with_one, mode="w", pax_headers=headers) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    assert [(each.name, each.metadata.uid) for each in read(with_one.getvalue())] == [("a", 0)]


def test_an_empty_record_takes_nothing_away_but_an_empty_attribute_is_one() -> None:
    records = {"path": "", "uid": "", "SCHILY.xattr.user.x": ""}
    (found,) = read(file("a", uid=5, pax_headers=records))
    assert (found.name, found.metadata.uid, found.metadata.xattrs) == ("a", 5, {"user.x": b""})


@pytest.mark.parametrize(
    "records",
    [b"5 a=b", b"6 a=b\n6 ", b"9 a=b\n", b"x a=b\n", b"5 a=\n\n", b"4 =b\n", b"99999999999 a=b\n"],
)
def test_malformed_records_are_refused(records: bytes) -> None:
    data = written("x", b"x", records) + file("a")
    if records == b"5 a=\n\n":
        data = written("x", b"x", b"5 ab\n") + file("a")
    with pytest.raises(InvalidParameter, match="PAX"):
        read(data)


@pytest.mark.parametrize(
    "records", [{"size": "-1"}, {"size": "x"}, {"uid": "1.5"}, {"uid": "9" * 40}, {"mtime": "now"}]
)
def test_records_that_make_no_sense_are_refused(records: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter, match="the layer"):
        read(file("a", pax_headers=records))


@pytest.mark.parametrize(
    "end", [b"", bytes(512), bytes(600), bytes(1024), bytes(10_240), bytes(100)]
)
def test_archives_end_in_many_ways(end: bytes) -> None:
    data = file("a", b"x") + end
    if len(end) in (100,):
        with pytest.raises(InvalidParameter, match="ends in the middle"):
            read(data)
    else:
        assert [each.name for each in read(data)] == ["a"]


def test_a_lone_block_of_zeros_is_no_end() -> None:
    with pytest.raises(InvalidParameter, match="ends in the middle"):
        read(file("a") + bytes(512) + file("b"))
    with pytest.raises(InvalidParameter, match="ends in the middle"):
        read(file("a", pax_headers={"comment": "x"})[:1024] + bytes(1024))


@given(st.lists(st.binary(max_size=3000), max_size=4), st.integers(1, 2000), st.data())
def test_data_are_read_or_skipped_however_they_come(
    contents: list[bytes], size: int, draw: st.DataObject
) -> None:
    class Slow(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            return super().read(size)

    tar = b"".join(file(f"f{number}", data) for number, data in enumerate(contents)) + END
    stream = Stream(Slow(tar), LONG)
    for entry in entries(stream, Limits()):
        if draw.draw(st.booleans()):
            found = b"".join(bytes(piece) for _, piece in pieces(stream, entry))
            assert found == contents[int(entry.name[1:])]
