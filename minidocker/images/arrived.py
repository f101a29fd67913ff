"""Which images are in an archive: what a Docker archive and an OCI layout say.

Where the archive is both, the layout is read: it has the manifests themselves.  Pure
but for reading the small files of the archive.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.errors import InvalidParameter, NotFound
from minidocker.images import archive
from minidocker.images.arrival import Contents
from minidocker.images.layout import REF_NAME
from minidocker.layers.compression import compression_of
from minidocker.oci import fields
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.manifest import (
    CONFIG_TYPES,
    LAYER_TYPES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Manifest,
    parse_manifest,
)
from minidocker.oci.platform import Platform, choose, host_platform, runs_on
from minidocker.oci.reference import Reference, parse_reference

DEPTH = 3  # an index may list indexes; nobody needs more of them
SUFFIX = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}


@dataclass(frozen=True)
class Arrived:
    """An image of the archive: every blob of its is there, and the config can be read."""

    manifest: bytes
    parsed: Manifest
    config: ImageConfig
    references: tuple[Reference, ...] = ()

    @property
    def id(self) -> str:
        return self.parsed.config.digest


def find_images(contents: Contents, platform: Platform | None = None) -> list[Arrived]:
    """The images in the archive, in its order.  ``platform``: what they must run on, if said.

    Raises ``InvalidParameter`` for an archive that is none of images, or wrong; ``NotFound`` for
    a missing file, and when an image is there for other platforms only.
    """
    if contents.has(archive.INDEX) and contents.has(archive.LAYOUT):
        found = _oci(contents, platform)
    elif contents.has(archive.MANIFEST):
        found = _docker(contents)
    else:
        raise InvalidParameter("invalid archive: does not contain a manifest.json")
    for each in found:
        _check(each, platform)
    return found


def _check(image: Arrived, platform: Platform | None) -> None:
    config = image.config
    if len(config.diff_ids) != len(image.parsed.layers):
        raise InvalidParameter(
            f"invalid manifest, layers length mismatch: expected {len(config.diff_ids)}, "
            f"got {len(image.parsed.layers)}"
        )
    if config.platform.os != host_platform().os:
        raise InvalidParameter(f"cannot load {config.os} image on {host_platform().os}")
    if platform is not None and not runs_on(config.platform, platform):
        raise NotFound(
            f"image {image.id} was found but does not provide the specified platform ({platform})"
        )


# -- manifest.json


def _docker(contents: Contents) -> list[Arrived]:
    items = _list(contents.read(archive.MANIFEST), archive.MANIFEST)
    return [_docker_image(contents, each) for each in items]


def _docker_image(contents: Contents, item: fields.Object) -> Arrived:
    config_name = fields.text(item, "Config")
    raw = contents.read(config_name)
    config = Descriptor(OCI_CONFIG, digest_of(raw), len(raw))
    layers = tuple(_layer(contents, name) for name in fields.texts(item, "Layers"))
    manifest = Manifest(OCI_MANIFEST, config, layers)
    references = [_tag(each) for each in fields.texts(item, "RepoTags")]
    return Arrived(
        manifest.to_bytes(), manifest, ImageConfig.from_bytes(raw), tuple(dict.fromkeys(references))
    )


def _layer(contents: Contents, name: str) -> Descriptor:
    digest = contents.find(name)
    with contents.blobs.open(digest) as blob:
        kind = OCI_LAYER + SUFFIX[compression_of(blob.read(4))]
    return Descriptor(kind, digest, contents.blobs.size(digest))


def _tag(text: str) -> Reference:
    reference = parse_reference(text, default_tag=False)
    if reference.tag is None or reference.digest is not None:
        raise InvalidParameter(f'invalid tag "{text}"')
    return reference


# -- index.json


def _oci(contents: Contents, platform: Platform | None) -> list[Arrived]:
    index = fields.load_object(contents.read(archive.INDEX), archive.INDEX)
    found: dict[str, Arrived] = {}
    names: dict[str, list[Reference]] = {}
    for entry in map(Descriptor.from_json, fields.children(index, "manifests")):
        image = _oci_image(contents, entry, platform, DEPTH)
        found.setdefault(image.id, image)
        names.setdefault(image.id, []).extend(name_of(entry.annotations))
    return [
        Arrived(each.manifest, each.parsed, each.config, tuple(dict.fromkeys(names[id])))
        for id, each in found.items()
    ]


def name_of(annotations: fields.Object) -> list[Reference]:
    """The name that an entry of ``index.json`` gives its image: none or one.

    containerd's annotation has it whole.  OCI's own is mostly only a tag, which names nothing;
    some tools write a whole name into it.
    """
    whole, ref = str(annotations.get(archive.CONTAINERD_NAME, "")), annotations.get(REF_NAME, "")
    if not whole and any(mark in str(ref) for mark in ":/"):
        whole = str(ref)
    try:
        reference = parse_reference(whole) if whole else None
    except InvalidParameter:
        return []
    return [reference] if reference is not None and reference.digest is None else []


def _oci_image(
    contents: Contents, entry: Descriptor, platform: Platform | None, depth: int
) -> Arrived:
    body = _verified(contents, entry)
    said = parse_manifest(body, entry.media_type)
    if not isinstance(said, Manifest):
        if depth == 0:
            raise InvalidParameter("invalid archive: an index of indexes of indexes")
        # What an index lists for other platforms need not be in the archive.
        there = [each for each in said.manifests if contents.has(archive.blob_path(each.digest))]
        chosen = choose(there, platform or host_platform())
        return _oci_image(contents, chosen, platform, depth - 1)
    for layer in said.layers:
        if layer.media_type not in LAYER_TYPES:
            raise InvalidParameter(f'unsupported layer media type "{layer.media_type}"')
        _exists(contents, layer)
    if said.config.media_type not in CONFIG_TYPES:
        raise InvalidParameter(
            f'unsupported config media type "{said.config.media_type}": this is no container image'
        )
    return Arrived(body, said, ImageConfig.from_bytes(_verified(contents, said.config)))


def _verified(contents: Contents, descriptor: Descriptor) -> bytes:
    _exists(contents, descriptor)
    return contents.read(archive.blob_path(descriptor.digest))


def _exists(contents: Contents, descriptor: Descriptor) -> None:
    """The blob is in the archive, and is what its name says: so it is in the store."""
    name = archive.blob_path(descriptor.digest)
    if contents.find(name) != descriptor.digest:
        raise InvalidParameter(f"invalid archive: {name} is not what its name says")
    if contents.blobs.size(descriptor.digest) != descriptor.size:
        raise InvalidParameter(f"invalid archive: {name} has not {descriptor.size} bytes")


def _list(data: bytes, what: str) -> Sequence[dict[str, Any]]:
    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"invalid {what}: it is no JSON: {error}") from None
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise InvalidParameter(f"invalid {what}: a list of objects is wanted")
    return items
