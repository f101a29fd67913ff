"""What a container has in its root, seen from outside: what has changed, and all of it.

Both are read from the layers themselves, whether the container runs or not.  The layers
are below whatever is mounted in the container, and nothing in them leads out of them:
a symbolic link is read, never followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from minidocker.containers import state as life
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.errors import Conflict
from minidocker.layers.changes import Change, changes
from minidocker.layers.export import export_layers


class ContainerFiles:
    """``ref`` is as everywhere (``Containers``); all methods are the event loop's."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def changes(self, ref: str) -> list[Change]:
        """What differs from its image, sorted by path."""
        upper, *lowers = self._layers(self._core.store.get(ref))
        return await asyncio.to_thread(changes, Path(upper), [Path(each) for each in lowers])

    def export(self, ref: str) -> Iterator[bytes]:
        """Its whole root as a tar, in pieces, without what is mounted there.

        To be read in a thread: each piece may wait for the disk.  Raises ``Conflict`` for
        a container that is being removed.
        """
        container = self._core.store.get(ref)
        refusal = {life.DEAD: "is Dead", life.REMOVING: "is being removed"}
        if (why := refusal.get(container.state.status)) is not None:
            raise Conflict(f"You cannot export container {container.id} which {why}")
        pieces = export_layers(self._layers(container))
        self._core.publish(container, "export")
        return pieces

    def _layers(self, container: Container) -> list[str]:
        """Its own layer, the engine's, and the image's: topmost first."""
        snapshot = self._core.snapshots.get(container.id, container.diff_ids)
        return [snapshot.upper, *snapshot.lower]
