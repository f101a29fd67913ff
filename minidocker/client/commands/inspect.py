"""``inspect``: what the daemon knows about an object, as JSON or through a template."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import OBJECT_FORMAT, string, switch
from minidocker.client.references import parse_platform
from minidocker.client.session import Session
from minidocker.errors import InvalidParameter, Unavailable


class Kind(NamedTuple):
    """``path`` in the API, for a name; ``type``: what Go has the answer in."""

    path: str
    type: str = "any"


KINDS = {
    "container": Kind("/containers/{}/json", "container.InspectResponse"),
    "image": Kind("/images/{}/json", "image.InspectResponse"),
    "network": Kind("/networks/{}"),
    "volume": Kind("/volumes/{}"),
}
ABSENT = ("config", "node", "plugin", "secret", "service", "task")


def inspect(session: Session, values: Values, names: list[str]) -> int:
    """``--type`` says where to look; without it, in all places, one after the other."""
    kind = values["type"] or ""
    if kind in ABSENT:
        raise Failed(f'--type "{kind}": this engine has none of these')
    if kind and kind not in KINDS:
        one = ", ".join(f'"{each}"' for each in sorted((*KINDS, *ABSENT)))
        raise Failed(f'unknown type: "{kind}": must be one of {one}')
    return show(session, values, names, (kind,) if kind else tuple(KINDS))


def inspect_containers(session: Session, values: Values, names: list[str]) -> int:
    return show(session, values, names, ("container",))


def inspect_images(session: Session, values: Values, names: list[str]) -> int:
    return show(session, values, names, ("image",))


def show(session: Session, values: Values, names: list[str], kinds: tuple[str, ...]) -> int:
    """Print what was found as one list, or a line each; then say what was wrong."""
    form = values["format"] or ""
    render = renderer(form)
    found: list[Any] = []
    wrong: list[str] = []
    for name in names:
        try:
            kind, value = find(session, name, kinds, values)
        except ApiError as error:
            wrong.append(str(error))
            continue
        except Unavailable as error:
            wrong.append(str(error))
            break
        except LookupError:
            wrong.append(f"Error: No such object: {name}")
            continue
        try:
            found.append(render(value, KINDS[kind].type))
        except InvalidParameter as error:
            wrong.append(str(error))
            break
    print(text_of(form, found))
    for message in wrong:
        print(message, file=sys.stderr)
    return 1 if wrong else 0


def renderer(form: str) -> Callable[[Any, str], Any]:
    """A function from a value and its type to what ``text_of`` takes.

    A template is given Docker's types, and if it finds something missing there, JSON as it is.
    """
    if form in ("", "json"):
        return lambda value, type: value
    from minidocker.client.format.docker_types import typed
    from minidocker.client.format.objects import parse

    template = parse(form)

    def render(value: Any, type: str) -> str:
        try:
            return template.render(typed(value, type))
        except InvalidParameter:
            pass
        try:
            return template.render(value, strict=True)
        except InvalidParameter as error:
            raise InvalidParameter(f"template parsing error: {error}") from None

    return render


def text_of(form: str, found: list[Any]) -> str:
    if form == "":
        return json.dumps(found, indent=4, ensure_ascii=False)
    if form == "json":
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    return "\n".join(found)


def find(
    session: Session, name: str, kinds: tuple[str, ...], values: Values
) -> tuple[str, dict[str, Any]]:
    """The first of ``kinds`` that has the name, and what it is.

    Raises ``LookupError`` when none of several has it; the daemon's own error when one was meant.
    """
    platform = parse_platform(values.get("platform"))
    for kind in kinds:
        sized = bool(values.get("size"))
        if sized and kind != "container":
            print(f"WARNING: --size ignored for {kind}", file=sys.stderr)
        path = KINDS[kind].path.format(name)
        try:
            size = True if sized and kind == "container" else None
            return kind, session.daemon.ask("GET", path, size=size, platform=platform).json()
        except ApiError as error:
            elsewhere = error.status == 404 or "not supported" in error.reason
            if not elsewhere or len(kinds) == 1:
                raise
    raise LookupError(name)


SIZE = switch("size", "Display total file sizes if the type is container", "s")
INSPECT = Verb(
    "[OPTIONS] NAME|ID [NAME|ID...]",
    inspect,
    (OBJECT_FORMAT, SIZE, string("type", "Only inspect objects of the given type")),
    1,
)
CONTAINER_INSPECT = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]", inspect_containers, (OBJECT_FORMAT, SIZE), 1
)
IMAGE_INSPECT = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    inspect_images,
    (
        OBJECT_FORMAT,
        string("platform", 'Inspect a specific platform of the image ("os[/arch[/variant]]")'),
    ),
    1,
)
