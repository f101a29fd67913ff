"""Images as archives: save and load.

Engine API: ImageGet, ImageGetAll, ImageLoad.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Stream
from minidocker.daemon.pull import message
from minidocker.daemon.uploads import Body, Say, told
from minidocker.errors import InvalidParameter, NotFound
from minidocker.images.load import load as load_images
from minidocker.images.progress import Progress
from minidocker.images.save import Chosen, choose
from minidocker.images.save import save as save_images
from minidocker.images.store import Image, ImageStore
from minidocker.images.threads import pieces_in_thread
from minidocker.oci import fields
from minidocker.oci.platform import Platform, normalize, runs_on


async def save(engine: Engine, request: Request) -> Answer:
    """``GET /images/{name}/get``."""
    return _saved(engine.images, [request.params["name"]], request)


async def save_all(engine: Engine, request: Request) -> Answer:
    """``GET /images/get``; ``names`` may be given again and again."""
    names = [name for name in request.query.get("names", ()) if name]
    if not names:
        raise InvalidParameter("names must not be empty: which images are to be saved?")
    return _saved(engine.images, names, request)


def _saved(store: ImageStore, names: Sequence[str], request: Request) -> Answer:
    chosen = choose(store, names)
    for each in chosen:
        check_platform(each.image, request)
    return Stream(_pieces(store, chosen), "application/x-tar")


async def _pieces(store: ImageStore, chosen: Sequence[Chosen]) -> AsyncIterator[bytes]:
    blobs = [blob for each in chosen for blob in each.image.blobs]
    try:
        with store.claims.holding(blobs):
            async for piece in pieces_in_thread(save_images(store, chosen)):
                yield piece
    finally:
        store.sweep(blobs, ())  # of an image that was removed meanwhile
    for each in chosen:
        store.notify("save", each.image.id, "")


async def load(engine: Engine, request: Request) -> Answer:
    """``POST /images/load``: ``quiet``, ``platform``.

    As dockerd's, a failure is a message of the stream, whatever it was.
    """
    quiet = request.flag("quiet")
    platform = parse_platform_json(request.text("platform"))
    body = Body(request.chunks)

    async def work(say: Say) -> None:
        def progress(news: Progress) -> None:
            if not quiet:
                say(message(news))

        async with body:
            await load_images(
                body,
                store=engine.images,
                platform=platform,
                progress=progress,
                say=lambda line: say({"stream": f"{line}\n"}),
                stop=body.stop,
            )

    return told(work)


def check_platform(image: Image, request: Request) -> None:
    """Raises ``NotFound`` when the image is none of the query's ``platform``."""
    platform, found = parse_platform_json(request.text("platform")), image.config.platform
    if platform is not None and not runs_on(found, platform):
        raise NotFound(
            f"image {image.id} was found but does not provide the specified platform "
            f"({normalize(platform)}): it is for {found}"
        )


def parse_platform_json(text: str) -> Platform | None:
    """``platform`` as JSON ({"os": "linux", "architecture": "arm64"}); None for none.

    Raises ``InvalidParameter``.
    """
    if not text:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameter(f"failed to parse platform: {text!r} is no JSON") from None
    if not isinstance(said, dict):
        raise InvalidParameter(f"failed to parse platform: {text!r} is no object")
    platform = Platform.from_json(fields.child({"platform": said}, "platform"))
    if not platform.os or not platform.architecture:
        raise InvalidParameter("failed to parse platform: it needs os and architecture")
    return platform
