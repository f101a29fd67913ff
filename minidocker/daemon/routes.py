"""Which request goes to which handler: one table, and the rules around it.

Version prefixes, unknown paths, errors turned into answers: everything that is
the same for all operations is here, so that a handler holds only its own.
"""

from __future__ import annotations

import errno
import functools
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from minidocker import __version__
from minidocker.daemon import (
    archives,
    commit,
    container_create,
    container_files,
    container_life,
    container_look,
    container_prune,
    container_streams,
    container_update,
    container_websocket,
    disk_usage,
    events,
    execs,
    image_archives,
    image_prune,
    images,
    networks,
    pull,
    registries,
    system,
)
from minidocker.daemon.connection import Gone
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Job, Request, Response, error_response
from minidocker.daemon.unserved import UNSERVED
from minidocker.errors import (
    InvalidParameter,
    MinidockerError,
    NotFound,
    NotModified,
    Refused,
)

OLDEST: Final = (1, 24)
NEWEST: Final = (1, 50)
API_VERSION: Final = "1.50"

Handler = Callable[[Engine, Request], Awaitable[Answer]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """``operation``: its name in the API's text, which has the rest.

    In ``pattern`` a ``{name}`` or ``{id}`` may hold slashes, as dockerd's: who asks for a
    container called "a/b" is told that there is none.  ``lasting``: see ``exchange.Job``; but
    with the query parameter ``unless`` the handler reads the body itself, and that is brought
    to its end.
    """

    method: str
    pattern: str
    handler: Handler
    operation: str
    lasting: bool = False
    unless: str = ""

    def lasts(self, request: Request) -> bool:
        return self.lasting and not (self.unless and request.text(self.unless))


ROUTES: Final = (
    Route("HEAD", "/_ping", system.ping, "SystemPingHead"),
    Route("GET", "/_ping", system.ping, "SystemPing"),
    Route("GET", "/version", system.version, "SystemVersion"),
    Route("GET", "/info", system.info, "SystemInfo"),
    Route("POST", "/auth", registries.auth, "SystemAuth"),
    Route("POST", "/swarm/leave", system.leave_swarm, "SwarmLeave"),
    Route("GET", "/events", events.stream, "SystemEvents", lasting=True),
    Route("GET", "/containers/json", container_look.listing, "ContainerList"),
    Route("POST", "/containers/create", container_create.create, "ContainerCreate"),
    Route("GET", "/containers/{id}/json", container_look.inspect, "ContainerInspect"),
    Route("GET", "/containers/{id}/changes", container_files.changes, "ContainerChanges"),
    Route("GET", "/containers/{id}/export", container_files.export, "ContainerExport"),
    Route("HEAD", "/containers/{id}/archive", archives.info, "ContainerArchiveInfo"),
    Route("GET", "/containers/{id}/archive", archives.read, "ContainerArchive"),
    Route("PUT", "/containers/{id}/archive", archives.write, "PutContainerArchive"),
    Route("GET", "/containers/{id}/top", container_look.top, "ContainerTop"),
    Route("GET", "/containers/{id}/stats", container_look.stats, "ContainerStats", lasting=True),
    Route("GET", "/containers/{id}/logs", container_streams.logs, "ContainerLogs", lasting=True),
    Route("POST", "/containers/{id}/attach", container_streams.attach, "ContainerAttach"),
    Route(
        "GET", "/containers/{id}/attach/ws", container_websocket.attach, "ContainerAttachWebsocket"
    ),
    Route("POST", "/containers/{id}/wait", container_streams.wait, "ContainerWait", lasting=True),
    Route("POST", "/containers/{id}/resize", container_streams.resize, "ContainerResize"),
    Route("POST", "/containers/{id}/start", container_life.start, "ContainerStart"),
    Route("POST", "/containers/{id}/stop", container_life.stop, "ContainerStop"),
    Route("POST", "/containers/{id}/restart", container_life.restart, "ContainerRestart"),
    Route("POST", "/containers/{id}/kill", container_life.kill, "ContainerKill"),
    Route("POST", "/containers/{id}/pause", container_life.pause, "ContainerPause"),
    Route("POST", "/containers/{id}/unpause", container_life.unpause, "ContainerUnpause"),
    Route("POST", "/containers/{id}/rename", container_life.rename, "ContainerRename"),
    Route("POST", "/containers/{id}/update", container_update.update, "ContainerUpdate"),
    Route("POST", "/containers/prune", container_prune.prune, "ContainerPrune"),
    Route("DELETE", "/containers/{id}", container_life.remove, "ContainerDelete"),
    Route("POST", "/containers/{id}/exec", execs.create, "ContainerExec"),
    Route("POST", "/exec/{id}/start", execs.start, "ExecStart"),
    Route("POST", "/exec/{id}/resize", execs.resize, "ExecResize"),
    Route("GET", "/exec/{id}/json", execs.inspect, "ExecInspect"),
    Route("POST", "/commit", commit.create, "ImageCommit"),
    Route("GET", "/system/df", disk_usage.show, "SystemDataUsage"),
    Route("GET", "/images/json", images.listing, "ImageList"),
    Route("POST", "/images/create", pull.create, "ImageCreate", True, "fromSrc"),
    Route("POST", "/images/prune", image_prune.prune, "ImagePrune"),
    Route("GET", "/images/search", registries.search, "ImageSearch", lasting=True),
    Route(
        "GET", "/distribution/{name}/json", registries.inspect, "DistributionInspect", lasting=True
    ),
    Route("GET", "/images/get", image_archives.save_all, "ImageGetAll"),
    Route("POST", "/images/load", image_archives.load, "ImageLoad"),
    Route("GET", "/images/{name}/get", image_archives.save, "ImageGet"),
    Route("GET", "/images/{name}/json", images.inspect, "ImageInspect"),
    Route("GET", "/images/{name}/history", images.history, "ImageHistory"),
    Route("POST", "/images/{name}/tag", images.tag, "ImageTag"),
    Route("DELETE", "/images/{name}", images.remove, "ImageDelete"),
    Route("GET", "/networks", networks.listing, "NetworkList"),
    Route("GET", "/networks/{id}", networks.inspect, "NetworkInspect"),
    Route("POST", "/networks/create", networks.create, "NetworkCreate"),
    Route("DELETE", "/networks/{id}", networks.remove, "NetworkDelete"),
    Route("POST", "/networks/{id}/connect", networks.connect, "NetworkConnect"),
    Route("POST", "/networks/{id}/disconnect", networks.disconnect, "NetworkDisconnect"),
    Route("POST", "/networks/prune", networks.prune, "NetworkPrune"),
    Route("GET", "/volumes", networks.volumes, "VolumeList"),
    # This engine's own: what a start did, and what one would do.
    Route("GET", "/minidocker/containers/{id}/trace", container_look.trace, ""),
    Route("POST", "/minidocker/plan", container_create.plan, ""),
)


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    text = "".join(
        re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+)" for i, part in enumerate(parts)
    )
    return re.compile(text, re.DOTALL)


def match(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route and its parameters for a decoded path without version; None: page not found."""
    for route in ROUTES:
        if route.method == method and (found := _expression(route.pattern).fullmatch(path)):
            return route, found.groupdict()
    return None


def unserved(method: str, path: str) -> MinidockerError:
    """The error for a request that no route takes."""
    for known, pattern, command in UNSERVED:
        if known == method and _expression(pattern).fullmatch(path):
            return Refused(f"{command} is not supported by this engine yet")
    return NotFound("page not found")


def split_version(path: str) -> tuple[tuple[int, int], str]:
    """``/v1.41/info`` -> ((1, 41), "/info"); without a prefix the newest is meant.

    Raises ``InvalidParameter`` in dockerd's words for a version that is not served.
    """
    found = re.match(r"/v(\d{1,9})\.(\d{1,9})(?=/)", path)
    if found is None:
        return NEWEST, path
    version = int(found[1]), int(found[2])
    shown = f"{version[0]}.{version[1]}"
    if version < OLDEST:
        raise InvalidParameter(
            f"client version {shown} is too old. Minimum supported API version is "
            f"{OLDEST[0]}.{OLDEST[1]}, please upgrade your client to a newer version"
        )
    if version > NEWEST:
        raise InvalidParameter(
            f"client version {shown} is too new. Maximum supported API version is {API_VERSION}"
        )
    return version, path[found.end() :]


class Router:
    """The application behind every connection (``connection.Application``)."""

    headers: tuple[tuple[str, str], ...] = (
        ("Api-Version", API_VERSION),
        ("Docker-Experimental", "false"),
        ("Ostype", "linux"),
        ("Server", f"minidocker/{__version__} (linux)"),
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def job(self, request: Request) -> Job:
        """What to do for the request."""
        try:
            request.version, request.path = split_version(request.path)
            found = match(request.method, request.path)
            if found is None:
                raise unserved(request.method, request.path)
            route, request.params = found
            lasting = route.lasts(request)
        except MinidockerError as error:
            return Job(functools.partial(_always, answer_for(error)))
        log.debug("%s %s?%s", request.method, request.path, request.raw_query)
        return Job(functools.partial(self._run, route, request), lasting)

    async def _run(self, route: Route, request: Request) -> Answer:
        try:
            return await route.handler(self._engine, request)
        except MinidockerError as error:
            return answer_for(error)
        except OSError as error:
            log.exception("%s %s", request.method, request.path)
            return error_response(500, describe_os_error(error))
        except sqlite3.OperationalError as error:
            log.exception("%s %s", request.method, request.path)
            why = f"the records cannot be written: {error}; make room, for example with docker rm"
            return error_response(500, why)
        except Gone:
            raise
        except Exception as error:
            # The boundary of a request: a mistake in one must not end the daemon.
            log.exception("%s %s", request.method, request.path)
            return error_response(500, f"{type(error).__name__}: {error}")


async def _always(answer: Response) -> Answer:
    return answer


def answer_for(error: MinidockerError) -> Response:
    """The answer that carries an error; 304 has no body (RFC 9110, section 15.4.5)."""
    if isinstance(error, NotModified):
        return Response(304)
    return error_response(error.status, error.message)


def describe_os_error(error: OSError) -> str:
    """One sentence with the path, for a kernel's refusal that nobody explained below."""
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"{where}no space left on device: make room, for example with docker rmi"
    return f"{where}{(error.strerror or str(error)).lower()}"
