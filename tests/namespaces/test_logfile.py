"""Where a container's output is cut into lines, whatever pieces it comes in."""

from __future__ import annotations

import datetime
import itertools
import json
import os
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from minidocker.namespaces.logfile import (
    MAX_LINE,
    JsonLog,
    has_long_line,
    split_lines,
    timestamp,
)
from minidocker.namespaces.logstore import Files

# Lines as long as the bound and a little shorter or longer, and short ones.
lengths = st.integers(0, 5) | st.integers(-2, 2).map(lambda off: MAX_LINE + off)
lines = st.tuples(st.sampled_from([b"a", b"b"]), lengths).map(lambda pair: pair[0] * pair[1])
outputs = st.lists(lines, max_size=5).map(b"\n".join)
cuts = st.lists(st.integers(0, 3 * MAX_LINE) | st.integers(0, 9), max_size=5)


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    at = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


@given(outputs)
def test_lines_and_the_rest_are_all_there_is_and_none_is_too_long(data: bytes) -> None:
    found, rest = split_lines(data)
    assert b"".join(found) + rest == data
    for line in found:
        assert len(line) == MAX_LINE or line.endswith(b"\n")
        assert len(line) <= MAX_LINE
        assert b"\n" not in line[:-1]
    assert b"\n" not in rest
    assert len(rest) < MAX_LINE


@given(outputs)
def test_a_long_line_is_found_without_looking_at_each(data: bytes) -> None:
    assert has_long_line(data) == any(len(line) >= MAX_LINE for line in data.split(b"\n"))


def lines_in_the_log(writes: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    fd = os.memfd_create("log", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "rb") as written:
        log = JsonLog(Files("not opened", fd=fd))
        for stream, data in writes:
            log.write(stream, data)
        log.close()
        written.seek(0)
        entries = [json.loads(line) for line in written]
    return [(entry["stream"], entry["log"]) for entry in entries]


@given(outputs, cuts)
def test_the_log_has_the_same_lines_however_the_output_is_cut(data: bytes, cuts: list[int]) -> None:
    found, rest = split_lines(data)
    wanted = [("stdout", line.decode()) for line in [*found, rest] if line]
    assert lines_in_the_log([("stdout", piece) for piece in pieces(data, cuts)]) == wanted


@given(outputs, outputs, cuts, cuts, st.randoms(use_true_random=False))
def test_two_streams_do_not_mix(
    out: bytes, err: bytes, out_cuts: list[int], err_cuts: list[int], random: Random
) -> None:
    queues = {"stdout": pieces(out, out_cuts), "stderr": pieces(err, err_cuts)}
    writes = []
    while left := [stream for stream, queue in queues.items() if queue]:
        stream = random.choice(left)
        writes.append((stream, queues[stream].pop(0)))
    said = lines_in_the_log(writes)
    for stream, data in (("stdout", out), ("stderr", err)):
        assert "".join(text for name, text in said if name == stream) == data.decode()


@given(st.integers(0, 4 * 10**18), st.integers(0, 4 * 10**18))
def test_times_are_utc_and_sort_as_texts(one: int, other: int) -> None:
    whole = datetime.datetime.fromtimestamp(one // 10**9, datetime.UTC)
    assert timestamp(one) == f"{whole:%Y-%m-%dT%H:%M:%S}.{one % 10**9:09}Z"
    assert (timestamp(one) < timestamp(other)) == (one < other)
