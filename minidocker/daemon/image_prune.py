"""Prune: images that nobody needs go.  Engine API, ImagePrune."""

from __future__ import annotations

import time
from typing import Any, Final

from minidocker.daemon import image_shapes
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.filters import Filters, labels_pass, one_flag, parse_filters, until_of
from minidocker.daemon.images import users
from minidocker.errors import Conflict
from minidocker.images.store import Image, Removed
from minidocker.oci.chain import chain_ids

ALLOWED: Final = ("dangling", "label", "label!", "until")


async def prune(engine: Engine, request: Request) -> Answer:
    """``filters``: by default images without a tag; with ``dangling=false`` all that no
    container uses."""
    filters = parse_filters(request.text("filters"), ALLOWED)
    dangling = one_flag(filters, "dangling", True)
    until = until_of(filters, time.time_ns())
    deleted: list[dict[str, str]] = []
    reclaimed = 0
    for image in engine.images.list():
        if (image.names and dangling) or engine.containers.using_image(image.id):
            continue
        if not passes(image, filters, until):
            continue
        removed, size = _remove(engine, image)
        deleted += [{kind: text} for kind, text in removed]
        reclaimed += size
    engine.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
    return json_response({"ImagesDeleted": deleted or None, "SpaceReclaimed": reclaimed})


def passes(image: Image, filters: Filters, until: int | None) -> bool:
    """Whether the labels and the time are those that are asked for."""
    if until is not None and image_shapes.created_ns(image) > until:
        return False
    return labels_pass(filters, image.config.config.labels)


def _remove(engine: Engine, image: Image) -> tuple[Removed, int]:
    """What was done, and the bytes of layers that are gone."""
    store = engine.images
    sizes: dict[str, int] = {
        chain: engine.layers.size(chain) for chain in chain_ids(image.config.diff_ids)
    }
    removed: Removed = []
    try:
        for name in image.names:
            removed += store.remove(name, force=False, in_use=users(engine))
        if store.get(image.id) is not None:
            removed += store.remove(image.id, force=True, in_use=users(engine))
    except Conflict:  # a container has begun to use it
        pass
    gone: list[Any] = [text for kind, text in removed if kind == "Deleted"]
    return removed, sum(sizes.get(each, 0) for each in gone)
