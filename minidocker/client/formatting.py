"""``--format``: the same rows as a table, as JSON, or through the user's template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.tables import draw
from minidocker.client.template import Template, to_json

Row = Mapping[str, Any]


def lines(rows: Sequence[Row], titles: Mapping[str, str], fields: Sequence[str], form: str) -> str:
    """``rows`` as text, without the last newline.

    ``titles``: each field's column title.  ``fields``: the columns of the plain table.
    ``form``: "" or "table", "json", "table TEMPLATE", or a template for each row.
    """
    if form in ("", "table"):
        cells = [[str(row[field]) for field in fields] for row in rows]
        return draw([[titles[field] for field in fields], *cells])
    if form == "json":
        return "\n".join(to_json({k: v for k, v in row.items() if not callable(v)}) for row in rows)
    if form.startswith("table"):
        template = Template(form.removeprefix("table").strip())
        head: dict[str, Any] = {**titles, "Label": lambda name: name}
        drawn = [template.render(head), *(template.render(row) for row in rows)]
        return draw_ragged([line.split("\t") for line in drawn])
    template = Template(form)
    return "\n".join(template.render(row) for row in rows)


def draw_ragged(rows: Sequence[Sequence[str]]) -> str:
    """A table whose rows may have different numbers of cells."""
    columns = max(map(len, rows), default=0)
    text = draw([[*row, *[""] * (columns - len(row))] for row in rows])
    return "\n".join(
        line.rstrip() if len(row) < columns else line
        for line, row in zip(text.split("\n"), rows, strict=True)
    )
