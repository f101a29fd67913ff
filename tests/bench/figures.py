"""Figures: samples of two engines, their medians, the ratio, and what is aimed at.  No I/O.

Machines differ and are noisy, so what counts is the ratio of two medians that were
measured in turn, in one run; an absolute aim is there only where users feel it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "-"


@dataclass(frozen=True)
class Aim:
    """At most ``limit``: of the peer's median (``ratio``), or in the figure's own unit."""

    limit: float
    ratio: bool


@dataclass(frozen=True)
class Figure:
    """One thing measured in both engines.  ``unit``: "ms" or "MB"; smaller is better.

    Either list of samples may be empty: not measured.
    """

    name: str
    unit: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        """Our median as a part of the peer's; None where one of them is missing or zero."""
        theirs, ours = median(self.theirs), median(self.ours)
        return ours / theirs if theirs and ours is not None else None

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is none, or it cannot be told."""
        if self.aim is None:
            return None
        reached = self.ratio if self.aim.ratio else median(self.ours)
        return None if reached is None else reached <= self.aim.limit

    def to_json(self) -> dict[str, Any]:
        aim = None
        if self.aim:
            kind = "ratio" if self.aim.ratio else self.unit
            aim = {"at_most": self.aim.limit, "of": kind, "met": self.met}
        return {
            "name": self.name,
            "unit": self.unit,
            "theirs": {"median": median(self.theirs), "samples": list(self.theirs)},
            "ours": {"median": median(self.ours), "samples": list(self.ours)},
            "ratio": self.ratio,
            "aim": aim,
        }


def median(samples: Sequence[float]) -> float | None:
    """None for no samples."""
    return statistics.median(samples) if samples else None


def table(figures: Sequence[Figure], peer: str) -> str:
    """What people read: a row a figure, columns aligned."""
    head = ("", peer, "minidocker", "ratio", "aim", "")
    rows = [head, *(row(figure) for figure in figures)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(head))]
    lines = []
    for cells in rows:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        lines.append("  ".join((first, *rest)).rstrip())
    return "\n".join(lines)


def row(figure: Figure) -> tuple[str, ...]:
    aim = ""
    if figure.aim:
        aim = f"<= {figure.aim.limit:g}" + ("" if figure.aim.ratio else f" {figure.unit}")
    verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
    ratio = NOT_MEASURED if figure.ratio is None else f"{figure.ratio:.2f}"
    values = (number(median(samples), figure.unit) for samples in (figure.theirs, figure.ours))
    return (figure.name, *values, ratio, aim, verdict)


def number(value: float | None, unit: str) -> str:
    """Three digits that matter, as in ``1.42 MB`` and ``305 ms``."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
