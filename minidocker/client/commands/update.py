"""``update``: other limits for containers."""

from __future__ import annotations

import sys
from typing import Any

from minidocker.client import specs
from minidocker.client.body import LIMITS
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.life import each
from minidocker.client.run_flags import FLAGS
from minidocker.client.session import Session

UPDATABLE = (
    *("blkio-weight", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime", "cpu-shares"),
    *("cpus", "cpuset-cpus", "cpuset-mems", "kernel-memory", "memory", "memory-reservation"),
    *("memory-swap", "pids-limit", "restart"),
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


UPDATE = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    update,
    tuple(flag for flag in FLAGS if flag.name in UPDATABLE),
    1,
)
