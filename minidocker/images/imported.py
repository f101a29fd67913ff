"""Import: a tar of files becomes an image of one layer.  Engine API, ImageCreate with fromSrc."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from minidocker.errors import InvalidParameter
from minidocker.images.load import holding
from minidocker.images.make import make_image, write_layer
from minidocker.images.store import Image, ImageStore
from minidocker.images.threads import in_thread
from minidocker.layers.archives import open_archive
from minidocker.layers.sources import Source, pieces_of
from minidocker.layers.tarstream import Limits
from minidocker.oci.image_config import History, ImageConfig, RunDefaults
from minidocker.oci.platform import Platform, host_platform, normalize
from minidocker.oci.reference import Reference


async def import_tar(
    source: Source,
    *,
    store: ImageStore,
    config: RunDefaults,
    created: str,
    message: str = "",
    platform: Platform | None = None,
    references: Sequence[Reference] = (),
    stop: Callable[[], object] = lambda: None,
    limits: Limits | None = None,
) -> Image:
    """The image of the files in ``source``, a tar, compressed or not.

    ``created``: RFC 3339.  ``source`` is read in a thread; ``stop()`` makes a read that waits
    fail.  The same bytes, config and time give the same image.  Raises ``InvalidParameter`` for
    what is no tar, ``SystemFailure``, ``OSError``; nothing is left then.
    """
    most = (limits or Limits()).size
    with holding(store) as held:
        layer = await in_thread(
            lambda: write_layer(_plain(source, most), store.blobs, held.from_thread), stop
        )
        host = normalize(platform or host_platform())
        made = ImageConfig(
            architecture=host.architecture,
            os=host.os,
            variant=host.variant,
            created=created,
            diff_ids=(layer.diff_id,),
            config=config,
            history=(History(created=created, comment=message),),
        )
        image = await make_image(made, [layer.descriptor], references, store, held)
    store.notify("import", image.id, "")
    return image


def _plain(source: Source, most: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces_of(open_archive(source)):
        size += len(piece)
        if size > most:
            raise InvalidParameter(f"the archive unpacks to more than {most} bytes")
        yield piece
