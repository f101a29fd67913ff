"""Making a container, and saying what making and starting one would do.

Engine API, ContainerCreate; ``POST /minidocker/plan`` is this engine's own.
"""

from __future__ import annotations

import os
import stat

from minidocker.daemon.base_image import base_image, is_base
from minidocker.daemon.create_body import read_create
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.errors import InvalidParameter, NotFound
from minidocker.images.store import Image
from minidocker.oci.platform import parse_platform, runs_on


async def create(engine: Engine, request: Request) -> Answer:
    """``name`` and ``platform`` are in the query, all else is in the body."""
    platform = request.text("platform")
    spec = read_create(await request.json(), block_device, platform)
    image = await find_image(engine, spec.image, platform)
    name = request.text("name") or None
    warnings = engine.containers.warnings(spec, image)
    container = engine.containers.create(spec, name, image, platform)
    return json_response({"Id": container.id, "Warnings": warnings}, 201)


async def plan(engine: Engine, request: Request) -> Answer:
    """The steps of a start, in process and order; nothing is made."""
    platform = request.text("platform")
    spec = read_create(await request.json(), block_device, platform)
    image = await find_image(engine, spec.image, platform)
    return json_response({"steps": engine.containers.plan(spec, image)})


async def find_image(engine: Engine, name: str, platform: str) -> Image:
    """The image that a create names; ``minidocker/base`` is made when it is missing.

    Raises ``NotFound``, to which the CLI answers with a pull and another create.
    """
    if not name:
        raise InvalidParameter("no image was named: Image must not be empty")
    wanted = parse_platform(platform) if platform else None
    try:
        image = engine.images.resolve(name)
    except NotFound:
        if not is_base(name):
            raise
        image = await base_image(engine)
    if wanted is not None and not runs_on(image.config.platform, wanted):
        raise NotFound(
            f"image with reference {name} was found but its platform "
            f"({image.config.platform}) does not match the specified platform ({platform})"
        )
    return image


def block_device(path: str) -> tuple[int, int]:
    """(major, minor) of the block device at ``path``.  Raises ``InvalidParameter``."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidParameter(f"the device {path!r} of a limit: {reason.lower()}") from None
    if not stat.S_ISBLK(found.st_mode):
        raise InvalidParameter(f"the device {path!r} of a limit is no block device")
    return os.major(found.st_rdev), os.minor(found.st_rdev)
