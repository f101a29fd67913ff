"""``logs``: what a container has written, and with ``-f`` what it goes on to write."""

from __future__ import annotations

import time

from minidocker.client.commandline import Values, Verb
from minidocker.client.flags import string, switch
from minidocker.client.session import Session
from minidocker.client.streams import write_all
from minidocker.client.units import parse_moment
from minidocker.errors import InvalidParameter
from minidocker.wire.frames import STDERR, FrameDecoder


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
        since=moment("since", values, now),
        until=moment("until", values, now),
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


def moment(flag: str, values: Values, now: float) -> str | None:
    """The time that ``--since`` or ``--until`` means.  Raises ``InvalidParameter``."""
    try:
        return parse_moment(values[flag], now) if values[flag] else None
    except InvalidParameter as error:
        raise InvalidParameter(f'invalid value for "{flag}": {error}') from error


LOGS = Verb(
    "[OPTIONS] CONTAINER",
    logs,
    (
        switch("details", "Show extra details provided to logs"),
        switch("follow", "Follow log output", "f"),
        string("since", 'Since a time ("2013-01-02T13:23:37Z") or for so long ("42m")'),
        string("tail", 'Number of lines to show from the end of the logs (default "all")', "n"),
        switch("timestamps", "Show timestamps", "t"),
        string("until", 'Until a time ("2013-01-02T13:23:37Z") or so long ago ("42m")'),
    ),
    1,
    1,
)
