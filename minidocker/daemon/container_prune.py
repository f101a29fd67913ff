"""Removing all containers that do not run.

Engine API: ContainerPrune.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from minidocker.containers import state as life
from minidocker.containers.container import Container
from minidocker.daemon.container_look import disk_usage
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.filters import Filters, labels_pass, parse_filters, until_of
from minidocker.errors import Conflict, MinidockerError

ALLOWED: Final = ("label", "label!", "until")


async def prune(engine: Engine, request: Request) -> Answer:
    """``filters``.  One at a time: a second prune is refused, as by dockerd."""
    filters = parse_filters(request.text("filters"), ALLOWED)
    until = until_of(filters, time.time_ns())
    if engine.pruning.locked():
        raise Conflict("a prune operation is already running")
    deleted: list[str] = []
    reclaimed = 0
    async with engine.pruning:
        for each in engine.containers.all():
            if not chosen(each, filters, until):
                continue
            upper = engine.containers.directory(each.id) / "upper"
            size = await asyncio.to_thread(disk_usage, upper)
            try:
                await engine.containers.remove(each.id)
            except MinidockerError:  # started or gone a moment ago, or its state says why
                continue
            deleted.append(each.id)
            reclaimed += size
        engine.events.publish("container", "prune", "", {"reclaimed": str(reclaimed)})
    return json_response({"ContainersDeleted": deleted or None, "SpaceReclaimed": reclaimed})


def chosen(container: Container, filters: Filters, until: int | None) -> bool:
    """Whether it is to go: it does not run, and the filters say so too."""
    if container.state.running or container.state.status == life.REMOVING:
        return False
    if until is not None and container.created_ns > until:
        return False
    return labels_pass(filters, container.spec.labels)
