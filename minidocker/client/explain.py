"""``run --explain`` and ``--dry-run``: the daemon's own steps, printed.

The text of a step is made by the step itself, in the daemon; here it is only
laid out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.connection import ApiError, Connection

Step = Mapping[str, Any]


def trace_text(steps: Sequence[Step]) -> str:
    """What a start did: when (since the first step), in which process, what, for how long.

    ``began_ns`` and ``took_ns`` are nanoseconds.
    """
    if not steps:
        return "no steps were recorded"
    steps = sorted(steps, key=lambda step: int(step["began_ns"]))
    first = int(steps[0]["began_ns"])
    end = max(int(step["began_ns"]) + int(step["took_ns"]) for step in steps)
    names = [f"{step['process']}[{step['pid']}]" for step in steps]
    width = max(map(len, names))
    lines = [
        f"{milliseconds(int(step['began_ns']) - first):>9}  {name:{width}}  "
        f"{step['text']}  ({milliseconds(int(step['took_ns']))}){chapter(step)}"
        for step, name in zip(steps, names, strict=True)
    ]
    return "\n".join([*lines, f"{len(steps)} steps in {milliseconds(end - first)}"])


def plan_text(steps: Sequence[Step]) -> str:
    """What a start would do, numbered, with the process that would do it."""
    width = max((len(str(step["process"])) for step in steps), default=0)
    digits = len(str(len(steps)))
    return "\n".join(
        f"{number:{digits}}  {step['process']:{width}}  {step['text']}{chapter(step)}"
        for number, step in enumerate(steps, 1)
    )


def milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000:.2f} ms"


def chapter(step: Step) -> str:
    """A step's chapter, for who wants to know why."""
    return f"  [{step['chapter']}]" if step.get("chapter") else ""


def fetch_trace(daemon: Connection, id: str) -> str:
    """The steps of the last start of ``id``; a sentence when the daemon does not tell."""
    try:
        steps = daemon.ask("GET", f"/minidocker/containers/{id}/trace").json()
    except ApiError as error:
        return f"the daemon at {daemon.address} has no steps to show: {error.reason}"
    return trace_text(steps)
