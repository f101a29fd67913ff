"""Commands that read on and on: ``attach``, ``logs``, ``events``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from minidocker.client import terminal
from minidocker.client.attached import Ending, Foreground, attach, converse
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import DETACH_KEYS, many, string, switch
from minidocker.client.session import Session
from minidocker.client.streams import write_all
from minidocker.client.units import local_text, parse_moment
from minidocker.errors import InvalidParameter
from minidocker.wire.frames import STDERR, FrameDecoder


def attach_to(session: Session, values: Values, names: list[str]) -> int:
    """Stay with a container that runs; its exit code."""
    shown = session.daemon.ask("GET", f"/containers/{names[0]}/json").json()
    state, id = shown["State"], shown["Id"]
    if not state["Running"]:
        raise Failed("cannot attach to a stopped container, start it first")
    if state["Paused"]:
        raise Failed("cannot attach to a paused container, unpause it first")
    if state["Restarting"]:
        raise Failed("cannot attach to a restarting container, wait until it is running")
    tty = shown["Config"]["Tty"]
    ends = Foreground(
        tty=tty,
        stdin=shown["Config"]["OpenStdin"] and not values["no_stdin"],
        stdout=True,
        stderr=True,
        keys=values["detach_keys"],
    )
    terminal.check(ends.stdin, tty)
    ending = Ending(session, id, "")
    raw = attach(session, id, ends)
    kill = f"/containers/{id}/kill" if values["sig_proxy"] and not tty else None
    resize = f"/containers/{id}/resize"

    def redraw() -> None:
        """A change of size, soon undone, makes most programs draw their screen again."""
        rows, columns = terminal.size(1)
        if tty and rows and columns:
            with contextlib.suppress(ApiError):
                session.daemon.ask("POST", resize, h=rows + 1, w=columns + 1).read()

    if converse(session.daemon, raw, ends, resize, kill, redraw):
        raise Failed("read escape sequence")
    return ending.code()


def logs(session: Session, values: Values, names: list[str]) -> int:
    """Both of the container's streams, each to ours of the same name."""
    now = time.time()
    shown = session.daemon.ask("GET", f"/containers/{names[0]}/json").json()
    reply = session.another().ask(
        "GET",
        f"/containers/{shown['Id']}/logs",
        stdout=True,
        stderr=True,
        follow=values["follow"] or None,
        timestamps=values["timestamps"] or None,
        details=values["details"] or None,
        tail=values["tail"],
        since=_moment("since", values, now),
        until=_moment("until", values, now),
    )
    if shown["Config"]["Tty"]:
        for chunk in reply.chunks():
            write_all(1, chunk)
        return 0
    frames = FrameDecoder()
    for chunk in reply.chunks():
        for stream, piece in frames.feed(chunk):
            write_all(2 if stream == STDERR else 1, piece)
    return 0


def _moment(flag: str, values: Values, now: float) -> str | None:
    try:
        return parse_moment(values[flag], now) if values[flag] else None
    except InvalidParameter as error:
        raise InvalidParameter(f'invalid value for "{flag}": {error}') from error


def events(session: Session, values: Values, names: list[str]) -> int:
    """A line for each event, until ``--until`` or forever."""
    from minidocker.client.commands.listing import filters

    now = time.time()
    form = values["format"] or ""
    template = None
    if form not in ("", "json"):
        from minidocker.client.template import Template

        template = Template(form)
    reply = session.another().ask(
        "GET",
        "/events",
        since=_moment("since", values, now),
        until=_moment("until", values, now),
        filters=filters(values["filter"]),
    )
    for event in reply.messages():
        if template is not None:
            print(template.render(event), flush=True)
        elif form == "json":
            from minidocker.client.template import to_json

            print(to_json(event), flush=True)
        else:
            print(event_line(event), flush=True)
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


SINCE = string("since", 'Since a time ("2013-01-02T13:23:37Z") or for so long ("42m")')
UNTIL = string("until", 'Until a time ("2013-01-02T13:23:37Z") or so long ago ("42m")')

ATTACH = Verb(
    "[OPTIONS] CONTAINER",
    "Attach local standard input, output, and error streams to a running container",
    attach_to,
    (
        DETACH_KEYS,
        switch("no-stdin", "Do not attach STDIN"),
        switch("sig-proxy", "Proxy all received signals to the process", default=True),
    ),
    1,
    1,
)
LOGS = Verb(
    "[OPTIONS] CONTAINER",
    "Fetch the logs of a container",
    logs,
    (
        switch("details", "Show extra details provided to logs"),
        switch("follow", "Follow log output", "f"),
        SINCE,
        string("tail", 'Number of lines to show from the end of the logs (default "all")', "n"),
        switch("timestamps", "Show timestamps", "t"),
        UNTIL,
    ),
    1,
    1,
)
EVENTS = Verb(
    "[OPTIONS]",
    "Get real time events from the server",
    events,
    (
        many("filter", "Filter output based on conditions provided", "f"),
        string("format", "'json', or a Go template for each event"),
        SINCE,
        UNTIL,
    ),
    0,
    0,
)
