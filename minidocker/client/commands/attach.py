"""``attach``: stay with a container that runs."""

from __future__ import annotations

import contextlib

from minidocker.client import terminal
from minidocker.client.attached import Ending, Foreground, attach, converse
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import DETACH_KEYS, switch
from minidocker.client.session import Session


def attach_to(session: Session, values: Values, names: list[str]) -> int:
    """Stay with a container that runs; its exit code."""
    shown = session.daemon.ask("GET", f"/containers/{names[0]}/json").json()
    state, id = shown["State"], shown["Id"]
    if not state["Running"]:
        raise Failed("You cannot attach to a stopped container, start it first")
    if state["Paused"]:
        raise Failed("You cannot attach to a paused container, unpause it first")
    if state["Restarting"]:
        raise Failed("You cannot attach to a restarting container, wait until it is running")
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


ATTACH = Verb(
    "[OPTIONS] CONTAINER",
    attach_to,
    (
        DETACH_KEYS,
        switch("no-stdin", "Do not attach STDIN"),
        switch("sig-proxy", "Proxy all received signals to the process", default=True),
    ),
    1,
    1,
)
