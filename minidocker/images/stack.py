"""The layers of one image: several downloads at once, unpacked in order from the bottom.

A layer is looked at through those below it when it is unpacked, so unpacking
waits for its turn, while the layers above are still coming.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from minidocker.errors import MinidockerError, SystemFailure
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import (
    DOWNLOADED,
    EXISTS,
    EXTRACTING,
    PULLED,
    PULLING_LAYER,
    WAITING,
    Meter,
    Progress,
    Tell,
)
from minidocker.images.registry_client import Repository
from minidocker.images.store import ImageStore
from minidocker.images.threads import in_thread
from minidocker.images.transfer import fetch_blob
from minidocker.layers.compression import open_layer
from minidocker.layers.sources import Hashed, pieces_of
from minidocker.oci.chain import chain_ids
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import short_id


@dataclass(frozen=True)
class Layer:
    """``index``: 0 is the bottom.  ``there``: as a blob and unpacked, before the pull."""

    index: int
    descriptor: Descriptor
    diff_id: str
    chain_id: str
    there: bool

    @property
    def short(self) -> str:
        return short_id(self.descriptor.digest)


async def bring_layers(
    repository: Repository,
    descriptors: Sequence[Descriptor],
    diff_ids: Sequence[str],
    store: ImageStore,
    registry: RegistryConfig,
    tell: Tell,
) -> None:
    """Have every layer as a blob and unpacked; ``registry.layers_at_once`` come at a time.

    The first failure ends all, and is raised.  When this returns or raises, no
    task and no thread is at work any more.
    """
    layers = plan_layers(descriptors, diff_ids, store)
    slots = asyncio.Semaphore(registry.layers_at_once)

    async def download(layer: Layer) -> None:
        if slots.locked():
            tell(Progress(layer.short, WAITING))
        async with slots, store.claims.alone(layer.descriptor.digest):
            if store.blobs.has(layer.descriptor.digest):
                tell(Progress(layer.short, DOWNLOADED))
            await fetch_blob(repository, layer.descriptor, store.blobs, registry, tell)

    for layer in layers:
        tell(Progress(layer.short, EXISTS if layer.there else PULLING_LAYER))
    try:
        async with asyncio.TaskGroup() as group:
            coming = [
                (each, group.create_task(download(each))) for each in layers if not each.there
            ]
            for layer, task in coming:
                await task
                async with store.claims.alone(layer.chain_id):
                    await _unpack(layer, diff_ids, store, tell)
                tell(Progress(layer.short, PULLED))
    except BaseExceptionGroup as errors:
        raise first_of(errors) from None


def plan_layers(
    descriptors: Sequence[Descriptor], diff_ids: Sequence[str], store: ImageStore
) -> list[Layer]:
    """The layers of a manifest and a config, matched, the bottom first."""
    rows = zip(descriptors, diff_ids, chain_ids(diff_ids), strict=True)
    return [
        Layer(
            index,
            descriptor,
            diff_id,
            chain,
            there=store.blobs.has(descriptor.digest) and store.layers.has(chain),
        )
        for index, (descriptor, diff_id, chain) in enumerate(rows)
    ]


async def _unpack(layer: Layer, diff_ids: Sequence[str], store: ImageStore, tell: Tell) -> None:
    meter = Meter(tell, layer.short, EXTRACTING, layer.descriptor.size)
    await unpack(layer.descriptor.digest, diff_ids, layer.index, store, meter)


async def unpack(
    digest: str, diff_ids: Sequence[str], index: int, store: ImageStore, meter: Meter
) -> None:
    """Have the blob ``digest`` unpacked as the layer ``diff_ids[index]``, in a thread.

    The caller holds both.  Raises what ``LayerStore.ensure`` does; ``SystemFailure`` too when
    the layer is there already, and the blob is another one.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def open_blob() -> BinaryIO:
        def at(count: int) -> None:
            loop.call_soon_threadsafe(meter.at, count)

        return cast(BinaryIO, Watched(store.blobs.open(digest), stop, at))

    def work() -> None:
        if store.layers.has(chain_ids(diff_ids[: index + 1])[-1]):
            # Unpacked from other bytes, of another compression: are these the same layer?
            check_diff_id(open_blob, diff_ids[index])
        else:
            store.layers.ensure(diff_ids, index, open_blob)

    await in_thread(work, stop.set)


def check_diff_id(open_blob: Callable[[], BinaryIO], diff_id: str) -> None:
    """Raises ``SystemFailure`` when the blob's uncompressed bytes have another digest."""
    with open_blob() as blob:
        plain = Hashed(open_layer(blob))
        for _ in pieces_of(plain):
            pass
    if plain.digest != diff_id:
        raise SystemFailure(
            f"the layer is not what the image says: its diff ID is {plain.digest}, not {diff_id}"
        )


class Stopped(MinidockerError):
    """The pull was cancelled; nobody gets to see this."""


class Watched(io.BufferedReader):
    """A file that tells how far it was read (from the reader's thread), and ends when
    ``stop`` is set: its next ``read`` raises ``Stopped``."""

    def __init__(self, file: BinaryIO, stop: threading.Event, at: Callable[[int], None]) -> None:
        super().__init__(cast(io.RawIOBase, file))
        self._stop = stop
        self._at = at
        self._count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped("the pull was cancelled")
        data = super().read(size)
        self._count += len(data)
        self._at(self._count)
        return data


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in the group that is none itself."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
