"""``network connect`` and ``disconnect``: of containers that run, and of those that do not."""

from __future__ import annotations

from dataclasses import replace

from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.network_settle import check_room, settle_attachment
from minidocker.containers.network_spec import Attachment
from minidocker.containers.start import write_name_files
from minidocker.errors import Conflict, MinidockerError
from minidocker.networks.network import Network


async def connect(core: Core, container: Container, asked: Attachment) -> None:
    """Put the container into one more network, at once if it runs.

    Raises ``NotFound``, ``InvalidParameter``, ``Conflict``, ``Forbidden``, ``SystemFailure``;
    then nothing has changed.
    """
    async with core.lock(container.id):
        before = core.store.get(container.id)
        attachment = settle_attachment(asked, core.networking.networks.get)
        check_room(before, attachment)
        after = _with(core, before, (*before.spec.attachments, attachment))
        try:
            await core.networking.connect(after, attachment, _pidfd(core, before))
        except MinidockerError:
            _with(core, before, before.spec.attachments)
            raise
        if before.id in core.runs:
            write_name_files(core, after)


async def disconnect(core: Core, container: Container, network: Network, force: bool) -> None:
    """Take it out of the network, at once if it runs.  ``force``: also if it is not in it."""
    async with core.lock(container.id):
        before = core.store.get(container.id)
        left = tuple(each for each in before.spec.attachments if each.network != network.id)
        if left == before.spec.attachments and not force:
            raise Conflict(f"container {before.id} is not connected to network {network.name}")
        await core.networking.disconnect(before, network, _pidfd(core, before))
        after = _with(core, before, left)
        if before.id in core.runs:
            write_name_files(core, after)


def _pidfd(core: Core, container: Container) -> int | None:
    run = core.runs.get(container.id)
    return run.pidfd if run is not None else None


def _with(core: Core, container: Container, attachments: tuple[Attachment, ...]) -> Container:
    spec = replace(core.store.get(container.id).spec, attachments=attachments)
    return core.store.set_spec(container.id, spec)
