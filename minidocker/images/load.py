"""Load: an archive becomes images of the store.

All of the archive is received before any of it is believed; then each image's layers
are unpacked, which checks their diff IDs, and last it gets its names.  What
comes to nothing is swept away again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from minidocker.images.arrival import receive
from minidocker.images.arrived import Arrived, find_images
from minidocker.images.progress import LOADING, Meter, Tell
from minidocker.images.stack import unpack
from minidocker.images.store import ImageStore
from minidocker.images.threads import in_thread
from minidocker.layers.sources import Source
from minidocker.oci.chain import chain_ids
from minidocker.oci.digest import short_id
from minidocker.oci.platform import Platform

Say = Callable[[str], None]


class Holding:
    """Blobs and layers that nobody sweeps away while work goes on; see ``claims``."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._stack = ExitStack()
        self.blobs: list[str] = []
        self.chains: list[str] = []

    def hold_blob(self, digest: str) -> None:
        self.blobs.append(digest)
        self._stack.enter_context(self._store.claims.holding([digest]))

    def hold_layers(self, diff_ids: tuple[str, ...]) -> None:
        chains = chain_ids(diff_ids)
        self.chains += chains
        self._stack.enter_context(self._store.claims.holding(chains))

    def from_thread(self, digest: str) -> None:
        """``hold_blob``, called in another thread; returns when it is done."""

        async def hold() -> None:
            self.hold_blob(digest)

        asyncio.run_coroutine_threadsafe(hold(), self._loop).result()

    def close(self) -> None:
        """Let go, and sweep away what has become nobody's."""
        self._stack.close()
        self._store.sweep(self.blobs, self.chains)


@contextmanager
def holding(store: ImageStore) -> Iterator[Holding]:
    """What is held in the block and belongs to no image at its end is gone then."""
    held = Holding(store)
    try:
        yield held
    finally:
        held.close()


async def load(
    source: Source,
    *,
    store: ImageStore,
    platform: Platform | None = None,
    progress: Tell = lambda news: None,
    say: Say = lambda line: None,
    stop: Callable[[], object] = lambda: None,
) -> list[str]:
    """The images of the archive in ``source``; their IDs.

    ``source`` is read in a thread; ``stop()`` makes a read that waits fail, when the task is
    cancelled.  ``say`` hears "Loaded image: alpine:latest".  Raises as ``receive`` and
    ``find_images`` do, and ``SystemFailure`` for a layer with another diff ID.
    """
    with holding(store) as held:
        contents = await in_thread(lambda: receive(source, store.blobs, held.from_thread), stop)
        images = await in_thread(lambda: find_images(contents, platform))
        for image in images:
            held.hold_layers(image.config.diff_ids)
            if store.get(image.id) is None:
                await _load_layers(image, store, progress)
            _name(image, store, held, say)
    return [image.id for image in images]


async def _load_layers(image: Arrived, store: ImageStore, tell: Tell) -> None:
    diff_ids = image.config.diff_ids
    for index, layer in enumerate(image.parsed.layers):
        async with store.claims.alone(chain_ids(diff_ids)[index]):
            meter = Meter(tell, short_id(diff_ids[index]), LOADING, layer.size)
            await unpack(layer.digest, diff_ids, index, store, meter)


def _name(image: Arrived, store: ImageStore, held: Holding, say: Say) -> None:
    """The image is there from now on, and its names are its own."""
    for reference in image.references:
        before = store.named(reference)
        if before is not None and before.id != image.id:
            say(
                f"The image {reference.familiar()} already exists, renaming the old one with ID "
                f"{before.id} to empty string"
            )
    store.add_manifest(image.manifest, image.references)
    for reference in image.references:
        say(f"Loaded image: {reference.familiar()}")
    if not image.references:
        say(f"Loaded image ID: {image.id}")
    store.notify("load", image.id, "")
