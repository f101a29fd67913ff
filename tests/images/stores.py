"""A real store in a temporary directory, and samples put into it without a registry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minidocker.images.store import SCHEMA, Image, ImageStore, Notify
from minidocker.layers.store import LayerStore
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.reference import parse_reference
from minidocker.records import open_records
from tests.images.samples import Sample


@contextmanager
def open_store(root: Path, notify: Notify = lambda *_: None) -> Iterator[ImageStore]:
    """The store under ``root``, as a daemon opens it: what was there before is there again."""
    root.mkdir(parents=True, exist_ok=True)
    db = open_records(root / "minidocker.db", [SCHEMA])
    try:
        yield ImageStore(root / "images", LayerStore(root / "layers"), db, notify)
    finally:
        db.close()


def put(store: ImageStore, sample: Sample, names: Iterable[str] = ()) -> Image:
    for blob in sample.blobs.values():
        store.blobs.put(blob)
    config = ImageConfig.from_bytes(sample.config)
    layers = json.loads(sample.manifest)["layers"]
    for index, layer in enumerate(layers):
        digest = layer["digest"]
        store.layers.ensure(config.diff_ids, index, lambda digest=digest: store.blobs.open(digest))
    return store.add_manifest(sample.manifest, map(parse_reference, names))


def content(root: Path) -> tuple[set[str], set[str], set[str]]:
    """(blobs, unpacked layers, half-made things), by file name."""
    images, layers = root / "images", root / "layers"
    blobs = {path.name for path in images.glob("blobs/sha256/*")}
    unpacked = {path.stem for path in layers.glob("*") if not path.name.startswith("new-")}
    half = {path.name for path in (*images.glob("ingest/*"), *layers.glob("new-*"))}
    return blobs, unpacked, half


def entries(root: Path) -> list[tuple[str, str]]:
    """index.json: (name, the manifest's digest) of each entry; "" for those without a name."""
    index: dict[str, Any] = json.loads((root / "images/index.json").read_text())
    key = "org.opencontainers.image.ref.name"
    return [
        (each.get("annotations", {}).get(key, ""), each["digest"]) for each in index["manifests"]
    ]


def listed(root: Path) -> dict[str, str]:
    """``entries`` as name -> digest."""
    return dict(entries(root))
