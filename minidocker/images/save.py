"""Save: images of the store as one tar, in pieces, never in memory as a whole.

Layers go out as they are stored, gzipped or plain, for all loaders take both; so
an image that is loaded again has the same manifest.  Only zstd becomes plain: dockerd
learned to read it in version 23.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from minidocker.errors import NotFound
from minidocker.images import archive
from minidocker.images.layout import as_oci
from minidocker.images.store import Image, ImageStore
from minidocker.layers.compression import compression_of, open_layer
from minidocker.layers.metadata import Metadata
from minidocker.layers.sources import pieces_of
from minidocker.layers.tarheader import BLOCK, DIRTYPE, REGTYPE, Entry
from minidocker.layers.tarwrite import END, content, header
from minidocker.oci.digest import PREFIX
from minidocker.oci.manifest import OCI_LAYER, Manifest, parse_manifest
from minidocker.oci.reference import IMAGE_ID, Reference, parse_reference


@dataclass(frozen=True)
class Chosen:
    """An image to be saved, and those of its tags that go along."""

    image: Image
    references: tuple[Reference, ...] = ()


def choose(store: ImageStore, names: Sequence[str]) -> list[Chosen]:
    """What the names of a ``docker save`` mean, each image once.

    ``alpine:3`` is an image and that tag, ``alpine`` every tag of the repository, an ID or
    a digest an image without names.  Raises ``NotFound``, ``InvalidParameter``.
    """
    chosen: dict[str, list[Reference]] = {}
    images: dict[str, Image] = {}
    for name in names:
        for image, reference in _meant(store, name):
            images[image.id] = image
            tags = chosen.setdefault(image.id, [])
            if reference is not None and reference not in tags:
                tags.append(reference)
    return [Chosen(images[id], tuple(tags)) for id, tags in chosen.items()]


def _meant(store: ImageStore, name: str) -> list[tuple[Image, Reference | None]]:
    digits = name.removeprefix(PREFIX)
    if IMAGE_ID.fullmatch(digits) or digits != name:
        return [(store.resolve(name), None)]
    reference = parse_reference(name, default_tag=False)
    if reference.tag is None and reference.digest is None:
        tags = [each for each in store.in_repository(reference.name) if each.tag is not None]
        found = [(image, each) for each in tags if (image := store.named(each)) is not None]
        return [*found] or [(_by_id(store, name), None)]
    named = store.named(reference)
    if named is None:
        raise NotFound(f"reference does not exist: {reference.familiar()}")
    return [(named, reference if reference.digest is None else None)]


def _by_id(store: ImageStore, name: str) -> Image:
    try:
        return store.resolve(name)
    except NotFound:
        raise NotFound(f"No such image: {name}") from None


def save(store: ImageStore, chosen: Sequence[Chosen]) -> Iterator[bytes]:
    """The archive in pieces.  Whoever reads it holds the images' blobs (``claims``).

    The same images under the same names give the same bytes.  Raises ``NotFound`` for a
    blob that is not there, ``OSError``.
    """
    plain: dict[str, str] = {}  # the digest of a layer written plain -> that of its zstd blob
    images = [_pack(store, each, plain) for each in chosen]
    yield from (_directory("blobs/"), _directory("blobs/sha256/"))
    for digest in archive.blobs_of(images):
        if digest in plain:
            yield from _unpacked(store, digest, plain[digest])
        else:
            size = store.blobs.size(digest)
            yield _file(archive.blob_path(digest), size)
            path = store.blobs.path(digest)
            yield from content(str(path), path.stat(), f"the blob {digest}")
    for name, data in archive.documents(images).items():
        yield _file(name, len(data)) + data + bytes(-len(data) % BLOCK)
    yield END


def _pack(store: ImageStore, chosen: Chosen, plain: dict[str, str]) -> archive.Packed:
    """The image's manifest as it will be in the archive."""
    image = chosen.image
    body = as_oci(store.blobs.read(image.manifest_digest))
    parsed = parse_manifest(body)
    assert isinstance(parsed, Manifest), "the store keeps images"
    said = json.loads(body)
    for layer, diff_id in zip(said["layers"], image.config.diff_ids, strict=True):
        with store.blobs.open(layer["digest"]) as blob:
            if compression_of(blob.read(4)) != "zstd":
                continue
        plain[diff_id] = layer["digest"]
        layer |= {
            "mediaType": OCI_LAYER,
            "digest": diff_id,
            "size": _plain_size(store, layer["digest"]),
        }
    if said != json.loads(body):
        body = json.dumps(said, separators=(",", ":")).encode()
    return archive.Packed(body, image.config.platform, chosen.references)


def _plain_size(store: ImageStore, digest: str) -> int:
    """The bytes of a layer uncompressed: a tar's header has the size before the content."""
    with store.blobs.open(digest) as blob:
        return sum(map(len, pieces_of(open_layer(blob))))


def _unpacked(store: ImageStore, diff_id: str, digest: str) -> Iterator[bytes]:
    size = _plain_size(store, digest)
    yield _file(archive.blob_path(diff_id), size)
    with store.blobs.open(digest) as blob:
        yield from pieces_of(open_layer(blob))
    yield bytes(-size % BLOCK)


def _file(path: str, size: int) -> bytes:
    return header(Entry(path, REGTYPE, Metadata(0o644), size))


def _directory(path: str) -> bytes:
    return header(Entry(path, DIRTYPE, Metadata(0o755)))
