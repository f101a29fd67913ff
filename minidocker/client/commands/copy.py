"""``cp``: files between a container and this machine (docker/cli, container/cp.go).

What a path means (does its end say "a directory"? does its target exist?) decides under
which names the files arrive; ``arrangement`` has the rules for both directions.
"""

from __future__ import annotations

import base64
import json
import os
import posixpath
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import switch
from minidocker.client.session import Session
from minidocker.client.tars import PIECE, extract, pack
from minidocker.client.units import human_size

DIRECTORY, LINK = 1 << 31, 1 << 27  # Go's os.FileMode
IRREGULAR = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19  # devices, FIFOs, sockets


class Side(NamedTuple):
    """One end of a copy.  ``rebase``: the name that the files get, if not the path's own."""

    path: str
    exists: bool = True
    is_directory: bool = False
    rebase: str = ""


def copy(session: Session, values: Values, names: list[str]) -> int:
    """One of the two is ``CONTAINER:PATH``."""
    source, target = (split(name) for name in names)
    if not names[0] or not names[1]:
        which = "source" if not names[0] else "destination"
        raise Failed(f"{which} can not be empty")
    if source[0] and target[0]:
        raise Failed("copying between containers is not supported")
    if source[0]:
        return copy_out(session, values, *source, target[1])
    if target[0]:
        return copy_in(session, values, source[1], *target)
    raise Failed("must specify at least one container source")


def split(text: str) -> tuple[str, str]:
    """``CONTAINER:PATH`` as (container, path); a path on this machine has no container.

    What begins with a dot or a slash is a path, also with a colon in it.
    """
    container, colon, path = text.partition(":")
    if os.path.isabs(text) or not colon or container.startswith("."):
        return "", text
    return container, path


def stat(session: Session, container: str, path: str) -> dict[str, Any] | None:
    """What there is at ``path`` in the container; None for nothing."""
    try:
        reply = session.daemon.ask("HEAD", f"/containers/{container}/archive", path=path)
    except ApiError as error:
        if error.status == 404 and session.daemon.ask("GET", f"/containers/{container}/json"):
            return None
        raise
    found: dict[str, Any] = read_stat(reply.headers)
    return found


def read_stat(headers: Any) -> Any:
    """The header that describes a path."""
    return json.loads(base64.b64decode(headers["x-docker-container-path-stat"]))


# Out of a container


def copy_out(session: Session, values: Values, container: str, path: str, target: str) -> int:
    """To ``target`` on this machine, or as a tar to standard output ("-")."""
    if target != "-":
        target = absolute(target)
        check_local(target)
    rebase = ""
    if values["follow_link"]:
        found = stat(session, container, path)
        if found is not None and found["mode"] & LINK:
            path, rebase = rebased(path, found["linkTarget"])
    reply = session.daemon.ask("GET", f"/containers/{container}/archive", path=path)
    if target == "-":
        for chunk in reply.chunks():
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return 0
    is_directory = bool(read_stat(reply.headers)["mode"] & DIRECTORY)
    source = Side(path, True, is_directory, rebase)
    folder, rename = arrangement(source, local_target(target))
    size = extract(reply.chunks(), folder, renames(source, rename))
    say(values, size, target)
    return 0


def check_local(target: str) -> None:
    """Raise ``Failed`` when nothing can be put there (docker/cli, ValidateOutputPath)."""
    folder = os.path.dirname(os.path.normpath(target))
    if folder and folder != "." and not os.path.isdir(folder):
        raise Failed(f'invalid output path: directory "{folder}" does not exist')
    if os.path.exists(target) and not (os.path.isdir(target) or os.path.isfile(target)):
        raise Failed(f'invalid output path: "{target}" must be a directory or a regular file')


def local_target(path: str) -> Side:
    """The target, links followed: what one leads to need not be there."""
    for _ in range(40):
        if not os.path.islink(path.rstrip("/")):
            break
        path = os.path.join(os.path.dirname(path.rstrip("/")), os.readlink(path.rstrip("/")))
    return Side(path, os.path.exists(path), os.path.isdir(path))


# Into a container


def copy_in(session: Session, values: Values, path: str, container: str, target: str) -> int:
    """From ``path`` on this machine, or from a tar on standard input ("-")."""
    side = remote_target(session, container, target)
    if path == "-":
        if not side.is_directory:
            raise Failed(f'destination "{container}:{target}" must be a directory')
        send(session, values, container, side.path, iter(lambda: sys.stdin.buffer.read(PIECE), b""))
        return 0
    source = local_source(absolute(path), values["follow_link"])
    folder, rename = arrangement(source, side)
    size = send(session, values, container, folder, pack(source.path, renames(source, rename)))
    say(values, size, f"{container}:{side.path}")
    return 0


def remote_target(session: Session, container: str, path: str) -> Side:
    """The target, a link at its end followed."""
    found = stat(session, container, path)
    side = path
    if found is not None and found["mode"] & LINK:
        side = posixpath.join(posixpath.dirname(path), found["linkTarget"])
        found = stat(session, container, side)
    if found is None:
        return Side(side, False)
    if found["mode"] & IRREGULAR:
        raise Failed(f'destination "{container}:{path}" must be a directory or a regular file')
    return Side(side, True, bool(found["mode"] & DIRECTORY))


def local_source(path: str, follow: bool) -> Side:
    """Raises ``Failed`` in Docker's words when there is none."""
    rebase = ""
    try:
        if follow and os.path.islink(path):
            path, rebase = rebased(path, os.path.realpath(path))
        os.lstat(path)
    except OSError as error:
        raise Failed(f"lstat {path}: {(error.strerror or '').lower()}") from None
    is_directory = os.path.isdir(path) if path.endswith(("/", "/.")) else _is_directory(path)
    return Side(path, True, is_directory, rebase)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def send(
    session: Session, values: Values, container: str, folder: str, pieces: Iterable[bytes]
) -> int:
    """PUT the tar; its size in bytes."""
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            size += len(piece)
            yield piece

    session.daemon.upload(
        f"/containers/{container}/archive",
        counted(),
        "application/x-tar",
        method="PUT",
        path=folder,
        noOverwriteDirNonDir="true",
        copyUIDGID="true" if values["archive"] else None,
    ).read()
    return size


# The rules


def arrangement(source: Side, target: Side) -> tuple[str, str]:
    """The directory to extract into, and the name that the source gets there ("": its own).

    Raises ``Failed`` for what cannot be (moby pkg/archive, PrepareArchiveCopy).
    """
    folder, name = divided(target.path)
    if target.exists and target.is_directory:
        return target.path, ""
    if target.exists and source.is_directory:
        raise Failed("cannot copy directory")
    if not target.exists and not source.is_directory and target.path.endswith(("/", "/.")):
        raise Failed("no such directory")
    return folder, name


def renames(source: Side, name: str) -> tuple[str, str]:
    """What stands first in the archive's names, and what is to stand there."""
    base = divided(source.path)[1]
    wanted = name or source.rebase or base
    return base, wanted


def divided(path: str) -> tuple[str, str]:
    """Directory and last part; "/." at the end stays a part (SplitPathDirEntry)."""
    clean = posixpath.normpath(path)
    if posixpath.basename(path.rstrip("/")) == "." or path == ".":
        clean += "/."
    return posixpath.dirname(clean) or ".", posixpath.basename(clean) or "/"


def rebased(path: str, link_target: str) -> tuple[str, str]:
    """The link's target, and the name it is to keep: the link's own (GetRebaseName)."""
    if path.endswith("/."):
        return f"{link_target.rstrip('/')}/.", ""
    if path.endswith("/"):
        link_target = f"{link_target.rstrip('/')}/"
    name, other = divided(path)[1], divided(link_target)[1]
    return link_target, "" if name == other else name


def absolute(path: str) -> str:
    """From the working directory; a slash or "/." at its end is kept, for it has a meaning."""
    clean = os.path.abspath(path)
    if os.path.basename(path.rstrip("/")) == ".":
        return f"{clean.rstrip('/')}/."
    return f"{clean}/" if path.endswith("/") and clean != "/" else clean


def say(values: Values, size: int, target: str) -> None:
    quiet = values["quiet"]
    if not (not sys.stdout.isatty() if quiet is None else quiet):
        print(f"Successfully copied {human_size(size, 3)} to {target}", file=sys.stderr)


CP = Verb(
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    copy,
    (
        switch("archive", "Archive mode (copy all uid/gid information)", "a"),
        switch("follow-link", "Always follow symbol link in SRC_PATH", "L"),
        switch("quiet", "Suppress progress output during copy", "q", default=None),
    ),
    2,
    2,
)
