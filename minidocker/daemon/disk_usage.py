"""What takes how much of the disk.  Engine API, SystemDataUsage."""

from __future__ import annotations

from typing import Any, Final

from minidocker.daemon import container_look, images
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.errors import InvalidParameter
from minidocker.oci.chain import chain_ids

TYPES: Final = ("container", "image", "volume", "build-cache")


async def show(engine: Engine, request: Request) -> Answer:
    """``type``, again and again; all of them when none is said.

    There are no volumes and no build cache yet: their lists are empty.
    """
    wanted = request.query.get("type", [])
    for each in wanted:
        if each not in TYPES:
            raise InvalidParameter(f"unknown object type: {each}")
    shown: dict[str, Any] = {}
    if "image" in (wanted or TYPES):
        found = engine.images.list()
        shown["LayersSize"] = layers_size(engine)
        shown["Images"] = images.summaries(engine, found, request.version, counted=True)
    if "container" in (wanted or TYPES):
        shown["Containers"] = await container_look.summaries(
            engine, engine.containers.all(), sized=True
        )
    if "volume" in (wanted or TYPES):
        shown["Volumes"] = []
    if "build-cache" in (wanted or TYPES):
        shown["BuildCache"] = []
        if request.version < (1, 42):
            shown["BuilderSize"] = 0
    return json_response(shown)


def layers_size(engine: Engine) -> int:
    """The bytes of all images' layers, each counted once."""
    chains = {chain for image in engine.images.list() for chain in chain_ids(image.config.diff_ids)}
    return sum(engine.layers.size(chain) for chain in chains)
