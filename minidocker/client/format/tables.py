"""Tables as Docker draws them: columns of at least ten, three apart, the last one ragged.

These are the settings with which the docker command runs Go's tabwriter.
"""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width

MINIMUM, PADDING = 10, 3


def draw(rows: Sequence[Sequence[str]], *, minimum: int = MINIMUM, padding: int = PADDING) -> str:
    """``rows`` (the titles first) under each other; every row has the same number of cells.

    No trailing newline; "" for no rows.
    """
    if not rows:
        return ""
    columns = len(rows[0])
    widths = [
        max(minimum, max(width(row[column]) for row in rows) + padding)
        for column in range(columns - 1)
    ]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=False)]
    return "".join([*cells, *row[len(widths) :]])


def width(text: str) -> int:
    """Terminal columns that ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text)


def truncate(text: str, length: int) -> str:
    """At most ``length`` characters, an ellipsis being the last of a text that was longer."""
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"
