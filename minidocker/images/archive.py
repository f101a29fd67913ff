"""An archive of images, as ``docker save`` writes it since version 25: two formats in one tar.

It is a Docker archive (``manifest.json`` names each image's config, layers and tags)
and an OCI image layout (``index.json`` lists manifests), over the same blobs.  So
older dockerds, newer ones, skopeo, umoci and podman each find what they look for.
Pure: what is in the tar and in which order; ``save`` fetches the bytes.

https://github.com/moby/moby/blob/master/image/spec/spec.md
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.images.layout import REF_NAME
from minidocker.oci.digest import digest_of, hex_of
from minidocker.oci.manifest import OCI_INDEX, OCI_MANIFEST, Manifest, parse_manifest
from minidocker.oci.platform import Platform
from minidocker.oci.reference import Reference

MANIFEST = "manifest.json"
INDEX = "index.json"
LAYOUT = "oci-layout"
REPOSITORIES = "repositories"
CONTAINERD_NAME = "io.containerd.image.name"


@dataclass(frozen=True)
class Packed:
    """One image of an archive.

    ``manifest``: the bytes of its OCI manifest.  ``references``: the tags that go along.
    """

    manifest: bytes
    platform: Platform
    references: tuple[Reference, ...] = ()

    @property
    def parsed(self) -> Manifest:
        found = parse_manifest(self.manifest)
        assert isinstance(found, Manifest)
        return found


def blob_path(digest: str) -> str:
    """Where a blob is in the archive: "blobs/sha256/<hex>"."""
    return f"blobs/sha256/{hex_of(digest)}"


def blobs_of(images: Sequence[Packed]) -> list[str]:
    """The digest of every blob, manifests apart; each once, in the tar's order."""
    found = {each.parsed.config.digest for each in images}
    found |= {layer.digest for each in images for layer in each.parsed.layers}
    return sorted(found)


def documents(images: Sequence[Packed]) -> dict[str, bytes]:
    """The small files of the archive, by their names in it: manifests, and the four lists."""
    manifests = {blob_path(digest_of(each.manifest)): each.manifest for each in images}
    lists = {
        INDEX: _json(index(images)),
        MANIFEST: _json([docker_entry(each) for each in images]),
        LAYOUT: b'{"imageLayoutVersion":"1.0.0"}',
    }
    if found := repositories(images):
        lists[REPOSITORIES] = _json(found)
    return manifests | lists


def docker_entry(image: Packed) -> dict[str, Any]:
    """The image's object in ``manifest.json``."""
    parsed = image.parsed
    return {
        "Config": blob_path(parsed.config.digest),
        "RepoTags": [each.familiar() for each in image.references] or None,
        "Layers": [blob_path(layer.digest) for layer in parsed.layers],
    }


def repositories(images: Sequence[Packed]) -> dict[str, dict[str, str]]:
    """``repositories``, for the loaders of before 2015: repository -> tag -> topmost layer."""
    found: dict[str, dict[str, str]] = {}
    for image in images:
        layers = image.parsed.layers
        for reference in image.references if layers else ():
            tags = found.setdefault(reference.familiar_name(), {})
            tags[reference.tag or ""] = hex_of(layers[-1].digest)
    return found


def index(images: Sequence[Packed]) -> dict[str, Any]:
    """``index.json``: each image once for every tag, or once without one."""
    entries = []
    for image in images:
        descriptor = {
            "mediaType": OCI_MANIFEST,
            "digest": digest_of(image.manifest),
            "size": len(image.manifest),
            "platform": image.platform.to_json(),
        }
        for reference in image.references:
            names = {CONTAINERD_NAME: str(reference), REF_NAME: reference.tag}
            entries.append({**descriptor, "annotations": names})
        if not image.references:
            entries.append(descriptor)
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
