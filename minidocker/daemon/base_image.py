"""``minidocker/base``: made when it is asked for and is not there."""

from __future__ import annotations

from minidocker.daemon.engine import Engine
from minidocker.errors import InvalidParameter
from minidocker.images.store import Image
from minidocker.oci.reference import parse_reference

_NAME = "docker.io/minidocker/base:latest"


def is_base(name: str) -> bool:
    """Whether ``name`` means the embedded image."""
    try:
        return str(parse_reference(name)) == _NAME
    except InvalidParameter:
        return False


async def base_image(engine: Engine) -> Image:
    """Make it from the host's own tools."""
    # Imported here: it reads ELF files and writes archives, once in a data root's life.
    from minidocker.images.base import make_base_image

    return make_base_image(engine.images)
