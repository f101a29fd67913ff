"""Tables line up, and no cell is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.format.rows import Columns, lines
from minidocker.client.format.tables import draw, truncate, width
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


COLUMNS = Columns("x.Row", {"ID": "CONTAINER ID", "Name": "NAME"}, ("ID", "Name"))
ROWS = [{"ID": "<a>", "Name": "one", "Label": lambda key: "v"}, {"ID": "d", "Name": None}]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("", "CONTAINER ID   NAME\n<a>            one\nd              None"),
        ("table", "CONTAINER ID   NAME\n<a>            one\nd              None"),
        ("json", '{"ID":"\\u003ca\\u003e","Name":"one"}\n{"ID":"d","Name":null}'),
        ("{{json .}}", '{"ID":"\\u003ca\\u003e","Name":"one"}\n{"ID":"d","Name":null}'),
        ("{{json .ID}}", '"<a>"\n"d"'),
        ("{{.Name}}!", "one!\n<nil>!"),
        (r"table {{.Name}}\t{{.ID}}", "NAME      CONTAINER ID\none       <a>\n<nil>     d"),
        (r"{{.ID}}\n-", "<a>\n-\nd\n-"),
        ("table {{.ID}}", "CONTAINER ID\n<a>\nd"),
        ("plain", "plain\nplain"),
    ],
)
def test_the_ways_to_format_rows(form: str, text: str) -> None:
    assert lines(COLUMNS, ROWS, form) == text


def test_a_title_that_there_is_not_is_seen_where_there_are_no_rows() -> None:
    assert lines(COLUMNS, [], "table {{.Nme}}") == "<no value>"
    assert lines(COLUMNS, [], "{{.Nme}}") == ""
    with pytest.raises(InvalidParameter) as refused:
        lines(COLUMNS, ROWS, "table {{.Nme}}")
    assert str(refused.value) == (
        'template parsing error: template: :1:2: executing "" at <.Nme>: '
        "can't evaluate field Nme in type *x.Row"
    )
