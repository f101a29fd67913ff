"""Looking at containers: list, inspect, top, stats, and the trace of a start.

Engine API: ContainerList, ContainerInspect, ContainerTop, ContainerStats.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from minidocker.containers.container import Container
from minidocker.daemon import container_shapes, stats_shapes
from minidocker.daemon.container_filters import ALLOWED, choose
from minidocker.daemon.container_shapes import Around
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Stream, json_line, json_response
from minidocker.daemon.filters import parse_filters
from minidocker.daemon.stats_shapes import Sample
from minidocker.errors import InvalidParameter, MinidockerError

PERIOD = 1.0  # seconds between two samples


async def listing(engine: Engine, request: Request) -> Answer:
    """``all``, ``limit``, ``size`` and ``filters``."""
    chosen = choose(
        engine.containers.all(),
        parse_filters(request.text("filters"), ALLOWED),
        everything=request.flag("all"),
        limit=request.number("limit") or 0,
        lookup=engine.containers.get,
        image_ids=lambda ref: descendants(engine, ref),
        place_of=engine.place_of,
    )
    return json_response(await summaries(engine, chosen, sized=request.flag("size")))


async def summaries(engine: Engine, chosen: Sequence[Container], sized: bool) -> list[object]:
    """The objects of ContainerList; ``sized``: with SizeRw and SizeRootFs."""
    now = time.time_ns()
    return [
        container_shapes.summary(
            each,
            image_name(engine, each),
            engine.place_of(each),
            now,
            await _around(engine, each, sized=True) if sized else None,
        )
        for each in chosen
    ]


def descendants(engine: Engine, ref: str) -> frozenset[str]:
    """The IDs of the image ``ref`` and of all that were made from it."""
    try:
        found = {engine.images.resolve(ref).id}
    except MinidockerError:  # an ancestor that is not there has no descendants
        return frozenset()
    images, before = engine.images.list(), 0
    while len(found) > before:
        before = len(found)
        found |= {each.id for each in images if each.config.parent in found}
    return frozenset(found)


def image_name(engine: Engine, container: Container) -> str:
    """The image as the user named it, while that name still means this image; else its ID."""
    named = container.spec.image
    try:
        still = engine.images.resolve(named).id == container.image_id
    except MinidockerError:  # untagged or removed meanwhile
        still = False
    return named if still else container.image_id


async def inspect(engine: Engine, request: Request) -> Answer:
    container = engine.containers.get(request.params["id"])
    around = await _around(engine, container, sized=request.flag("size"))
    return json_response(container_shapes.inspect(container, around))


async def _around(engine: Engine, container: Container, sized: bool) -> Around:
    directory = engine.containers.directory(container.id)
    size_rw = size_root = None
    if sized:
        size_rw = await asyncio.to_thread(disk_usage, directory / "upper")
        try:
            size_root = size_rw + engine.images.resolve(container.image_id).size
        except MinidockerError:  # the image was removed by force
            size_root = size_rw
    return Around(
        directory=directory,
        log_path=engine.containers.log_path(container.id),
        place=engine.place_of(container),
        host_name=os.uname().nodename,
        lower=engine.layer_directories(container.diff_ids),
        exec_ids=engine.containers.execs_of(container.id),
        size_rw=size_rw,
        size_root=size_root,
    )


def disk_usage(root: Path) -> int:
    """The bytes of all files below ``root``, each inode once; what vanishes is nothing."""
    total, seen, folders = 0, set(), [str(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif found.st_ino not in seen:
                        seen.add(found.st_ino)
                        total += found.st_size
        except OSError:
            continue
    return total


async def top(engine: Engine, request: Request) -> Answer:
    titles, rows = await engine.containers.top(
        request.params["id"], request.text("ps_args") or "-ef"
    )
    return json_response({"Titles": titles, "Processes": rows})


async def trace(engine: Engine, request: Request) -> Answer:
    """What the last start did, step by step (this engine's own)."""
    return json_response(engine.containers.trace(request.params["id"]))


async def stats(engine: Engine, request: Request) -> Answer:
    """``stream=0`` waits for a second sample, unless ``one-shot=1``."""
    container = engine.containers.get(request.params["id"])
    if request.flag("stream", default=True):
        if request.flag("one-shot"):
            raise InvalidParameter("cannot have stream=1 and one-shot=1")
        return Stream(_samples(engine, container))
    first = sample(engine, container)
    if request.flag("one-shot") or first is None:
        return json_response(stats_shapes.shape(container, first, None))
    await asyncio.sleep(PERIOD)
    return json_response(stats_shapes.shape(container, sample(engine, container), first))


async def _samples(engine: Engine, container: Container) -> AsyncIterator[bytes]:
    """One a second, until the client has enough or the container is removed."""
    before: Sample | None = None
    while True:
        try:
            now = sample(engine, container)
        except MinidockerError:  # removed
            return
        yield json_line(stats_shapes.shape(container, now, before))
        before = now
        await asyncio.sleep(PERIOD)


def sample(engine: Engine, container: Container) -> Sample | None:
    """What it has used until now; None when it does not run."""
    used = engine.containers.stats(container.id)
    if used is None:
        return None
    system = stats_shapes.system_cpu_ns(Path("/proc/stat").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Sample(used, time.time_ns(), system, os.cpu_count() or 1, memory)
