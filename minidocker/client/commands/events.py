"""``events``: what happens in the engine, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import FILTER, filters, string
from minidocker.client.session import Session
from minidocker.client.units import local_text, parse_moment
from minidocker.errors import InvalidParameter


def events(session: Session, values: Values, names: list[str]) -> int:
    """A line for each event, until ``--until`` or forever."""
    show: Callable[[Mapping[str, Any]], str] = event_line
    if form := values["format"]:
        from minidocker.client.format.objects import renderer

        try:
            show = renderer(form, "*events.Message")
            show({})
        except InvalidParameter as error:
            raise Failed(f"Error parsing format: {error}", 64) from None
    now = time.time()
    reply = session.another().ask(
        "GET",
        "/events",
        since=parse_moment(values["since"], now) if values["since"] else None,
        until=parse_moment(values["until"], now) if values["until"] else None,
        filters=filters(values["filter"]),
    )
    for event in reply.messages():
        print(show(event), flush=True)
    return 0


def event_line(event: Mapping[str, Any]) -> str:
    """``TIME TYPE ACTION ID (key=value, ...)``, as the docker command prints an event."""
    if event.get("timeNano"):
        at = local_text(int(event["timeNano"]))
    else:
        at = local_text(int(event.get("time", 0)) * 1_000_000_000)
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    told = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
    line = f"{at} {event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')}"
    return f"{line} ({told})" if told else line


EVENTS = Verb(
    "[OPTIONS]",
    events,
    (
        FILTER,
        string("format", "'json', or a Go template for each event"),
        string("since", 'Since a time ("2013-01-02T13:23:37Z") or for so long ("42m")'),
        string("until", 'Until a time ("2013-01-02T13:23:37Z") or so long ago ("42m")'),
    ),
    0,
    0,
)
