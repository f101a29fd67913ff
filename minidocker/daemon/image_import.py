"""Import: a tar in the body, or at a URL, becomes an image.  Engine API, ImageCreate."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Response
from minidocker.daemon.times import rfc3339
from minidocker.daemon.uploads import Body, Say, told
from minidocker.errors import InvalidParameter
from minidocker.images.changes import apply_changes
from minidocker.images.fetch import Remote, fetch
from minidocker.images.imported import import_tar
from minidocker.images.progress import Meter, Progress
from minidocker.images.store import Image
from minidocker.oci.image_config import RunDefaults
from minidocker.oci.platform import Platform, parse_platform
from minidocker.oci.reference import Reference, parse_reference
from minidocker.wire import jsonstream
from minidocker.wire.http import JSON


@dataclass(frozen=True)
class Wish:
    """What is asked for beside the bytes."""

    config: RunDefaults
    message: str
    platform: Platform | None
    references: tuple[Reference, ...]


async def create(engine: Engine, request: Request) -> Answer:
    """``fromSrc`` ("-" is the body), ``repo``, ``tag``, ``message``, ``changes``, ``platform``."""
    source = request.text("fromSrc")
    if request.text("fromImage"):
        raise InvalidParameter("fromImage and fromSrc exclude each other")
    wish = read_wish(request, source)
    if source == "-":
        body = Body(request.chunks)
        image = await _import(engine, body, wish)
        return Response(200, jsonstream.encode({"status": image.id}), JSON)
    url = source if "://" in source else f"http://{source}"
    return await _from_url(engine, url, wish)


async def _from_url(engine: Engine, url: str, wish: Wish) -> Answer:
    """What cannot be reached is an HTTP error; the rest is told as it goes."""
    stack = contextlib.AsyncExitStack()
    remote = await stack.enter_async_context(fetch(url))

    async def work(say: Say) -> None:
        async with stack:
            say({"status": f"Downloading from {url}"})
            image = await _import(engine, Body(_metered(remote, say)), wish)
            say({"status": image.id})

    return told(work)


async def _metered(remote: Remote, say: Say) -> AsyncIterator[bytes]:
    def tell(news: Progress) -> None:
        shown = jsonstream.progress(news.status, "", news.current, news.total)
        say(shown | {"progressDetail": {"current": news.current, "total": news.total}})

    meter, count = Meter(tell, "", "Importing", remote.size), 0
    async for chunk in remote.chunks:
        count += len(chunk)
        meter.at(count)
        yield chunk


async def _import(engine: Engine, body: Body, wish: Wish) -> Image:
    async with body:
        return await import_tar(
            body,
            store=engine.images,
            config=wish.config,
            created=rfc3339(time.time_ns()),
            message=wish.message,
            platform=wish.platform,
            references=wish.references,
            stop=body.stop,
        )


def read_wish(request: Request, source: str) -> Wish:
    """All that can be refused, before a byte is read.  Raises ``InvalidParameter``."""
    platform = request.text("platform")
    return Wish(
        apply_changes(RunDefaults(), request.query.get("changes", [])),
        request.text("message") or f"Imported from {source}",
        parse_platform(platform) if platform else None,
        new_name(request.text("repo"), request.text("tag")),
    )


def new_name(repository: str, tag: str) -> tuple[Reference, ...]:
    """The name of a new image: none, or one with a tag.  Raises ``InvalidParameter``."""
    if not repository:
        return ()
    reference = parse_reference(repository, default_tag=False)
    if reference.digest is not None:
        raise InvalidParameter("cannot import digest reference")
    if tag:
        return (parse_reference(f"{reference.familiar_name()}:{tag}"),)
    return (reference if reference.tag is not None else reference.tagged(),)
