"""``inspect``: what the daemon knows about an object, as JSON or through a template."""

from __future__ import annotations

import json
import sys
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import Flag, string, switch
from minidocker.client.session import Session

KINDS = ("container", "image")
PATHS = {"container": "/containers/{}/json", "image": "/images/{}/json"}


def inspect(session: Session, values: Values, names: list[str]) -> int:
    """``--type`` says where to look; without it, among containers first, then images."""
    kind = values["type"] or ""
    if kind and kind not in KINDS:
        raise Failed(f'"{kind}" is not a valid value for --type: write container or image')
    return show(session, values, names, (kind,) if kind else KINDS)


def inspect_containers(session: Session, values: Values, names: list[str]) -> int:
    return show(session, values, names, ("container",))


def inspect_images(session: Session, values: Values, names: list[str]) -> int:
    return show(session, values, names, ("image",))


def show(session: Session, values: Values, names: list[str], kinds: tuple[str, ...]) -> int:
    """Print what was found as one list (or a line each); then say what was not found."""
    found: list[Any] = []
    missing: list[str] = []
    for name in names:
        try:
            found.append(_find(session, name, kinds, values.get("size")))
        except ApiError as error:
            missing.append(str(error) if len(kinds) == 1 else f"Error: {error}")
        except LookupError:
            missing.append(f"Error: No such object: {name}")
    form = values["format"] or ""
    if form == "json":
        from minidocker.client.template import to_json

        print("\n".join(map(to_json, found)) if found else "[]")
    elif form:
        from minidocker.client.template import Template

        template = Template(form)
        for each in found:
            print(template.render(each))
        if not found:
            print()
    else:
        print(json.dumps(found, indent=4, ensure_ascii=False))
    for message in missing:
        print(message, file=sys.stderr)
    return 1 if missing else 0


def _find(session: Session, name: str, kinds: tuple[str, ...], size: bool | None) -> Any:
    for kind in kinds:
        path = PATHS[kind].format(name)
        try:
            return session.daemon.ask(
                "GET", path, size=True if size and kind == "container" else None
            ).json()
        except ApiError as error:
            if error.status != 404 or len(kinds) == 1:
                raise
    raise LookupError(name)


FORMAT = string("format", "'json', or a Go template for each object", "f")
SIZE = switch("size", "Display total file sizes if the type is container", "s")
FLAGS: tuple[Flag, ...] = (
    FORMAT,
    SIZE,
    string("type", "Only inspect objects of the given type"),
)

INSPECT = Verb(
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Return low-level information on Docker objects",
    inspect,
    FLAGS,
    1,
)
CONTAINER_INSPECT = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Display detailed information on one or more containers",
    inspect_containers,
    (FORMAT, SIZE),
    1,
)
IMAGE_INSPECT = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Display detailed information on one or more images",
    inspect_images,
    (FORMAT,),
    1,
)
