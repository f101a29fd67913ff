"""Tables line up, and no cell is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.formatting import lines
from minidocker.client.tables import draw, truncate, width
from minidocker.errors import InvalidParameter

cell = st.text(alphabet="abcdefgh-0123/", max_size=20)
tables = st.integers(1, 6).flatmap(
    lambda columns: st.lists(
        st.lists(cell, min_size=columns, max_size=columns), min_size=1, max_size=6
    )
)


@given(tables)
def test_every_cell_stands_at_its_columns_place(rows: list[list[str]]) -> None:
    places = [0]
    for column in range(len(rows[0]) - 1):
        longest = max(len(row[column]) for row in rows)
        places.append(places[-1] + max(10, longest + 3))
    for line, row in zip(draw(rows).split("\n"), rows, strict=True):
        assert all(line[at : at + len(text)] == text for at, text in zip(places, row, strict=True))
        assert len(line) == places[-1] + len(row[-1])


def test_a_wide_character_takes_two_columns() -> None:
    assert width("日本") == 4
    assert draw([["日本", "x"], ["ab", "y"]]) == "日本      x\nab        y"


@given(st.text(max_size=30), st.integers(1, 20))
def test_truncated_text_says_so(text: str, length: int) -> None:
    cut = truncate(text, length)
    assert len(cut) <= length
    assert cut == text if len(text) <= length else cut.endswith("…")


TITLES = {"ID": "CONTAINER ID", "Name": "NAME"}
ROWS = [{"ID": "abc", "Name": "one", "Label": lambda key: "v"}, {"ID": "d", "Name": "two"}]


def test_the_four_ways_to_format_rows() -> None:
    assert lines(ROWS, TITLES, ("ID", "Name"), "") == (
        "CONTAINER ID   NAME\nabc            one\nd              two"
    )
    assert (
        lines(ROWS, TITLES, ("ID",), "json") == '{"ID":"abc","Name":"one"}\n{"ID":"d","Name":"two"}'
    )
    assert lines(ROWS, TITLES, ("ID",), "{{.Name}}!") == "one!\ntwo!"
    assert lines(ROWS, TITLES, (), r"table {{.Name}}\t{{.ID}}") == (
        "NAME      CONTAINER ID\none       abc\ntwo       d"
    )
    with pytest.raises(InvalidParameter, match="Nme"):
        lines(ROWS, TITLES, ("ID",), "{{.Nme}}")
