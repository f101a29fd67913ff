"""``--format`` of what is one object: as JSON, or through the user's template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minidocker.client.commandline import Failed
from minidocker.client.format.docker_types import typed
from minidocker.client.format.template import Template
from minidocker.client.format.values import Member, Struct, to_json
from minidocker.errors import InvalidParameter


def parse(form: str, name: str = "") -> Template:
    """Raises ``Failed`` for a template that cannot be read; ``name`` stands in the message."""
    try:
        return Template(form, name)
    except InvalidParameter as error:
        raise Failed(f"template parsing error: {error}", 64) from None


def renderer(form: str, type: str, name: str = "") -> Callable[[Mapping[str, Any]], str]:
    """A function that makes text of a value of JSON: ``form`` is "json", or a template.

    ``type``: what Go has it in, by its name in ``docker_types``.
    """
    if form == "json":
        return lambda value: to_json(typed(value, type))
    template = parse(form, name)
    return lambda value: template.render(typed(value, type))


def one_row(kind: str, fields: Mapping[str, Any], form: str) -> str:
    """As ``rows.lines`` of a single row whose fields are values, in the order they have."""
    whole = Struct(kind, [Member(name, name, "any") for name in fields], fields, pointer=True)
    if form == "json":
        return to_json(whole)
    return parse(form.removeprefix("table").strip(" ")).render(whole)
