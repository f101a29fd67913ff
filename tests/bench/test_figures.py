"""The benchmark's arithmetic and its table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.figures import Aim, Figure, median, number, table

samples = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=9).map(tuple)


@given(samples)
def test_a_median_lies_between_the_samples_and_ignores_their_order(
    values: tuple[float, ...],
) -> None:
    found = median(values)
    assert found is not None
    assert min(values) <= found <= max(values)
    assert median(values[::-1]) == found


@given(samples, samples, st.floats(0.1, 10))
def test_a_ratio_does_not_depend_on_the_machines_speed(
    theirs: tuple[float, ...], ours: tuple[float, ...], slower: float
) -> None:
    fast = Figure("run", "ms", theirs, ours)
    slow = Figure("run", "ms", tuple(x * slower for x in theirs), tuple(x * slower for x in ours))
    assert slow.ratio == pytest.approx(fast.ratio)


@given(samples, st.floats(0.01, 100))
def test_an_aim_is_met_up_to_its_limit(values: tuple[float, ...], limit: float) -> None:
    middle = median(values)
    assert middle is not None
    assert Figure("n", "MB", (), values, Aim(limit, ratio=False)).met is (middle <= limit)
    assert Figure("n", "MB", values, values, Aim(limit, ratio=True)).met is (limit >= 1)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    lonely = Figure("run", "ms", (), (5.0,), Aim(0.25, ratio=True))
    assert (lonely.ratio, lonely.met) == (None, None)
    assert Figure("run", "ms", (5.0,), ()).ratio is None
    assert lonely.to_json()["theirs"] == {"median": None, "samples": []}


def test_the_table_shows_medians_ratio_and_verdict() -> None:
    text = table(
        [
            Figure("run", "ms", (300.0, 400.0, 500.0), (80.0,), Aim(0.25, ratio=True)),
            Figure("idle", "MB", (164.0,), (61.5,), Aim(60, ratio=False)),
            Figure("other", "MB", (), (1.234,)),
        ],
        "dockerd",
    )
    assert text.splitlines() == [
        "       dockerd  minidocker  ratio       aim",
        "run     400 ms     80.0 ms   0.20   <= 0.25     met",
        "idle    164 MB     61.5 MB   0.38  <= 60 MB  MISSED",
        "other        -     1.23 MB      -",
    ]


@given(samples, samples)
def test_what_json_says_can_be_read_back(
    theirs: tuple[float, ...], ours: tuple[float, ...]
) -> None:
    figure = Figure("run", "ms", theirs, ours, Aim(0.5, ratio=True))
    read = json.loads(json.dumps(figure.to_json()))
    assert read["ratio"] == figure.ratio
    assert read["ours"]["samples"] == list(ours)
    assert read["aim"] == {"at_most": 0.5, "of": "ratio", "met": figure.met}


@given(st.floats(0.001, 1e5))
def test_a_number_keeps_at_least_two_digits_that_matter(value: float) -> None:
    shown = float(number(value, "ms").split()[0])
    assert shown == pytest.approx(value, rel=0.06, abs=0.006)
