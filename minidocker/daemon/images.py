"""Images: list, inspect, history, tag, remove.

Engine API: ImageList, ImageInspect, ImageHistory, ImageTag, ImageDelete.
"""

from __future__ import annotations

import fnmatch
import re
import time
from collections import Counter
from dataclasses import replace
from typing import Any, Final

from minidocker.daemon import image_shapes
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Response, json_response
from minidocker.daemon.filters import Filters, labels_match, one_flag, parse_filters, parse_time
from minidocker.daemon.image_archives import check_platform
from minidocker.errors import InvalidParameter, Refused
from minidocker.images.store import Image, InUse
from minidocker.oci.chain import chain_ids
from minidocker.oci.reference import parse_reference

ALLOWED: Final = ("before", "dangling", "label", "reference", "since", "until")
MANIFESTS: Final = "manifests: this engine keeps the manifest of one platform of an image"


async def listing(engine: Engine, request: Request) -> Answer:
    """``all`` hides nothing here: an image has no nameless parents.  Nor do ``digests``: they
    are always shown."""
    if request.flag("manifests"):
        raise Refused(MANIFESTS)
    filters = parse_filters(request.text("filters"), ALLOWED)
    chosen = choose(engine, engine.images.list(), filters, time.time_ns())
    return json_response(summaries(engine, chosen, request.version, request.flag("shared-size")))


def summaries(
    engine: Engine, chosen: list[Image], version: tuple[int, int], counted: bool
) -> list[dict[str, Any]]:
    """The objects of ImageList, newest first; ``counted``: with SharedSize and Containers."""
    uses = Counter(each.image_id for each in engine.containers.all())
    return [
        image_shapes.summary(
            each,
            uses[each.id] if counted else -1,
            version,
            shared_size(engine, each) if counted else -1,
            parent_of(engine, each),
        )
        for each in sorted(chosen, key=image_shapes.created_ns, reverse=True)
    ]


def parent_of(engine: Engine, image: Image) -> str:
    """The ID of the image that it was made from; "" when that is not here, or not any more."""
    parent = engine.images.get(image.config.parent)
    return parent.id if parent else ""


def shared_size(engine: Engine, image: Image) -> int:
    """The bytes of its layers that another image has as well."""
    users = Counter(
        chain for each in engine.images.list() for chain in set(chain_ids(each.config.diff_ids))
    )
    return sum(
        engine.layers.size(chain) for chain in chain_ids(image.config.diff_ids) if users[chain] > 1
    )


def choose(engine: Engine, images: list[Image], filters: Filters, now_ns: int) -> list[Image]:
    """Those that pass; raises ``NotFound`` for a ``before`` or ``since`` that is not there."""
    before = [image_shapes.created_ns(engine.images.resolve(r)) for r in filters.get("before", ())]
    since = [image_shapes.created_ns(engine.images.resolve(r)) for r in filters.get("since", ())]
    before += [parse_time(text, now_ns) for text in filters.get("until", ())]
    dangling = one_flag(filters, "dangling", False) if "dangling" in filters else None
    if "reference" in filters:  # of an image with several names, only those that match
        named = [(each, matching(filters["reference"], each.names)) for each in images]
        images = [narrowed(each, names) for each, names in named if names]
    return [
        each
        for each in images
        if all(image_shapes.created_ns(each) < moment for moment in before)
        and all(image_shapes.created_ns(each) > moment for moment in since)
        and (dangling is None or dangling == (not each.names))
        and ("label" not in filters or labels_match(filters["label"], each.config.config.labels))
    ]


def narrowed(image: Image, names: tuple[str, ...]) -> Image:
    """As if it had these names only."""
    bare = {name.rpartition(":")[0] for name in names}
    digests = tuple(each for each in image.repo_digests if each.partition("@")[0] in bare)
    return replace(image, names=names, repo_digests=digests)


def matching(patterns: frozenset[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that one of the patterns means.

    ``alpine``, ``alpine:3*``, ``*/app``: a pattern without a tag means any tag.

    As Go's path.Match, where ``*`` stops at a slash (reference.FamiliarMatch).
    """
    return tuple(
        name
        for name in names
        if any(_glob(p, name) or _glob(p, name.rpartition(":")[0]) for p in patterns)
    )


def _glob(pattern: str, name: str) -> bool:
    parts, names = pattern.split("/"), name.split("/")
    return len(parts) == len(names) and all(
        re.match(fnmatch.translate(part), each) for part, each in zip(parts, names, strict=True)
    )


async def inspect(engine: Engine, request: Request) -> Answer:
    if request.flag("manifests"):
        raise Refused(MANIFESTS)
    image = engine.images.resolve(request.params["name"])
    check_platform(image, request)
    lower, parent = engine.layer_directories(image.config.diff_ids), parent_of(engine, image)
    return json_response(image_shapes.inspect(image, lower, request.version, parent))


async def history(engine: Engine, request: Request) -> Answer:
    image = engine.images.resolve(request.params["name"])
    check_platform(image, request)
    sizes = [engine.layers.size(chain) for chain in chain_ids(image.config.diff_ids)]
    return json_response(image_shapes.history(image, sizes))


async def tag(engine: Engine, request: Request) -> Answer:
    """``sha256`` is no name: ``sha256:0123...`` would be an image's ID and a tag's name."""
    repository, tag = request.text("repo"), request.text("tag")
    if not repository:
        raise InvalidParameter("repo must not be empty: the name that the image is to have")
    reference = parse_reference(f"{repository}:{tag}" if tag else repository)
    if reference.digest is not None:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    if reference.familiar_name() == "sha256":
        raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
    image = engine.images.resolve(request.params["name"])
    engine.images.tag(image.id, reference)
    return Response(201)


async def remove(engine: Engine, request: Request) -> Answer:
    """``noprune`` means nothing here: an image has no untagged parents that could stay."""
    if request.text("platforms"):
        raise Refused("platforms: this engine keeps one platform of an image")
    removed = engine.images.remove(
        request.params["name"],
        request.flag("force"),
        in_use=users(engine),
        running=users(engine, running=True),
    )
    return json_response([{kind: text} for kind, text in removed])


def users(engine: Engine, running: bool = False) -> InUse:
    """Asks for the IDs of an image's containers; ``running``: of those that run."""

    def ask(image_id: str) -> list[str]:
        found = engine.containers.using_image(image_id)
        return [each.id for each in found if each.state.running or not running]

    return ask
