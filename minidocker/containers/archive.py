"""Files into a container and out of it: ``docker cp``.

All paths are the container's own, resolved with its root as "/"; what is mounted there is
part of it.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.roots import opened_root
from minidocker.errors import Forbidden, InvalidParameter, NotFound, SystemFailure
from minidocker.images.threads import in_thread, pieces_in_thread
from minidocker.layers import rooted
from minidocker.layers.export import TreePacker
from minidocker.layers.metadata import read_metadata
from minidocker.layers.sources import Source
from minidocker.layers.tarwrite import END, entry_of, header
from minidocker.layers.unpack import Rules, unpack
from minidocker.namespaces.users import parse_group, parse_passwd, resolve_user


@dataclass(frozen=True)
class PathStat:
    """``name`` as Docker has it ("." and "/" too); ``link_target``: absolute, "" for no link."""

    name: str
    status: os.stat_result
    link_target: str = ""


class Archives:
    """``ref`` is as everywhere (``Containers``); all methods are the event loop's.

    All raise ``NotFound`` for a path that is not there, ``SystemFailure`` for one that
    cannot be looked at, in Docker's words.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def status(self, ref: str, path: str) -> PathStat:
        """What is at ``path``."""
        async with self._root(ref) as (root, _):
            return await asyncio.to_thread(_status, root, ref, path)

    async def read(self, ref: str, path: str) -> tuple[PathStat, OpenTar]:
        """The same, and it as a tar, in which it has the name by which it was asked for."""
        stack = AsyncExitStack()
        try:
            root, container = await stack.enter_async_context(self._root(ref))
            found = await asyncio.to_thread(_status, root, ref, path)
            pieces = pack(root, rooted.Path.parse(path), found)
            with _told(ref, path):  # it may be another thing now: before the answer's head
                first = await in_thread(lambda: next(pieces))
        except BaseException:  # whatever it was, also a cancellation: let go of the root
            await stack.aclose()
            raise
        self._core.publish(container, "archive-path")
        return found, OpenTar(stack, pieces_in_thread(_again(first, pieces)))

    async def write(
        self, ref: str, path: str, archive: Source, keep_kinds: bool, as_user: bool
    ) -> None:
        """Extract a tar into the directory ``path``.

        ``archive`` is read in a thread, which is waited for whatever happens.  ``keep_kinds``:
        see ``Rules``; ``as_user``: it all belongs to the container's user.
        Raises ``InvalidParameter``, ``Forbidden`` (a read-only root or volume).
        """
        async with self._root(ref) as (root, container):

            def work() -> None:
                directory = _directory(root, ref, path, container.spec.read_only)
                owner = _user(root, container.spec.user) if as_user else None
                with _told(ref, path):
                    unpack(root, directory, archive, Rules(keep_kinds, owner))

            await in_thread(work)
            self._core.publish(container, "extract-to-dir", path=path)

    @asynccontextmanager
    async def _root(self, ref: str) -> AsyncIterator[tuple[int, Container]]:
        container = self._core.store.get(ref)
        async with opened_root(self._core, container) as root:
            yield root, container


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class OpenTar:
    """The pieces of a tar, and what must be open for them.  Close it, begun or not."""

    def __init__(self, held: AsyncExitStack, pieces: AsyncGenerator[bytes, None]) -> None:
        self._held, self._pieces = held, pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Let go of the root."""
        async with self._held:
            await self._pieces.aclose()


class _told:
    """Turns ``OSError`` into Docker's sentences about ``path``."""

    def __init__(self, ref: str, path: str) -> None:
        self._ref, self._path = ref, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise NotFound(
                f"Could not find the file {self._path} in container {self._ref}"
            ) from error
        if isinstance(error, OSError):
            where = f"{error.filename}: " if error.filename else ""
            raise SystemFailure(f"{where}{(error.strerror or str(error)).lower()}") from error


def _status(root: int, ref: str, text: str) -> PathStat:
    path = rooted.Path.parse(text)
    with _told(ref, text):
        status = rooted.status(root, path)
        target = rooted.follow(root, path.text) if stat.S_ISLNK(status.st_mode) else ""
    return PathStat(path.name, status, target)


def pack(root: int, path: rooted.Path, found: PathStat) -> Iterator[bytes]:
    """The tar of what ``path`` names, which is ``found``.  Raises ``OSError``."""
    packer = TreePacker()
    if stat.S_ISDIR(found.status.st_mode):
        top = rooted.open_directory(root, path.text)
        try:
            status = os.fstat(top)
            name = "/" if path.name == "/" else f"{path.name}/"
            yield header(entry_of(name, status, read_metadata(f"/proc/self/fd/{top}/.", status)))
            yield from packer.contents(top, (), name)
        finally:
            os.close(top)
    else:
        folder, _, name = path.text.rpartition("/")
        parent = rooted.open_directory(root, folder)
        try:
            yield from packer.named(parent, (), name, name)
        finally:
            os.close(parent)
    yield END


def _directory(root: int, ref: str, path: str, read_only_root: bool) -> str:
    """Where to extract, free of links."""
    try:
        with _told(ref, path):
            directory = rooted.follow(root, path)
            fd = rooted.open_directory(root, directory)
    except SystemFailure as error:
        if isinstance(error.__cause__, NotADirectoryError):
            raise InvalidParameter("extraction point is not a directory") from None
        raise
    try:
        on_root = rooted.mount_id(fd) == rooted.mount_id(root)
        if on_root and (read_only_root or rooted.is_read_only(fd)):
            raise Forbidden("container rootfs is marked read-only")
        if rooted.is_read_only(fd):
            raise Forbidden("mounted volume is marked read-only")
    finally:
        os.close(fd)
    return directory


def _user(root: int, user: str) -> tuple[int, int] | None:
    """The container's user, as the container's own files have it; None for none."""
    if not user:
        return None
    passwd, group = (parse(_text(root, path)) for parse, path in _FILES)
    try:
        identity = resolve_user(user, (), passwd, group)  # type: ignore[arg-type]
    except LookupError as error:
        raise InvalidParameter(str(error)) from None
    return identity.uid, identity.gid


_FILES = ((parse_passwd, "/etc/passwd"), (parse_group, "/etc/group"))


def _text(root: int, path: str) -> str:
    try:
        fd = rooted.open_inside(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(fd, errors="replace") as file:
        return file.read(1 << 20)
