"""The files of a container: ``diff`` and ``export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import string
from minidocker.client.session import Session

KINDS = {0: "C", 1: "A", 2: "D"}  # Engine API, ChangeType


def diff(session: Session, values: Values, names: list[str]) -> int:
    (name,) = names
    if not name:
        raise Failed("Container name cannot be empty")
    for change in session.daemon.ask("GET", f"/containers/{name}/changes").json() or ():
        print(KINDS[change["Kind"]], change["Path"])
    return 0


def export(session: Session, values: Values, names: list[str]) -> int:
    """To a file, which is there whole or not at all, or to standard output."""
    output = values["output"]
    if output is None and sys.stdout.isatty():
        raise Failed("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    if output is not None:
        check_output(output, "failed to export container")
    chunks = session.daemon.ask("GET", f"/containers/{names[0]}/export").chunks()
    if output is None:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    else:
        write_whole(output, chunks)
    return 0


def check_output(path: str, what: str) -> None:
    """Raise ``Failed`` for a place where no file can be made (docker/cli, ValidateOutputPath)."""
    folder = os.path.dirname(os.path.normpath(path))
    if folder and folder != "." and not os.path.isdir(folder):
        raise Failed(f'{what}: invalid output path: directory "{folder}" does not exist')
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "directory" if os.path.isdir(path) else "device"
        raise Failed(f'{what}: "{path}" is a {kind}: give the path of a file')


def write_whole(path: str, chunks: Iterable[bytes]) -> None:
    """A file that appears, or takes the place of an old one, when all of it has come."""
    import tempfile

    folder = os.path.dirname(path) or "."
    fd, unfinished = tempfile.mkstemp(dir=folder, prefix=".minidocker-")
    try:
        with open(fd, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        os.rename(unfinished, path)
    except BaseException:  # also Ctrl-C: half a file is of no use
        os.unlink(unfinished)
        raise


DIFF = Verb(
    "CONTAINER",
    "Inspect changes to files or directories on a container's filesystem",
    diff,
    least=1,
    most=1,
)
EXPORT = Verb(
    "[OPTIONS] CONTAINER",
    "Export a container's filesystem as a tar archive",
    export,
    (string("output", "Write to a file, instead of STDOUT", "o"),),
    1,
    1,
)
