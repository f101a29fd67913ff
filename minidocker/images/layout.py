"""The image store as others see it: an OCI image layout.

``index.json`` lists the manifest of every image under its names, so that
``skopeo inspect oci:DIR:alpine:latest`` and ``umoci unpack --image DIR:alpine:latest``
work while the engine runs.  Images that came with Docker's own manifest type
are listed by an OCI manifest with the same config and layers, for the layout
knows no other.  Pure, but for the atomic write.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minidocker.oci import manifest

REF_NAME = "org.opencontainers.image.ref.name"

OCI_TYPES = {
    manifest.DOCKER_MANIFEST: manifest.OCI_MANIFEST,
    manifest.DOCKER_CONFIG: manifest.OCI_CONFIG,
    manifest.DOCKER_LAYER: manifest.OCI_LAYER,
    manifest.DOCKER_LAYER_GZIP: manifest.OCI_LAYER_GZIP,
    manifest.DOCKER_LAYER_ZSTD: manifest.OCI_LAYER_ZSTD,
    manifest.DOCKER_FOREIGN: manifest.OCI_NONDISTRIBUTABLE,
    manifest.DOCKER_FOREIGN + ".gzip": manifest.OCI_NONDISTRIBUTABLE + "+gzip",
    manifest.DOCKER_FOREIGN + ".zstd": manifest.OCI_NONDISTRIBUTABLE + "+zstd",
}


def as_oci(data: bytes) -> bytes:
    """The OCI manifest that says the same as an image manifest of Docker's type.

    Config, layers and so the image ID stay; the media types, and with them
    the manifest's digest, are others.  An OCI manifest comes back as it is.
    """
    said = json.loads(data)
    oci = said | {
        "config": _retyped(said["config"]),
        "layers": [_retyped(layer) for layer in said["layers"]],
    }
    if "mediaType" in said:
        oci = _retyped(oci)
    return data if oci == said else json.dumps(oci, separators=(",", ":")).encode()


def _retyped(value: Mapping[str, Any]) -> dict[str, Any]:
    kind = value["mediaType"]
    return {**value, "mediaType": OCI_TYPES.get(kind, kind)}


def index_json(images: Iterable[tuple[Mapping[str, Any], Sequence[str]]]) -> bytes:
    """``index.json``: each descriptor once for every name, or once without one.

    ``images``: pairs of a manifest's descriptor (as JSON) and its names.  An image
    without a name is listed too: a collector like umoci's deletes what is not.
    """
    manifests = [
        {**descriptor, "annotations": {REF_NAME: name}} if name else dict(descriptor)
        for descriptor, names in images
        for name in (names or ("",))
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_INDEX,
        "manifests": manifests,
    }
    return json.dumps(index, indent=2).encode() + b"\n"


def write_layout(root: Path, index: bytes) -> None:
    """Make ``root`` an image layout with this index; a reader sees the old one or the new."""
    root.mkdir(parents=True, exist_ok=True)
    _replace(root / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    _replace(root / "index.json", index)


def _replace(path: Path, content: bytes) -> None:
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
