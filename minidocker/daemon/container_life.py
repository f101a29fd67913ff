"""Start, stop and what else moves a container through its life.

Each is a line around a method of ``Containers``; the words of the refusals are in
``containers/state.py``.  Engine API: ContainerStart ... ContainerDelete.
"""

from __future__ import annotations

from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Response
from minidocker.errors import Conflict, InvalidParameter, NotFound, Refused


async def start(engine: Engine, request: Request) -> Answer:
    """Raises ``StartFailed``: 400 for a bad program, from whose text the CLI takes 126 or 127."""
    if (await request.body()).strip() not in (b"", b"{}", b"null"):
        raise InvalidParameter(
            "starting container with non-empty request body was deprecated since API v1.22 "
            "and removed in v1.24"
        )
    for name in ("checkpoint", "checkpoint-dir"):
        if request.text(name):
            raise Refused(f"--{name} is not supported: this engine makes no checkpoints")
    await engine.containers.start(request.params["id"])
    return Response(204)


async def stop(engine: Engine, request: Request) -> Answer:
    await engine.containers.stop(
        request.params["id"], request.number("t"), request.text("signal") or None
    )
    return Response(204)


async def restart(engine: Engine, request: Request) -> Answer:
    await engine.containers.restart(
        request.params["id"], request.number("t"), request.text("signal") or None
    )
    return Response(204)


async def kill(engine: Engine, request: Request) -> Answer:
    name = request.params["id"]
    try:
        await engine.containers.kill(name, request.text("signal") or "KILL")
    except (NotFound, Conflict, InvalidParameter) as error:
        raise type(error)(f"cannot kill container: {name}: {error}") from None
    return Response(204)


async def pause(engine: Engine, request: Request) -> Answer:
    await engine.containers.pause(request.params["id"])
    return Response(204)


async def unpause(engine: Engine, request: Request) -> Answer:
    await engine.containers.unpause(request.params["id"])
    return Response(204)


async def rename(engine: Engine, request: Request) -> Answer:
    engine.containers.rename(request.params["id"], request.text("name"))
    return Response(204)


async def remove(engine: Engine, request: Request) -> Answer:
    if request.flag("link"):
        raise Refused("--link is not supported: this engine has no links between containers")
    await engine.containers.remove(request.params["id"], request.flag("force"), request.flag("v"))
    return Response(204)
