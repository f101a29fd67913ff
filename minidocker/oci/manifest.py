"""Manifests: an image is a config and layers; an index is a choice of images.

OCI's and Docker's (schema 2) say the same under other media types.  What a
registry sends is checked here before anything believes it.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minidocker.errors import InvalidParameter
from minidocker.oci import fields
from minidocker.oci.descriptor import Descriptor

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = DOCKER_LAYER + ".gzip"
DOCKER_LAYER_ZSTD = DOCKER_LAYER + ".zstd"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"

DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"

MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
CONFIG_TYPES = (OCI_CONFIG, DOCKER_CONFIG)
LAYER_TYPES = (
    *(OCI_LAYER + suffix for suffix in ("", "+gzip", "+zstd")),
    *(OCI_NONDISTRIBUTABLE + suffix for suffix in ("", "+gzip", "+zstd")),
    *(DOCKER_LAYER + suffix for suffix in ("", ".gzip", ".zstd")),
    *(DOCKER_FOREIGN + suffix for suffix in ("", ".gzip", ".zstd")),
)
# What a client sends as ``Accept``
ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))


@dataclass(frozen=True)
class Manifest:
    """One image: ``layers`` has the bottom first."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def to_bytes(self) -> bytes:
        return _to_bytes(
            self.media_type,
            {
                "config": self.config.to_json(),
                "layers": [layer.to_json() for layer in self.layers],
            },
            self.annotations,
        )


@dataclass(frozen=True)
class Index:
    """Several images (or indexes) of one name, mostly one for each platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def to_bytes(self) -> bytes:
        return _to_bytes(
            self.media_type,
            {"manifests": [each.to_json() for each in self.manifests]},
            self.annotations,
        )


def parse_manifest(data: bytes, media_type: str = "") -> Manifest | Index:
    """What the bytes say.  ``media_type``: as the server calls them, "" if it does not.

    Raises ``InvalidParameter``: no JSON, an unknown or contradictory type, a
    field missing or of another type, a digest that is none.
    """
    source = fields.load_object(data, "manifest")
    kind = manifest_type(source, media_type)
    if fields.number(source, "schemaVersion") != 2:
        raise InvalidParameter(
            f'invalid manifest: "schemaVersion" must be 2, not {source.get("schemaVersion")}'
        )
    annotations = fields.pairs(source, "annotations")
    if kind in INDEX_TYPES:
        entries = fields.children(source, "manifests")
        return Index(kind, tuple(map(Descriptor.from_json, entries)), annotations)
    layers = tuple(map(Descriptor.from_json, fields.children(source, "layers")))
    config = Descriptor.from_json(fields.child(source, "config"))
    return Manifest(kind, config, layers, annotations)


def manifest_type(source: fields.Object, claimed: str = "") -> str:
    """The one media type that a manifest can have; ``claimed``: the server's word.

    The bytes alone must decide what they are, or one digest would mean two
    things: so nothing may look like both a manifest and an index, and the
    server may not contradict (GHSA-mc8v-mgrf-8f4m).
    """
    said = fields.text(source, "mediaType")
    if any(kind.startswith(DOCKER_SCHEMA_1) for kind in (said, claimed)):
        raise InvalidParameter(
            f'media type "{said or claimed}" is no longer supported: '
            "the image must be pushed again by a newer client"
        )
    image, index = "config" in source or "layers" in source, "manifests" in source
    if image and index:
        raise InvalidParameter("invalid manifest: it is both a manifest and an index")
    known = MANIFEST_TYPES if image else INDEX_TYPES
    if not said:
        # Docker's types always name themselves; OCI's may leave it to the server.
        said = claimed if claimed in known else known[0]
    if said not in known or not (image or index):
        raise InvalidParameter(f'invalid manifest: unsupported media type "{said}"')
    if claimed in (*MANIFEST_TYPES, *INDEX_TYPES) and claimed != said:
        raise InvalidParameter(f'invalid manifest: it is "{said}", and was sent as "{claimed}"')
    return said


def _to_bytes(media_type: str, said: dict[str, Any], annotations: Mapping[str, str]) -> bytes:
    value = {"schemaVersion": 2, "mediaType": media_type, **said}
    if annotations:
        value["annotations"] = dict(annotations)
    return json.dumps(value, separators=(",", ":")).encode()
