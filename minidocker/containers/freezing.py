"""Stopping a container's clock, and letting it run again: its cgroup's freezer."""

from __future__ import annotations

import asyncio

from minidocker.containers import state as life
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.errors import SystemFailure


async def freeze_or_thaw(core: Core, container: Container, event: str) -> None:
    """Do to its processes what ``event`` (``life.PAUSE``, ``life.UNPAUSE``) says.

    Raises ``Conflict`` when the state forbids it, also that which it has come to meanwhile:
    with a container's end its cgroup goes.  ``SystemFailure``, ``OSError`` from the kernel.
    """
    container.moved(event)
    cgroup = core.cgroup(container)
    if cgroup is None:
        raise SystemFailure("pausing needs cgroups, and none are mounted on this machine")
    try:
        await asyncio.to_thread(cgroup.freeze if event == life.PAUSE else cgroup.thaw)
    except OSError:
        core.store.get(container.id).moved(event)
        raise
