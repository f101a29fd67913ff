"""``run --explain`` and ``--dry-run``: the daemon's own steps, laid out to be read.

The text of a step is made by the step itself, in the daemon; here it only gets
columns, a heading for each process, and colours where there is a terminal.
An ID of 64 digits is cut to the 12 by which people know it.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from minidocker.client.connection import ApiError, Connection

Step = Mapping[str, Any]

LONG_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
SLOW_NS = 1_000_000  # a step that takes longer than this stands out
LEAST_WIDTH = 60  # a terminal that is narrower than this breaks the lines itself


@dataclass(frozen=True)
class Look:
    """How it is to look.  ``width``: columns to wrap at, None for lines as long as they are."""

    colours: bool = False
    width: int | None = None

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def wrap(self, text: str, indent: int) -> str:
        """``text`` broken to fit behind a margin of ``indent`` columns."""
        if self.width is None or self.width < LEAST_WIDTH:
            return text
        lines = textwrap.wrap(text, self.width - indent, break_on_hyphens=False)
        return f"\n{' ' * indent}".join(lines)


def look_of(out: IO[str], environ: Mapping[str, str]) -> Look:
    """Colours (unless NO_COLOR is set) and wrapping for a terminal, neither for anything else."""
    if not out.isatty():
        return Look()
    colours = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Look(colours, shutil.get_terminal_size().columns)


def trace_text(steps: Sequence[Step], look: Look = Look()) -> str:
    """What a start did: when (since the first step), for how long, of which chapter, what.

    ``began_ns`` and ``took_ns`` are nanoseconds.  A process that takes over has a heading.
    """
    if not steps:
        return "no steps were recorded"
    steps = sorted(steps, key=lambda step: int(step["began_ns"]))
    first = int(steps[0]["began_ns"])
    end = max(int(step["began_ns"]) + int(step["took_ns"]) for step in steps)
    width = max(7, *(len(chapter(step)) for step in steps))
    lines = [look.paint("2", f"{'at ms':>9} {'took ms':>8}  {'chapter':{width}}  step")]
    process = ""
    for step in steps:
        name = f"{step['process']} (pid {step['pid']})"
        if name != process:
            lines.append(look.paint("1", name))
            process = name
        took = f"{milliseconds(int(step['took_ns'])):>8}"
        took = look.paint("33", took) if int(step["took_ns"]) > SLOW_NS else took
        at = look.paint("2", f"{milliseconds(int(step['began_ns']) - first):>9}")
        named = look.paint("36", f"{chapter(step):{width}}")
        lines.append(f"{at} {took}  {named}  {look.wrap(text(step), width + 22)}")
        if step.get("error"):
            failed = look.wrap(f"failed: {step['error']}", width + 22)
            lines.append(" " * (width + 22) + look.paint("31", failed))
    return "\n".join([*lines, f"{len(steps)} steps in {milliseconds(end - first)} ms", _sum(steps)])


def _sum(steps: Sequence[Step]) -> str:
    """Where the time went, the longest first."""
    took: Counter[str] = Counter()
    for step in steps:
        took[chapter(step) or "other"] += int(step["took_ns"])
    parts = (f"{name} {milliseconds(nanoseconds)}" for name, nanoseconds in took.most_common())
    return f"by chapter, in ms: {', '.join(parts)}"


def plan_text(steps: Sequence[Step], look: Look = Look()) -> str:
    """What a start would do, numbered, under the process that would do it."""
    if not steps:
        return ""
    digits = max(2, len(str(len(steps))))
    width = max(len(chapter(step)) for step in steps)
    lines, process = [], ""
    for number, step in enumerate(steps, 1):
        if step["process"] != process:
            process = str(step["process"])
            lines.append(look.paint("1", process))
        named = look.paint("36", f"{chapter(step):{width}}")
        lines.append(f"{number:{digits}}  {named}  {look.wrap(text(step), digits + width + 4)}")
    return "\n".join([*lines, f"{len(steps)} steps; nothing was made"])


def milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000:.2f}"


def chapter(step: Step) -> str:
    """Where to read why; "" when a step has none."""
    return str(step.get("chapter") or "")


def text(step: Step) -> str:
    """The step's own words."""
    return LONG_ID.sub(r"\1", str(step["text"]))


def fetch_trace(daemon: Connection, id: str, look: Look) -> str:
    """The steps of the last start of ``id``; a sentence when the daemon does not tell."""
    try:
        steps = daemon.ask("GET", f"/minidocker/containers/{id}/trace").json()
    except ApiError as error:
        if "No such container" in error.reason:
            return "the steps went with the container: to see how far it came, leave out --rm"
        return f"the daemon at {daemon.address} has no steps to show: {error.reason}"
    return trace_text(steps, look)
