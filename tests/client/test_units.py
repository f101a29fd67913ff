"""Sizes and times are read and written as Docker's go-units and Go's time package do."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.units import (
    binary_size,
    human_duration,
    human_size,
    local_text,
    parse_bytes,
    parse_duration,
    parse_moment,
    parse_time,
)
from minidocker.errors import InvalidParameter

POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@given(st.integers(0, 1 << 20), st.sampled_from("kmgt"), st.sampled_from(["", "b", "ib"]))
def test_every_suffix_is_a_power_of_1024(number: int, letter: str, tail: str) -> None:
    expected = number * 1024 ** POWER[letter]
    assert parse_bytes(f"{number}{letter}{tail}") == expected
    assert parse_bytes(f"{number} {letter.upper()}{tail}") == expected


@given(st.text(alphabet="0123456789.kmgbix -", max_size=8))
def test_a_size_is_a_number_of_bytes_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert 0 <= parse_bytes(text) < 2**63


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid size: ''"),
        ("1x", "invalid suffix: 'x'"),
        ("-5", "invalid size: '-5'"),
        ("m", "invalid size: 'm'"),
        ("1mbb", "invalid suffix: 'mbb'"),
    ],
)
def test_a_bad_size_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message.replace("(", r"\(")):
        parse_bytes(text)


@given(st.integers(0, 10**18))
def test_a_humanised_size_is_within_its_digits(size: int) -> None:
    units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    text = human_size(size, 3)
    unit = next(unit for unit in reversed(units) if text.endswith(unit))
    value = Fraction(text.removesuffix(unit)) * 1000 ** units.index(unit)
    assert abs(value - size) * 200 <= size


@pytest.mark.parametrize(
    ("size", "decimal", "binary"),
    [
        (0, "0B", "0B"),
        (999, "999B", "999B"),
        (7_050_000, "7.05MB", "6.723MiB"),
        (67108864, "67.1MB", "64MiB"),
        (4_270_000_000, "4.27GB", "3.977GiB"),
    ],
)
def test_sizes_as_docker_prints_them(size: int, decimal: str, binary: str) -> None:
    assert human_size(size, 3) == decimal
    assert binary_size(size) == binary


@given(st.integers(0, 200), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(h: int, m: int, s: int, ms: int) -> None:
    expected = ((h * 60 + m) * 60 + s) * 1_000_000_000 + ms * 1_000_000
    assert parse_duration(f"{h}h{m}m{s}s{ms}ms") == expected
    assert parse_duration(f"-{h}h{m}m{s}s{ms}ms") == -expected


@pytest.mark.parametrize("text", ["", "5", "1x", "s", "1.s.", "--1s", "1m "])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_duration(text)


def test_fractions_of_a_duration_count() -> None:
    assert parse_duration("1.5h") == 5_400_000_000_000
    assert parse_duration(".5s") == 500_000_000
    assert parse_duration("0") == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (61, "About a minute"),
        (300, "5 minutes"),
        (3700, "About an hour"),
        (2 * 3600, "2 hours"),
        (47 * 3600, "47 hours"),
        (72 * 3600, "3 days"),
        (15 * 86400, "2 weeks"),
        (90 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_as_docker_prints_them(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.integers(0, 2**33), st.integers(0, 999_999_999))
def test_a_printed_moment_reads_back(seconds: int, nanoseconds: int) -> None:
    moment = seconds * 1_000_000_000 + nanoseconds
    assert parse_time(local_text(moment)) == moment


def test_a_moment_is_a_time_a_duration_ago_or_seconds() -> None:
    assert parse_moment("1700000000.5", 0) == "1700000000.5"
    assert parse_moment("1m", 1000.0) == "940.000000000"
    assert parse_moment("1970-01-01T00:01:00.25Z", 0) == "60.250000000"
    with pytest.raises(InvalidParameter, match="yesterday"):
        parse_moment("yesterday", 0)
