"""The files of a container: ``diff`` and ``export``."""

from __future__ import annotations

from minidocker.client import output
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import string
from minidocker.client.session import Session

KINDS = {0: "C", 1: "A", 2: "D"}  # Engine API, ChangeType


def diff(session: Session, values: Values, names: list[str]) -> int:
    (name,) = names
    if not name:
        raise Failed("Container name cannot be empty")
    for change in session.daemon.ask("GET", f"/containers/{name}/changes").json() or ():
        print(KINDS[change["Kind"]], change["Path"])
    return 0


def export(session: Session, values: Values, names: list[str]) -> int:
    """To a file, which is there whole or not at all, or to standard output."""
    output.check(values["output"], "failed to export container")
    reply = session.daemon.ask("GET", f"/containers/{names[0]}/export")
    output.write(values["output"], reply.chunks())
    return 0


DIFF = Verb("CONTAINER", diff, least=1, most=1)
EXPORT = Verb(
    "[OPTIONS] CONTAINER",
    export,
    (string("output", "Write to a file, instead of STDOUT", "o"),),
    1,
    1,
)
