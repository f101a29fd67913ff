"""``--format`` of a list: the same rows as a table, as JSON, or through the user's template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from minidocker.client.format.tables import draw
from minidocker.errors import InvalidParameter

Cells = Mapping[str, Any]


class Columns(NamedTuple):
    """``titles``: what a template may ask for, and its title.  ``kind``: Docker's name for a row.

    ``plain``: the columns of the table that no template has chosen.
    """

    kind: str
    titles: Mapping[str, str]
    plain: Sequence[str]


def show(columns: Columns, rows: Sequence[Cells], form: str | None) -> None:
    """Print the rows as ``lines`` gives them."""
    if text := lines(columns, rows, form):
        print(text)


def lines(columns: Columns, rows: Sequence[Cells], form: str | None) -> str:
    """``rows`` as text, without the last newline.

    ``form``: none or "table", "json", "table TEMPLATE", or a template for each row.
    Raises ``InvalidParameter`` for a template that is wrong.
    """
    form = (form or "table").strip(" ")
    if form == "table":
        cells = [[str(row[field]) for field in columns.plain] for row in rows]
        return draw([[columns.titles[field] for field in columns.plain], *cells])
    from minidocker.client.format.template import Template
    from minidocker.client.format.values import Row, to_json

    data = [Row(columns.kind, row) for row in rows]
    if form == "json":
        return "\n".join(map(to_json, data))
    text = form.removeprefix("table").strip(" ").replace("\\t", "\t").replace("\\n", "\n")
    try:
        template = Template(text)
        if not form.startswith("table"):
            return "\n".join(map(template.render, data))
        head = {**columns.titles, "Label": lambda name: name}
        return draw_ragged([template.render(row).split("\t") for row in (head, *data)])
    except InvalidParameter as error:
        raise InvalidParameter(f"template parsing error: {error}") from None


def draw_ragged(rows: Sequence[Sequence[str]]) -> str:
    """A table whose rows may have different numbers of cells."""
    columns = max(map(len, rows), default=0)
    text = draw([[*row, *[""] * (columns - len(row))] for row in rows])
    return "\n".join(
        line.rstrip() if len(row) < columns else line
        for line, row in zip(text.split("\n"), rows, strict=True)
    )
