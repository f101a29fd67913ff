"""One blob, from a registry into the store: as often as it takes.

A transfer that is cut goes on where it stopped, with a Range request.  What
arrives is counted, hashed, and becomes visible only when it is what the digest
says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from minidocker.errors import SystemFailure
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import DOWNLOADED, DOWNLOADING, VERIFYING, Meter, Progress, Tell
from minidocker.images.registry_client import Interrupted, Repository, Unreachable
from minidocker.images.threads import in_thread
from minidocker.layers.blobs import BlobStore, BlobWriter
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import short_id

GAIN = 1 << 20  # bytes; a try that brought this much was not in vain


async def fetch_blob(
    repository: Repository,
    descriptor: Descriptor,
    blobs: BlobStore,
    config: RegistryConfig,
    tell: Tell,
) -> None:
    """Bring the blob into ``blobs``; nothing to do when it is there.

    Tries ``config.attempts`` times, each time waiting twice as long, and counts
    anew after a try that brought a good piece.  Raises what the last try raised,
    and then the bytes stay for a later pull to go on with; ``SystemFailure`` when
    they are not what was promised, ``OSError`` when they cannot be stored.
    """
    if blobs.has(descriptor.digest):
        return
    short = short_id(descriptor.digest)
    # In a thread: what an earlier pull left is read and hashed first.
    writer = await in_thread(lambda: blobs.writer(descriptor.digest), undo=BlobWriter.abort)
    try:
        await _receive_all(repository, descriptor, writer, config, tell)
        tell(Progress(short, VERIFYING))
        writer.commit(descriptor.digest)
    except (Interrupted, Unreachable):
        writer.close()
        raise
    finally:
        writer.abort()
    tell(Progress(short, DOWNLOADED))


async def _receive_all(
    repository: Repository,
    descriptor: Descriptor,
    writer: BlobWriter,
    config: RegistryConfig,
    tell: Tell,
) -> None:
    """Receive the rest until there is none."""
    short = short_id(descriptor.digest)
    meter = Meter(tell, short, DOWNLOADING, descriptor.size)
    failures = 0
    while True:
        before = writer.offset
        try:
            return await _receive(repository, descriptor, writer, meter)
        except (Interrupted, Unreachable):
            failures = 1 if writer.offset - before >= GAIN else failures + 1
            if failures >= config.attempts:
                raise
        delay = config.retry_delay * 2 ** (failures - 1)
        seconds = round(delay)
        tell(Progress(short, f"Retrying in {seconds} second{'' if seconds == 1 else 's'}"))
        await asyncio.sleep(delay)


async def _receive(
    repository: Repository, descriptor: Descriptor, writer: BlobWriter, meter: Meter
) -> None:
    """One try.  Raises ``Interrupted`` when the body ends before its time."""
    if writer.offset >= descriptor.size > 0:
        return
    async with repository.blob(descriptor.digest, writer.offset) as (begins, chunks):
        # A server without ranges begins at the beginning: what we have, we skip.
        async for chunk in skip(chunks, writer.offset - begins):
            if writer.offset + len(chunk) > descriptor.size:
                raise SystemFailure(
                    f"the registry sent more than the {descriptor.size} bytes "
                    f"that the blob {descriptor.digest} has"
                )
            writer.write(chunk)
            meter.at(writer.offset)
    if writer.offset < descriptor.size:
        raise Interrupted(
            f"the blob {descriptor.digest} ended after {writer.offset} of {descriptor.size} bytes"
        )


async def skip(chunks: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The chunks without their first ``count`` bytes."""
    async for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))
