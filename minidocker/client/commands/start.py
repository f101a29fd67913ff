"""Starting a container, one that was just made or one of old, and staying with it."""

from __future__ import annotations

import sys
from typing import Any

from minidocker.client import terminal
from minidocker.client.attached import Begin, Ending, Foreground, attach, converse
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError, Raw
from minidocker.client.flags import DETACH_KEYS, switch
from minidocker.client.session import Session

Json = dict[str, Any]

REMOVAL_PATIENCE = 10.0  # seconds that a container has to go after a failed start with --rm


def start_created(session: Session, values: Values, body: Json, id: str) -> int:
    """Start the container that was made, and stay with it unless it is detached."""
    ends = Foreground(
        tty=values["tty"],
        stdin=bool(body.get("AttachStdin")),
        stdout=bool(body.get("AttachStdout")),
        stderr=bool(body.get("AttachStderr")),
        keys=values["detach_keys"],
        proxy=values["sig_proxy"],
    )

    def begin() -> None:
        try:
            session.daemon.ask("POST", f"/containers/{id}/start").read()
        finally:  # the steps of a start that failed tell the most
            if values["explain"]:
                explain(session, id)

    if values["detach"]:
        begin()
        print(id)
        return 0
    return _foreground(session, id, ends, values, begin)


def explain(session: Session, id: str) -> None:
    """The steps of the start, before the program's output; the terminal may be raw by now."""
    from minidocker.client.explain import fetch_trace, look_of

    steps = fetch_trace(session.daemon, id, look_of(sys.stderr, session.environ))
    end = "\r\n" if sys.stderr.isatty() else "\n"
    sys.stderr.write("".join(f"{line}{end}" for line in steps.split("\n")))
    sys.stderr.flush()


def _foreground(session: Session, id: str, ends: Foreground, values: Values, begin: Begin) -> int:
    if ends.stdin or ends.stdout or ends.stderr:
        raw: Raw | None = attach(session, id, ends)
    else:
        raw = None
    ending = Ending(session, id, "removed" if values["rm"] else "next-exit")
    try:
        if raw is None:
            begin()
        else:
            kill = f"/containers/{id}/kill" if ends.proxy else None
            resize = f"/containers/{id}/resize"
            if converse(session.daemon, raw, ends, resize, kill, begin):
                return 0
    except ApiError:
        if values["rm"]:
            ending.wait_a_little(REMOVAL_PATIENCE)
        raise
    return ending.code()


def start(session: Session, values: Values, names: list[str]) -> int:
    """``minidocker start``: detached, or with ``-a`` or ``-i`` in the foreground."""
    if values["attach"] or values["interactive"]:
        if len(names) > 1:
            raise Failed("you cannot start and attach multiple containers at once")
        return start_attached(session, values, names[0])
    failed = []
    for name in names:
        try:
            session.daemon.ask("POST", f"/containers/{name}/start").read()
            print(name)
        except ApiError as error:
            print(error, file=sys.stderr)
            failed.append(name)
    if failed:
        raise Failed(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def start_attached(session: Session, values: Values, name: str) -> int:
    """Attach to a stopped container, start it, and stay until it ends; its exit code."""
    shown = session.daemon.ask("GET", f"/containers/{name}/json").json()
    config, id = shown["Config"], shown["Id"]
    ends = Foreground(
        tty=config["Tty"],
        stdin=values["interactive"] and config["OpenStdin"],
        stdout=True,
        stderr=True,
        keys=values["detach_keys"],
    )
    terminal.check(ends.stdin, ends.tty)
    removed = shown["HostConfig"].get("AutoRemove")
    raw = attach(session, id, ends)
    ending = Ending(session, id, "removed" if removed else "next-exit")

    def begin() -> None:
        session.daemon.ask("POST", f"/containers/{id}/start").read()

    kill = None if ends.tty else f"/containers/{id}/kill"
    if converse(session.daemon, raw, ends, f"/containers/{id}/resize", kill, begin):
        return 0
    return ending.code()


START = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    start,
    (
        switch("attach", "Attach STDOUT/STDERR and forward signals", "a"),
        DETACH_KEYS,
        switch("interactive", "Attach container's STDIN", "i"),
    ),
    1,
)
