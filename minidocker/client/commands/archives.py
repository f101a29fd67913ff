"""``save``, ``load`` and ``import``: images as files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from minidocker.client import output
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import PLATFORM, many, string, switch
from minidocker.client.pulling import show
from minidocker.client.references import parse_platform, split_reference
from minidocker.client.session import Session

PIECE = 1 << 18  # bytes
TAR = "application/x-tar"


def save(session: Session, values: Values, names: list[str]) -> int:
    """The archive to ``-o``, or to standard output when that is no terminal."""
    output.check(values["output"], "failed to save image")
    reply = session.another().ask(
        "GET", "/images/get", names=names, platform=parse_platform(values["platform"])
    )
    output.write(values["output"], reply.chunks())
    return 0


def load(session: Session, values: Values, names: list[str]) -> int:
    """What the daemon says: layers as they come, "Loaded image: ..." at the end."""
    path = values["input"]
    if not path and sys.stdin.isatty():
        raise Failed("requested load from stdin, but stdin is empty")
    quiet = values["quiet"] or not sys.stdout.isatty()
    with opened(path) as file:
        reply = session.another().upload(
            "/images/load",
            read(file),
            TAR,
            quiet="1" if quiet else "0",
            platform=parse_platform(values["platform"]),
        )
    show(reply.messages(), sys.stdout)
    return 0


def opened(path: str | None) -> BinaryIO:
    """The file, or standard input for none and "-".  Raises ``Failed``."""
    if not path or path == "-":
        return open(os.dup(sys.stdin.fileno()), "rb")
    try:
        return open(path, "rb")
    except OSError as error:
        raise Failed(f"open {path}: {(error.strerror or str(error)).lower()}") from error


def read(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(PIECE):
        yield data


def import_image(session: Session, values: Values, arguments: list[str]) -> int:
    """The new image's ID, of a tar that is a file, a URL, or standard input ("-")."""
    source, *rest = arguments
    name, tag = split_reference(rest[0]) if rest else ("", "")
    remote = source.startswith(("http://", "https://"))
    query = {
        "fromSrc": source if remote else "-",
        "repo": name,
        "tag": tag,
        "message": values["message"],
        "changes": list(values["change"]),
        "platform": values["platform"],
    }
    if remote:
        reply = session.another().ask("POST", "/images/create", **query)
    else:
        with opened(source) as file:
            reply = session.another().upload("/images/create", read(file), TAR, **query)
    show(reply.messages(), sys.stdout)
    return 0


SAVE = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    save,
    (
        string("output", "Write to a file, instead of STDOUT", "o"),
        string("platform", 'Save only the given platform variant ("os[/arch[/variant]]")'),
    ),
    1,
)
LOAD = Verb(
    "[OPTIONS]",
    load,
    (
        string("input", "Read from tar archive file, instead of STDIN", "i"),
        string("platform", 'Load only the given platform variant ("os[/arch[/variant]]")'),
        switch("quiet", "Suppress the load output", "q"),
    ),
    0,
    0,
)
IMPORT = Verb(
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    import_image,
    (
        many("change", "Apply Dockerfile instruction to the created image", "c"),
        string("message", "Set commit message for imported image", "m"),
        PLATFORM,
    ),
    1,
)
