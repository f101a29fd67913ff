"""``update``: other limits for containers; ``container prune``: none that stand still."""

from __future__ import annotations

import sys
from typing import Any

from minidocker.client import flags, specs
from minidocker.client.body import LIMITS
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.life import each
from minidocker.client.commands.listing import filters
from minidocker.client.flags import many, switch
from minidocker.client.session import Session
from minidocker.client.units import human_size

UPDATABLE = (
    *("blkio-weight", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime", "cpu-shares"),
    *("cpus", "cpuset-cpus", "cpuset-mems", "kernel-memory", "memory", "memory-reservation"),
    *("memory-swap", "pids-limit", "restart"),
)
WARNING = (
    "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
)


def update(session: Session, values: Values, names: list[str]) -> int:
    """The same change for each; its name is printed when that is done."""
    change: dict[str, Any] = {
        LIMITS[key]: value for key, value in values.items() if key in LIMITS and value is not None
    }
    if values["restart"]:
        change["RestartPolicy"] = specs.parse_restart(values["restart"])
    if not change:
        raise Failed("you must provide one or more flags when using this command")

    def do(name: str) -> str:
        reply = session.daemon.ask("POST", f"/containers/{name}/update", change).json()
        for warning in reply.get("Warnings") or ():
            print(warning, file=sys.stderr)
        return name

    return each(names, do)


def prune(session: Session, values: Values, names: list[str]) -> int:
    """Asks before, but with ``-f``; says what went and how much room that makes."""
    if not values["force"]:
        print(WARNING, end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Failed("container prune has been cancelled")
    chosen = filters(values["filter"])
    answer = session.daemon.ask("POST", "/containers/prune", filters=chosen).json()
    if answer["ContainersDeleted"]:
        print("Deleted Containers:")
        print("\n".join(answer["ContainersDeleted"]))
        print()
    print("Total reclaimed space:", human_size(answer["SpaceReclaimed"]))
    return 0


UPDATE = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Update configuration of one or more containers",
    update,
    tuple(flag for flag in flags.FLAGS if flag.name in UPDATABLE),
    1,
)
PRUNE = Verb(
    "[OPTIONS]",
    "Remove all stopped containers",
    prune,
    (
        many("filter", 'Provide filter values (e.g. "until=<timestamp>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", "f"),
    ),
    0,
    0,
)
