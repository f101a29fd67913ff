"""Commit: what a container has changed becomes a layer on its image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from minidocker.errors import InvalidParameter, NotFound
from minidocker.images.load import Holding
from minidocker.images.make import Written, make_image
from minidocker.images.store import Image, ImageStore
from minidocker.layers.changes import diff_layer
from minidocker.oci.image_config import History, ImageConfig, RunDefaults
from minidocker.oci.manifest import Manifest, parse_manifest
from minidocker.oci.reference import Reference


@dataclass(frozen=True)
class Note:
    """What a commit writes down: ``created``: RFC 3339; ``created_by``: the container's command;
    ``container``: its ID; ``container_config``: its Config, as inspect shows it."""

    created: str
    created_by: str = ""
    author: str = ""
    comment: str = ""
    container: str = ""
    container_config: Mapping[str, Any] = field(default_factory=dict)


def changed(upper: Path) -> Iterator[bytes]:
    """The tar of a container's changes, in pieces; none at all when it has changed nothing."""
    return diff_layer(upper) if os.listdir(upper) else iter(())


async def commit(
    parent_id: str,
    layer: Written | None,
    config: RunDefaults,
    note: Note,
    *,
    store: ImageStore,
    held: Holding,
    references: Sequence[Reference] = (),
) -> Image:
    """The image of ``parent_id``'s layers and ``layer`` (None: it has changed nothing).

    ``held`` holds the layer.  The same values give the same image.  Raises ``NotFound`` when
    the parent has been removed.
    """
    parent = store.get(parent_id)
    if parent is None:
        raise NotFound(f"No such image: {parent_id}")
    for blob in parent.blobs:
        held.hold_blob(blob)
    manifest = parse_manifest(store.blobs.read(parent.manifest_digest))
    if not isinstance(manifest, Manifest):
        raise InvalidParameter(f"{parent_id} is no image")
    layers = [*manifest.layers, *([layer.descriptor] if layer else [])]
    made = child_config(parent, layer, config, note)
    return await make_image(made, layers, references, store, held)


def child_config(
    parent: Image, layer: Written | None, config: RunDefaults, note: Note
) -> ImageConfig:
    """The parent's config with one more layer and one more line of history."""
    before = parent.config
    line = History(note.created, note.created_by, note.author, note.comment, layer is None)
    return replace(
        before,
        raw=b"",  # fields that nobody here knows were the parent's own
        created=note.created,
        author=note.author,
        config=config,
        diff_ids=(*before.diff_ids, *([layer.diff_id] if layer else [])),
        history=(*before.history, line),
        parent=parent.id,
        container=note.container,
        container_config=note.container_config,
    )
