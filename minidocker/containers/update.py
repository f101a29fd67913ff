"""New limits and another restart policy for a container that is there: ``docker update``.

What is refused leaves everything as it was; what is accepted holds now and at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from dataclasses import replace

from minidocker.cgroups.resources import Resources
from minidocker.cgroups.validate import validate_update
from minidocker.containers import state as life
from minidocker.containers.check import check_restart
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.spec import RestartPolicy
from minidocker.errors import Conflict, InvalidParameter, Refused, SystemFailure


async def update(
    core: Core, container: Container, change: Resources, restart: RestartPolicy | None
) -> tuple[str, ...]:
    """Change what ``change`` asks for, and the policy unless it is None; gives warnings.

    Raises ``InvalidParameter`` also for what the kernel takes for nonsense, ``Refused``;
    ``Conflict`` where it contradicts what stays, ``SystemFailure`` when the kernel cannot; all
    with Docker's "Cannot update container".
    """
    if restart is not None:
        check_restart(restart, auto_remove=False)
    async with core.lock(container.id):  # no start goes by half of it
        container = core.store.get(container.id)
        _check_state(container, restart)
        warnings: tuple[str, ...] = ()
        if change == Resources():
            whole = container.spec.resources
        elif core.machine is None:
            raise Refused("limits need cgroups, and none are mounted on this machine")
        else:
            try:
                whole, warnings = validate_update(container.spec.resources, change, core.machine)
            except Conflict as error:
                raise Conflict(f"Cannot update container {container.id}: {error}") from None
        if whole != container.spec.resources and container.id in core.runs:
            await asyncio.to_thread(_write, core, container, whole)
        spec = replace(container.spec, resources=whole, restart=restart or container.spec.restart)
        core.publish(core.store.set_spec(container.id, spec), "update")
    return warnings


def _check_state(container: Container, restart: RestartPolicy | None) -> None:
    cannot = f"Cannot update container {container.id}: "
    if container.state.status in (life.REMOVING, life.DEAD):
        raise Conflict(f'{cannot}container is marked for removal and cannot be "update"')
    if restart is not None and restart.name != "no" and container.spec.auto_remove:
        raise Conflict(
            f"{cannot}Restart policy cannot be updated because AutoRemove is enabled for "
            "the container"
        )


def _write(core: Core, container: Container, whole: Resources) -> None:
    """All or nothing: when the kernel refuses one limit, those before it are set back."""
    cgroup = core.cgroup(container)
    assert cgroup is not None, "without cgroups there are no limits to change"
    try:
        cgroup.update(whole)
    except OSError as error:
        with contextlib.suppress(OSError):
            cgroup.update(container.spec.resources)
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        nonsense = error.errno in (errno.EINVAL, errno.ERANGE)
        kind = InvalidParameter if nonsense else SystemFailure
        raise kind(f"Cannot update container {container.id}: {reason}") from error
