"""Commit: a container becomes an image.  Engine API, ImageCommit."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from minidocker.containers.container import Container
from minidocker.containers.merge import merge
from minidocker.containers.spec import ContainerSpec, HealthCheck
from minidocker.daemon import container_shapes
from minidocker.daemon.create_body import read_config
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.fields import lower_keys
from minidocker.daemon.image_import import new_name
from minidocker.daemon.times import rfc3339
from minidocker.errors import Conflict, InvalidParameter, NotFound, NotModified
from minidocker.images.changes import apply_changes
from minidocker.images.commit import Note, changed, commit
from minidocker.images.load import Holding, holding
from minidocker.images.make import Written, write_layer
from minidocker.images.store import Image
from minidocker.images.threads import in_thread
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults


async def create(engine: Engine, request: Request) -> Answer:
    """``container``, ``repo``, ``tag``, ``comment``, ``author``, ``pause``, ``changes``; a body
    that is a Config goes before the container's own."""
    ref = request.text("container")
    if not ref:
        raise InvalidParameter('invalid name or ID supplied: ""')
    container = engine.containers.get(ref)
    references = new_name(request.text("repo"), request.text("tag"))
    said = await request.json(required=False)
    config = image_config(container.spec, said, request.query.get("changes", []))
    note = Note(
        created=rfc3339(time.time_ns()),
        created_by=" ".join(container.spec.command or ()),
        author=request.text("author"),
        comment=request.text("comment"),
        container=container.id,
        container_config=container_shapes.config(container, os.uname().nodename),
    )
    with holding(engine.images) as held:
        layer = await _layer(engine, container, held, request.flag("pause", True))
        image = await commit(
            container.image_id,
            layer,
            config,
            note,
            store=engine.images,
            held=held,
            references=references,
        )
    _publish(engine, container, image, note, references[0].familiar() if references else "")
    return json_response({"Id": image.id}, 201)


async def _layer(
    engine: Engine, container: Container, held: Holding, pause: bool
) -> Written | None:
    """The container's changes as a blob; None when there are none."""
    upper = engine.containers.directory(container.id) / "upper"
    blobs = engine.images.blobs

    def write() -> Written | None:
        pieces = changed(upper)
        first = next(pieces, None)
        if first is None:
            return None

        def all_pieces() -> Any:
            yield first
            yield from pieces

        return write_layer(all_pieces(), blobs, held.from_thread)

    async with _paused(engine, container) if pause else contextlib.nullcontext():
        return await in_thread(write)


@contextlib.asynccontextmanager
async def _paused(engine: Engine, container: Container) -> AsyncIterator[None]:
    """Nothing changes in the block; who was paused before stays so."""
    state = container.state
    mine = state.running and not state.paused and not state.restarting
    if mine:
        try:
            await engine.containers.pause(container.id)
        except (Conflict, NotModified):  # it has ended meanwhile, or somebody else paused it
            mine = False
    try:
        yield
    finally:
        if mine:
            with contextlib.suppress(Conflict, NotFound, NotModified):  # or was removed
                await engine.containers.unpause(container.id)


def _publish(
    engine: Engine, container: Container, image: Image, note: Note, reference: str
) -> None:
    more = {"comment": note.comment, "imageID": image.id, "imageRef": reference}
    engine.events.publish("container", "commit", container.id, {**container.attributes, **more})


def image_config(spec: ContainerSpec, body: Any, changes: list[str]) -> RunDefaults:
    """The new image's config: of the body (or else the container), changed, and completed
    from the container (moby daemon/commit.go).  Raises ``InvalidParameter``.
    """
    own = defaults_of(spec)
    given = {} if body is None else lower_keys(body, "the body of a commit")
    said = defaults_of(read_config(given)) if given else own
    return defaults_of(merge(spec_of(apply_changes(said, changes)), own))


def defaults_of(spec: ContainerSpec) -> RunDefaults:
    """What of a container's spec an image has, too."""
    health = spec.health
    return RunDefaults(
        user=spec.user,
        exposed_ports=spec.exposed_ports,
        env=spec.environment,
        entrypoint=spec.entrypoint,
        cmd=spec.command,
        volumes=spec.volumes,
        working_dir=spec.working_dir,
        labels=spec.labels,
        stop_signal=spec.stop_signal,
        healthcheck=None if health is None else ImageHealthcheck(**_plain(health)),
        shell=spec.shell or None,
        on_build=spec.on_build,
        args_escaped=spec.args_escaped,
    )


def spec_of(config: RunDefaults) -> ContainerSpec:
    """The inverse of ``defaults_of``."""
    health = config.healthcheck
    return ContainerSpec(
        user=config.user,
        exposed_ports=config.exposed_ports,
        environment=config.env,
        entrypoint=config.entrypoint,
        command=config.cmd,
        volumes=config.volumes,
        working_dir=config.working_dir,
        labels=dict(config.labels),
        stop_signal=config.stop_signal,
        health=None if health is None else HealthCheck(**_plain(health)),
        shell=config.shell or (),
        on_build=config.on_build,
        args_escaped=config.args_escaped,
    )


def _plain(health: HealthCheck | ImageHealthcheck) -> dict[str, Any]:
    """The two have the same fields."""
    return {**asdict(health), "test": tuple(health.test)}
