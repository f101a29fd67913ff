"""What happens to containers that are there: stop, kill, restart, pause, wait, rm, rename.

Each of these takes several containers, does what it can, and fails at the end
if anything failed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import number, string, switch
from minidocker.client.session import Session

CONTAINERS = "[OPTIONS] CONTAINER [CONTAINER...]"


def each(names: list[str], do: Callable[[str], str | None]) -> int:
    """``do`` for every name, whose answer is printed; 1 when the daemon refused any."""
    code = 0
    for name in names:
        try:
            said = do(name)
        except ApiError as error:
            print(error, file=sys.stderr)
            code = 1
        else:
            if said is not None:
                print(said, flush=True)
    return code


def post(session: Session, action: str, names: list[str], **parameters: str | int | None) -> int:
    """``POST /containers/NAME/ACTION`` for each; its name is printed when that is done."""

    def do(name: str) -> str:
        session.daemon.send("POST", f"/containers/{name}/{action}", **parameters)
        session.daemon.receive().read()
        return name

    return each(names, do)


def stop(session: Session, values: Values, names: list[str]) -> int:
    return post(session, "stop", names, t=values["timeout"], signal=values["signal"])


def restart(session: Session, values: Values, names: list[str]) -> int:
    return post(session, "restart", names, t=values["timeout"], signal=values["signal"])


def kill(session: Session, values: Values, names: list[str]) -> int:
    return post(session, "kill", names, signal=values["signal"])


def pause(session: Session, values: Values, names: list[str]) -> int:
    return post(session, "pause", names)


def unpause(session: Session, values: Values, names: list[str]) -> int:
    return post(session, "unpause", names)


def wait(session: Session, values: Values, names: list[str]) -> int:
    """Print each one's exit code, in the order of ``names``."""

    def do(name: str) -> str:
        end = session.daemon.ask("POST", f"/containers/{name}/wait").json()
        if (end.get("Error") or {}).get("Message"):
            raise Failed(end["Error"]["Message"])
        return str(end["StatusCode"])

    return each(names, do)


def remove(session: Session, values: Values, names: list[str]) -> int:
    """With ``-f`` a container that is not there is none too many."""

    def do(name: str) -> str | None:
        name = name.strip("/")
        if not name:
            raise Failed("container name cannot be empty")
        try:
            session.daemon.ask(
                "DELETE",
                f"/containers/{name}",
                force=values["force"] or None,
                v=values["volumes"] or None,
                link=values["link"] or None,
            ).read()
        except ApiError as error:
            if error.status == 404 and values["force"]:
                print(error, file=sys.stderr)
                return None
            raise
        return name

    return each(names, do)


def rename(session: Session, values: Values, names: list[str]) -> int:
    old, new = (name.strip() for name in names)
    if not old or not new:
        raise Failed("Error: Neither old nor new names may be empty")
    try:
        session.daemon.ask("POST", f"/containers/{old}/rename", name=new).read()
    except ApiError as error:
        raise Failed(f"{error}\nError: failed to rename container named {old}") from error
    return 0


SIGNAL = string("signal", "Signal to send to the container", "s")
TIMEOUT = number("timeout", "Seconds to wait before killing the container", "t", alias="time")

STOP = Verb(CONTAINERS, stop, (SIGNAL, TIMEOUT), 1)
KILL = Verb(CONTAINERS, kill, (SIGNAL,), 1)
RESTART = Verb(CONTAINERS, restart, (SIGNAL, TIMEOUT), 1)
PAUSE = Verb(
    "CONTAINER [CONTAINER...]",
    pause,
    least=1,
)
UNPAUSE = Verb(
    "CONTAINER [CONTAINER...]",
    unpause,
    least=1,
)
WAIT = Verb(
    "CONTAINER [CONTAINER...]",
    wait,
    least=1,
)
RM = Verb(
    CONTAINERS,
    remove,
    (
        switch("force", "Force the removal of a running container (uses SIGKILL)", "f"),
        switch("link", "Remove the specified link", "l"),
        switch("volumes", "Remove anonymous volumes associated with the container", "v"),
    ),
    1,
)
RENAME = Verb("CONTAINER NEW_NAME", rename, least=2, most=2)
