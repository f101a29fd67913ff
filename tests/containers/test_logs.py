"""Reading logs while they are written and rotated: every line once, in order."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.containers.log_files import last_lines
from minidocker.containers.logs import (
    LogLine,
    LogReader,
    Wish,
    parse_line,
    parse_lines,
    parse_time,
    read_log,
)
from minidocker.namespaces.logfile import (
    MAX_LINE,
    JsonLog,
    encode_lines,
    encode_pieces,
    timestamp,
)
from minidocker.namespaces.logstore import Files

lines = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20))
streams = st.sampled_from(["stdout", "stderr"])


@given(st.integers(0, 4 * 10**18))
def test_a_time_is_read_to_the_nanosecond(time_ns: int) -> None:
    assert parse_time(timestamp(time_ns)) == time_ns


@given(st.text(st.characters(codec="utf-8"), max_size=50), streams, st.integers(0, 4 * 10**18))
def test_an_entry_is_read_as_it_was_written(text: str, stream: str, time_ns: int) -> None:
    entry = encode_pieces([text.encode()], stream, time_ns)
    line = parse_line(entry)
    assert line is not None
    assert (line.time_ns, line.stream, line.data) == (time_ns, stream, text.encode())


entries = st.one_of(
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"") + b"\n"),
    st.builds(
        lambda text, stream: encode_pieces([text.encode()], stream, 1),
        st.text(st.characters(codec="utf-8"), max_size=9),
        streams | st.just("stdwhat"),
    ),
)


@given(st.lists(entries, max_size=6))
def test_many_lines_at_once_are_those_that_each_is(parts: list[bytes]) -> None:
    each = [line for entry in parts if (line := parse_line(entry)) is not None]
    assert parse_lines(b"".join(parts)) == each


@given(st.binary(max_size=200), streams)
def test_lines_encoded_at_once_are_those_encoded_one_by_one(data: bytes, stream: str) -> None:
    lines = [line + b"\n" for line in (data + b"\n").split(b"\n")[:-1]]
    assert encode_lines(data + b"\n", stream, 7) == encode_pieces(lines, stream, 7)


@given(st.binary(max_size=200), streams, st.integers(0, 4 * 10**18))
def test_an_entry_is_the_json_that_pythons_own_encoder_writes(
    data: bytes, stream: str, time_ns: int
) -> None:
    entry = {"log": data.decode(errors="replace"), "stream": stream, "time": timestamp(time_ns)}
    line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
    assert encode_pieces([data], stream, time_ns) == line.encode()


@given(st.lists(st.binary(max_size=40)), st.sampled_from([b"", b"x" * MAX_LINE, b"\\n\n"]))
def test_however_output_is_cut_the_log_has_all_of_it(pieces: list[bytes], odd: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        log = JsonLog(Files(str(path)))
        for piece in (*pieces, odd, *pieces):
            log.write("stdout", piece)
        log.close()
        reader = LogReader(path, Wish())
        said = b"".join(line.data for line in reader.lines())
        reader.close()
    assert said.decode() == b"".join((*pieces, odd, *pieces)).decode(errors="replace")


@given(st.binary(max_size=60))
def test_what_a_crash_cut_is_passed_over(entry: bytes) -> None:
    found = parse_line(entry)
    assert found is None or isinstance(found, LogLine)


@given(st.lists(st.binary(max_size=5).map(lambda b: b.replace(b"\n", b"x"))), st.integers(1, 5))
def test_the_last_lines_begin_where_they_begin(pieces: list[bytes], count: int) -> None:
    data = b"".join(piece + b"\n" for piece in pieces)
    at, found = last_lines(io.BytesIO(data), count)
    wanted = pieces[-count:]
    assert data[at:] == b"".join(piece + b"\n" for piece in wanted)
    assert found == len(wanted)


@settings(max_examples=40)
@given(lines, st.none() | st.integers(0, 6), st.sampled_from([-1, 150, 400]))
def test_the_tail_is_the_end_of_the_whole(texts: list[str], tail: int | None, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        log = JsonLog(Files(str(path), size, 50))
        for text in texts:
            log.write("stdout", text.encode() + b"\n")
        log.close()
        reader = LogReader(path, Wish(tail=tail))
        got = [line.data.decode() for line in reader.lines()]
        reader.close()
    wanted = [f"{text}\n" for text in texts]
    assert got == (wanted if tail is None else wanted[len(wanted) - min(tail, len(wanted)) :])


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), max_size=12), st.sampled_from([-1, 200, 500]))
def test_a_reader_goes_on_across_rotation(bursts: list[int], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        log = JsonLog(Files(str(path), size, 100))
        reader = LogReader(path, Wish())
        wanted: list[bytes] = []
        got: list[bytes] = []
        for burst in bursts:
            for _ in range(burst):
                wanted.append(b"%d\n" % len(wanted))
                log.write("stdout", wanted[-1])
            got += [line.data for line in reader.lines()]
            assert got == wanted
        reader.close()
        log.close()


@given(st.booleans(), st.booleans(), st.integers(0, 9), st.none() | st.integers(0, 9))
def test_only_what_is_wanted_is_read(
    stdout: bool, stderr: bool, since: int, until: int | None
) -> None:
    wish = Wish(stdout, stderr, since, until)
    for time_ns in range(10):
        for stream, wanted in (("stdout", stdout), ("stderr", stderr)):
            inside = since <= time_ns and (until is None or time_ns <= until)
            line = LogLine(timestamp(time_ns), stream, b"")
            assert wish.chosen([line]) == ([line] if wanted and inside else [])


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "log"
    entry = encode_pieces([b"whole\n"], "stdout", 1)
    path.write_bytes(entry[:10])
    reader = LogReader(path, Wish())
    assert reader.lines() == []
    with path.open("ab") as file:
        file.write(entry[10:])
    assert [line.data for line in reader.lines()] == [b"whole\n"]
    reader.close()


@pytest.mark.parametrize("size", [-1, 300])
def test_a_follower_hears_of_every_line_until_the_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"

    async def story() -> list[bytes]:
        ended = asyncio.Event()
        got: list[bytes] = []
        log = JsonLog(Files(str(path), size, 100))

        async def follow() -> None:
            async for batch in read_log(path, Wish(), ended, lambda: not ended.is_set()):
                got.extend(line.data for line in batch)

        following = asyncio.create_task(follow())
        for number in range(20):
            log.write("stdout", b"%d\n" % number)
            while number % 5 == 0 and len(got) <= number:
                await asyncio.sleep(0)
        log.write("stdout", b"last, without a newline")
        log.close()
        ended.set()
        await asyncio.wait_for(following, 10)
        return got

    assert asyncio.run(story()) == [b"%d\n" % n for n in range(20)] + [b"last, without a newline"]


def test_a_follower_of_a_log_that_is_not_there_yet_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def story() -> bytes:
        ended = asyncio.Event()
        news = read_log(path, Wish(), ended, lambda: True)
        first = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        log = JsonLog(Files(str(path)))
        log.write("stderr", b"here\n")
        (line,) = await asyncio.wait_for(first, 10)
        await news.aclose()  # type: ignore[attr-defined]
        log.close()
        return line.data

    assert asyncio.run(story()) == b"here\n"


def test_a_follower_leaves_at_the_time_it_asked_for(tmp_path: Path) -> None:
    async def story() -> None:
        wish = Wish(until_ns=1)
        async for _ in read_log(tmp_path / "log", wish, asyncio.Event(), lambda: True):
            raise AssertionError("there is no line")

    asyncio.run(asyncio.wait_for(story(), 10))
