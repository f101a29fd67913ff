"""``save``, ``load`` and ``import``: images as files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import many, string, switch
from minidocker.client.pulling import show, split_reference
from minidocker.client.session import Session

PIECE = 1 << 18  # bytes
TAR = "application/x-tar"


def save(session: Session, values: Values, names: list[str]) -> int:
    """The archive to ``-o``, or to standard output when that is no terminal."""
    path = values["output"]
    if not path and sys.stdout.isatty():
        raise Failed("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    if path:
        check_output(path)
    reply = session.another().ask(
        "GET", "/images/get", names=names, platform=platform_json(values["platform"])
    )
    if path:
        write_file(path, reply.chunks())
        return 0
    for chunk in reply.chunks():
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return 0


def check_output(path: str) -> None:
    """Raises ``Failed`` for a place where no file can be made, before anything is asked."""
    folder = os.path.dirname(path) or "."
    wrong = "failed to save image: invalid output path"
    if not os.path.isdir(folder):
        raise Failed(f"{wrong}: stat {folder}: no such file or directory")
    if os.path.isdir(path):
        raise Failed(f'{wrong}: "{path}" must be a regular file')


def write_file(path: str, pieces: Iterable[bytes]) -> None:
    """``path`` has all of the pieces, or is as it was."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe, /dev/null
        with open(path, "wb") as out:
            out.writelines(pieces)
        return
    temporary = f"{path}.{os.getpid()}.part"
    try:
        with open(temporary, "xb") as out:
            out.writelines(pieces)
        os.replace(temporary, path)
    except BaseException:  # also Ctrl-C: half an archive is of no use
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


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
            platform=platform_json(values["platform"]),
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


def platform_json(text: str | None) -> str | None:
    """``--platform linux/arm64/v8`` as the API has it."""
    if not text:
        return None
    import json

    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise Failed(f'invalid platform: "{text}": write os/architecture, as linux/amd64')
    names = ("os", "architecture", "variant")
    return json.dumps(dict(zip(names, parts, strict=False)))


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


PLATFORM = string("platform", 'Only the image of this platform ("os/architecture[/variant]")')
SAVE = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    save,
    (string("output", "Write to a file, instead of STDOUT", "o"), PLATFORM),
    1,
)
LOAD = Verb(
    "[OPTIONS]",
    "Load an image from a tar archive or STDIN",
    load,
    (
        string("input", "Read from tar archive file, instead of STDIN", "i"),
        PLATFORM,
        switch("quiet", "Suppress the load output", "q"),
    ),
    0,
    0,
)
IMPORT = Verb(
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    "Import the contents from a tarball to create a filesystem image",
    import_image,
    (
        many("change", "Apply Dockerfile instruction to the created image", "c"),
        string("message", "Set commit message for imported image", "m"),
        string("platform", "Set platform if server is multi-platform capable"),
    ),
    1,
    2,
)
