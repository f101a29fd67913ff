"""Copying: ``docker cp``.

Engine API: ContainerArchiveInfo, ContainerArchive, PutContainerArchive.
"""

from __future__ import annotations

import base64
import stat
from typing import Any, Final

from minidocker.containers.archive import PathStat
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Response, Stream, json_line
from minidocker.daemon.times import rfc3339
from minidocker.daemon.uploads import Body
from minidocker.errors import InvalidParameter

TAR: Final = "application/x-tar"
STAT_HEADER: Final = "X-Docker-Container-Path-Stat"

# Go's os.FileMode: the kinds of files, and the bits beside rwx.
_KINDS: Final = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFREG: 0,
}
_BITS: Final = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


async def info(engine: Engine, request: Request) -> Answer:
    found = await engine.containers.archives.status(request.params["id"], _path(request))
    return Response(headers=(_stat_header(found),))


async def read(engine: Engine, request: Request) -> Answer:
    found, pieces = await engine.containers.archives.read(request.params["id"], _path(request))
    return Stream(pieces, TAR, headers=(_stat_header(found),))


async def write(engine: Engine, request: Request) -> Answer:
    """``noOverwriteDirNonDir``, ``copyUIDGID``."""
    async with Body(request.chunks) as body:
        await engine.containers.archives.write(
            request.params["id"],
            _path(request),
            body,
            request.flag("noOverwriteDirNonDir"),
            request.flag("copyUIDGID"),
        )
    return Response()


def _path(request: Request) -> str:
    path = request.text("path")
    if not path:
        raise InvalidParameter("bad parameter: path cannot be empty")
    return path


def _stat_header(found: PathStat) -> tuple[str, str]:
    return STAT_HEADER, base64.b64encode(json_line(shape(found)).rstrip()).decode()


def shape(found: PathStat) -> dict[str, Any]:
    """Docker's ContainerPathStat."""
    return {
        "name": found.name,
        "size": found.status.st_size,
        "mode": go_mode(found.status.st_mode),
        "mtime": rfc3339(found.status.st_mtime_ns),
        "linkTarget": found.link_target,
    }


def go_mode(mode: int) -> int:
    """``st_mode`` as Go's ``os.FileMode``."""
    bits = sum(go for bit, go in _BITS.items() if mode & bit)
    return _KINDS[stat.S_IFMT(mode)] | bits | mode & 0o777
