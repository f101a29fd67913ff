"""A new image on this machine: a config over layers, one of which may be new.

What import and commit have in common; who calls holds what it brought (``load.Holding``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from minidocker.images.load import Holding
from minidocker.images.progress import EXTRACTING, Meter
from minidocker.images.stack import unpack
from minidocker.images.store import Image, ImageStore
from minidocker.layers.blobs import BlobStore
from minidocker.layers.sources import Ahead, Pieces, pieces_of
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Manifest
from minidocker.oci.reference import Reference


@dataclass(frozen=True)
class Written:
    """An uncompressed layer that has become a blob: its digest is its diff ID.  ``size``: bytes."""

    diff_id: str
    size: int

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(OCI_LAYER, self.diff_id, self.size)


def write_layer(pieces: Iterator[bytes], blobs: BlobStore, hold: Callable[[str], None]) -> Written:
    """The pieces of a tar as a blob.  ``hold(digest)`` is called before it appears."""
    with blobs.writer() as writer, Ahead(Pieces(pieces)) as source:
        for piece in pieces_of(source):
            writer.write(piece)
        hold(writer.digest)
        return Written(writer.commit(), writer.offset)


async def make_image(
    config: ImageConfig,
    layers: Sequence[Descriptor],
    references: Sequence[Reference],
    store: ImageStore,
    held: Holding,
) -> Image:
    """The image of ``config`` over ``layers``, under its names.

    ``layers``: the bottom first, all of them blobs; the last is unpacked if it is not yet.
    Raises ``InvalidParameter`` for a last layer that is no tar, ``SystemFailure``, ``OSError``.
    """
    body = config.to_bytes()
    manifest = Manifest(
        OCI_MANIFEST, Descriptor(OCI_CONFIG, digest_of(body), len(body)), tuple(layers)
    )
    held.hold_layers(config.diff_ids)
    if layers:
        last = len(layers) - 1
        meter = Meter(lambda news: None, "", EXTRACTING, layers[last].size)
        await unpack(layers[last].digest, config.diff_ids, last, store, meter)
    held.hold_blob(manifest.config.digest)
    store.blobs.put(body)
    image = store.add_manifest(manifest.to_bytes(), references)
    for reference in references:
        store.notify("tag", image.id, reference.familiar())
    return image
