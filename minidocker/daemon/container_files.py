"""The files of a container: what changed, and all of them as a tar.

Engine API: ContainerChanges, ContainerExport.
"""

from __future__ import annotations

from typing import Final

from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Stream, json_response
from minidocker.images.threads import pieces_in_thread

OCTETS: Final = "application/octet-stream"

# Engine API, ChangeType.
KINDS: Final = {"C": 0, "A": 1, "D": 2}


async def changes(engine: Engine, request: Request) -> Answer:
    """Nothing changed is ``null``, as dockerd has it."""
    found = await engine.containers.files.changes(request.params["id"])
    return json_response([{"Path": each.path, "Kind": KINDS[each.kind]} for each in found] or None)


async def export(engine: Engine, request: Request) -> Answer:
    return Stream(pieces_in_thread(engine.containers.files.export(request.params["id"])), OCTETS)
