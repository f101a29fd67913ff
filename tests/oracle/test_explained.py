"""The list of differences: an entry covers what it says, and the page is made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import explained
from tests.oracle.explained import Explained, judge, load, matches, page, table

MOUNT = Explained(("mount./dev*",), "tmpfs [rw]*", "tmpfs [ro]*", "the mount", "Because.")


@given(st.text())
def test_a_pattern_without_a_star_matches_itself_only(text: str) -> None:
    literal = text.replace("*", "")
    assert matches(literal, literal)
    assert not matches(literal + "x", literal)


@given(st.text(), st.text())
def test_a_star_matches_anything(before: str, after: str) -> None:
    before, after = before.replace("*", ""), after
    assert matches(before + after, before + "*")


def test_an_entry_covers_only_its_keys_and_values() -> None:
    assert MOUNT.covers("mount./dev/pts", "tmpfs [rw],nosuid", "tmpfs [ro]")
    assert not MOUNT.covers("mount./proc", "tmpfs [rw]", "tmpfs [ro]")
    assert not MOUNT.covers("mount./dev", "tmpfs [rw]", "tmpfs [rw]")


def test_what_nothing_explains_and_what_explains_nothing_are_both_named() -> None:
    verdict = judge([("umask", "0022", "0027")], [MOUNT])
    assert "umask" in verdict.unexplained[0]
    assert "the mount" in verdict.stale[0]
    good = judge([("mount./dev", "tmpfs [rw]", "tmpfs [ro]")], [MOUNT])
    assert (good.unexplained, good.stale) == ([], [])


def test_a_table_has_a_row_an_entry_and_cells_that_stay_cells() -> None:
    rows = table([Explained(("k",), "a|b*", "*", "title", "reason")]).splitlines()
    assert rows[2] == "| title | `a&#124;b…` | … | reason |"


@pytest.mark.parametrize("kind", explained.KINDS)
def test_every_difference_has_a_title_and_a_whole_sentence_for_a_reason(kind: str) -> None:
    for entry in load(kind):
        assert entry.title
        assert entry.reason.endswith("."), entry


def test_the_page_is_up_to_date() -> None:
    said = explained.PAGE_FILE.read_text("utf-8")
    assert said == page(), "run python -m tests.oracle.explained"


@pytest.mark.parametrize("kind", explained.KINDS)
def test_no_entry_covers_everything(kind: str) -> None:
    for entry in load(kind):
        assert all(key.strip("*") for key in entry.keys), entry.title
