"""differences.toml: every way in which this engine differs from dockerd, with its reason.

An entry explains the differences whose key and two values match its patterns
(shell's ``*``).  A difference that nothing explains fails the test; so does an
entry that explains nothing any more.  The page docs/isolation.md is made of the
same entries (``page``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

FILE = Path(__file__).parent / "differences.toml"
KINDS = ("isolation", "commands", "requests")  # the probe's, the sessions', those of asked.py
PAGE_FILE = Path(__file__).parents[2] / "docs" / "isolation.md"


@dataclass(frozen=True)
class Explained:
    """``keys``: patterns of the probe's keys (``flags: key`` where it takes flags to see the
    difference), of ``session: command``, or of ``session: request``.  ``docker`` and
    ``ours``: patterns of the two values.  ``title`` and ``reason`` are for the reader."""

    keys: tuple[str, ...]
    docker: str
    ours: str
    title: str
    reason: str

    def names(self, key: str) -> bool:
        return any(matches(key, pattern) for pattern in self.keys)

    def covers(self, key: str, docker: str, ours: str) -> bool:
        return self.names(key) and matches(docker, self.docker) and matches(ours, self.ours)


def matches(text: str, pattern: str) -> bool:
    """``*`` matches anything; all else is literal (a mount's options hold brackets)."""
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def load(kind: str) -> list[Explained]:
    """The table ``kind``, one of ``KINDS``."""
    entries = tomllib.loads(FILE.read_text("utf-8")).get(kind, [])
    return [Explained(**{**entry, "keys": tuple(entry["keys"])}) for entry in entries]


@dataclass(frozen=True)
class Verdict:
    unexplained: list[str]
    stale: list[str]


def judge(found: Iterable[tuple[str, str, str]], entries: list[Explained]) -> Verdict:
    """``found``: (key, Docker's value, ours) of every difference seen."""
    used: set[Explained] = set()
    unexplained = []
    for key, docker, ours in found:
        covering = {entry for entry in entries if entry.covers(key, docker, ours)}
        used |= covering
        if not covering:
            unexplained.append(f"{key}\n    docker: {docker}\n    ours:   {ours}")
    stale = [f"{entry.keys}: {entry.title}" for entry in entries if entry not in used]
    return Verdict(unexplained, stale)


PAGE = """\
# Isolation, compared with Docker's

What a container may see and do here is what it may see and do with Docker. That is
tested, not promised: one probe (`tests/oracle/probe.sh`) looks at some two hundred
things from inside a container and tries some sixty that it should or should not be
able to do. It runs with many sets of `docker run` flags under this engine and under
the real dockerd on the same machine, through the same `docker` command, and so do
whole sessions at the command line (`tests/oracle/sessions.py`). A difference that is
not in the tables below fails the test, and so does an entry that no longer differs.

The peer is Debian 12's dockerd 20.10. This page is made from
`tests/oracle/differences.toml` by `python -m tests.oracle.explained`; `…` stands for anything.

## What a container sees and may do

{isolation}

## What the commands answer

{commands}

## What raw requests are answered

Many clients speak to the socket themselves (`tests/oracle/asked.py`).

{requests}
"""


def page() -> str:
    """docs/isolation.md, from the entries."""
    return PAGE.format(**{kind: table(load(kind)) for kind in KINDS})


def table(entries: list[Explained]) -> str:
    """The entries as a Markdown table."""
    if not entries:
        return "No difference."
    rows = ["| what | Docker | minidocker | why |", "|---|---|---|---|"]
    for entry in entries:
        cells = (entry.title, code(entry.docker), code(entry.ours), entry.reason)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows)


def code(pattern: str) -> str:
    """A pattern for the reader: what is matched to the letter as code, ``*`` as an ellipsis."""
    text = " ".join(pattern.replace("*", "…").split())
    return text if text in ("…", "") else f"`{text}`"


if __name__ == "__main__":
    PAGE_FILE.write_text(page(), "utf-8")
