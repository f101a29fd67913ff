"""The event stream: the past that is remembered, then what happens.

Engine API, SystemEvents.  The head is flushed before anything happened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from minidocker.containers.events import Behind, Event, Predicate, Subscription
from minidocker.daemon.connection import Gone
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Stream, json_line
from minidocker.daemon.filters import Filters, labels_match, parse_filters, parse_time, select
from minidocker.daemon.times import SECOND

ALLOWED: Final = (
    *("config", "container", "daemon", "event", "image", "label", "network", "node"),
    *("plugin", "scope", "secret", "service", "type", "volume"),
)
_BY_KIND: Final = (
    *("config", "container", "daemon", "network", "node", "plugin"),
    *("secret", "service", "volume"),
)


async def stream(engine: Engine, request: Request) -> Answer:
    """``since`` and ``until`` bound it; an ``until`` in the past makes it end at once."""
    now = time.time_ns()
    filters = parse_filters(request.text("filters"), ALLOWED)
    since = parse_time(request.text("since"), now) if request.text("since") else None
    until = parse_time(request.text("until"), now) if request.text("until") else None
    events = engine.events.subscribe(matcher(filters), since)
    return Stream(_lines(events, until), close=events.close)


async def _lines(events: Subscription, until_ns: int | None) -> AsyncIterator[bytes]:
    try:
        while True:
            seconds = None if until_ns is None else max(0.0, (until_ns - time.time_ns()) / SECOND)
            async with asyncio.timeout(seconds):
                event = await events.next()
            if until_ns is not None and event.time_ns > until_ns:
                return
            yield json_line(shape(event))
    except TimeoutError:
        return
    except Behind:  # to be cut off tells the client that it has not got all
        raise Gone from None


def shape(event: Event) -> dict[str, Any]:
    """One event, with the keys of older clients beside the new ones (Engine API, EventMessage)."""
    old = {}
    if event.kind in ("container", "image"):
        old = {"status": event.action, "id": event.actor}
    if event.kind == "container" and event.attributes.get("image"):
        old["from"] = event.attributes["image"]
    return {
        **old,
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.actor, "Attributes": dict(event.attributes)},
        "scope": "local",
        "time": event.time_ns // SECOND,
        "timeNano": event.time_ns,
    }


def matcher(filters: Filters) -> Predicate:
    """Whether an event passes the filters (moby daemon/events/filter.go)."""

    def matches(event: Event) -> bool:
        name = event.attributes.get("name", "")

        def is_actor(kind: str) -> Callable[[frozenset[str]], bool]:
            return lambda wanted: (
                event.kind == kind
                and any(
                    each and (name.startswith(each) or event.actor.startswith(each))
                    for each in wanted
                )
            )

        return select(
            filters,
            {
                "event": lambda wanted: bool(
                    wanted & {event.action, event.action.partition(":")[0]}
                ),
                "type": lambda wanted: event.kind in wanted,
                "scope": lambda wanted: "local" in wanted,
                "label": lambda wanted: labels_match(wanted, event.attributes),
                "image": lambda wanted: bool(wanted & image_names(event)),
                **{kind: is_actor(kind) for kind in _BY_KIND},
            },
        )

    return matches


def image_names(event: Event) -> set[str]:
    """The image that an event is about or a container runs, with and without its tag."""
    key = "name" if event.kind == "image" else "image"
    full = event.attributes.get(key, "")
    names = {full, _without_tag(full)} | ({event.actor} if event.kind == "image" else set())
    return names - {""}


def _without_tag(name: str) -> str:
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition("@")[0].partition(":")[0]
