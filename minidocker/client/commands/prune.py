"""``image prune``: asks first, and says what went."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.listing import filters
from minidocker.client.flags import many, switch
from minidocker.client.session import Session
from minidocker.client.units import human_size

DANGLING = "WARNING! This will remove all dangling images."
UNUSED = "WARNING! This will remove all images without at least one container associated to them."


def prune_images(session: Session, values: Values, names: list[str]) -> int:
    """Dangling images, or with ``-a`` all that no container uses."""
    confirm(UNUSED if values["all"] else DANGLING, values["force"])
    wanted = [*values["filter"], f"dangling={'false' if values['all'] else 'true'}"]
    report = session.daemon.ask("POST", "/images/prune", filters=filters(wanted)).json()
    print("\n".join(report_lines(report)))
    return 0


def confirm(warning: str, sure: bool) -> None:
    """Returns when the user wants it.  Raises ``Failed`` when not."""
    if sure:
        return
    print(f"{warning}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failed("image prune has been cancelled")


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """ImagePrune's answer, as the docker command shows it."""
    steps: Sequence[Mapping[str, str]] = report.get("ImagesDeleted") or ()
    lines = [
        f"{'untagged' if 'Untagged' in step else 'deleted'}: {next(iter(step.values()))}"
        for step in steps
    ]
    said = ["Deleted Images:", *lines, ""] if lines else []
    return [*said, f"Total reclaimed space: {human_size(report.get('SpaceReclaimed') or 0)}"]


PRUNE = Verb(
    "[OPTIONS]",
    "Remove unused images",
    prune_images,
    (
        switch("all", "Remove all unused images, not just dangling ones", "a"),
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")'),
        switch("force", "Do not prompt for confirmation", "f"),
    ),
    0,
    0,
)
