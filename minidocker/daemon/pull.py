"""Pulling an image, and saying how far it is.  Engine API, ImageCreate.

What fails before there is any news is an HTTP error, which the CLI and
``docker run`` depend on; what fails later is the last message of the stream.  A client
that goes away ends the pull.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from minidocker.daemon import image_import
from minidocker.daemon.base_image import base_image, is_base
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Stream
from minidocker.errors import InvalidParameter, MinidockerError
from minidocker.images.auth import Credentials
from minidocker.images.progress import Progress
from minidocker.images.store import Image
from minidocker.oci.platform import Platform, parse_platform
from minidocker.oci.reference import Reference, parse_reference
from minidocker.wire import jsonstream

News = asyncio.Queue[Progress | None]


async def create(engine: Engine, request: Request) -> Answer:
    """``fromImage``, ``tag`` (none: every tag), ``platform``; with ``fromSrc`` it is an import."""
    if request.text("fromSrc"):
        return await image_import.create(engine, request)
    reference = wanted_reference(request.text("fromImage"), request.text("tag"))
    text = request.text("platform")
    platform = parse_platform(text) if text else None
    credentials = parse_auth(request.headers.get("x-registry-auth", ""))
    news: News = asyncio.Queue()
    work: Coroutine[Any, Any, object]
    if is_base(str(reference)):
        work = _make_base(engine, reference, news)
    else:
        work = _pull(engine, reference, platform, credentials, news)
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: news.put_nowait(None))
    try:
        first = await news.get()
    except BaseException:  # cancelled: the client has gone away
        task.cancel()
        raise
    if first is None and (error := _failure(task)) is not None:
        raise error
    return Stream(_messages(task, first, news), close=lambda: _cancel(task))


def _pull(
    engine: Engine,
    reference: Reference,
    platform: Platform | None,
    credentials: Credentials | None,
    news: News,
) -> Coroutine[Any, Any, object]:
    # Imported here: httpx and what it needs are as large as all the rest of the daemon.
    from minidocker.images.pull import pull, pull_every_tag

    one = reference.tag is not None or reference.digest is not None
    return (pull if one else pull_every_tag)(
        reference,
        store=engine.images,
        platform=platform,
        registry=engine.registry,
        auth=credentials,
        progress=news.put_nowait,
    )


async def _make_base(engine: Engine, reference: Reference, news: News) -> Image:
    """In the shape of a pull: nothing is fetched, for it is made of this machine's own tools."""
    news.put_nowait(Progress("", "Making minidocker/base from this machine's own tools"))
    image = await base_image(engine)
    news.put_nowait(Progress("", f"Status: Made {reference.familiar()}"))
    return image


def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()


def _failure(task: asyncio.Task[object]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _messages(
    task: asyncio.Task[object], first: Progress | None, news: News
) -> AsyncIterator[bytes]:
    try:
        told = first
        while told is not None:
            yield jsonstream.encode(message(told))
            told = await news.get()
        error = _failure(task)
        if isinstance(error, MinidockerError):
            yield jsonstream.encode(jsonstream.failure(error.message))
        elif error is not None:
            yield jsonstream.encode(jsonstream.failure(f"{type(error).__name__}: {error}"))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def message(told: Progress) -> dict[str, Any]:
    """One line of news as the CLI draws it.

    The tag's own line ("Pulling from ...") has an ID and no progress.
    """
    shown = jsonstream.progress(told.status, told.id, told.current, told.total)
    if told.status.startswith("Pulling from"):
        shown.pop("progressDetail", None)
    return shown


def wanted_reference(name: str, tag: str) -> Reference:
    """The reference in ``fromImage`` and ``tag``, which may be a digest.  With neither a tag
    nor a digest it means the whole repository.

    Raises ``InvalidParameter`` in Docker's words.
    """
    if not name:
        raise InvalidParameter("fromImage must not be empty: which image is to be pulled?")
    reference = parse_reference(name, default_tag=False)
    if tag:
        if tag.startswith("sha256:"):
            return parse_reference(f"{reference.familiar_name()}@{tag}")
        return parse_reference(f"{reference.familiar_name()}:{tag}")
    return reference


def parse_auth(header: str) -> Credentials | None:
    """``X-Registry-Auth``: base64url of JSON.  What is malformed is as if not sent, as in Docker.

    An ``Authorization`` without user, password or token is none.
    """
    try:
        raw = base64.urlsafe_b64decode(header.encode() + b"=" * (-len(header) % 4))
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    keys = ("username", "password", "identitytoken", "registrytoken")
    values = [value if isinstance(value := said.get(key), str) else "" for key in keys]
    return Credentials(*values) if any(values) else None
