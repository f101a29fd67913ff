"""``run`` and ``create``: from flags to a container.

``run`` asks in Docker's order: create (pulling the image if it is not there),
attach, wait, start.  See ``client.attached`` for why.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from minidocker.client import terminal
from minidocker.client.body import Host, create_body, read_text
from minidocker.client.commandline import PROGRAM, Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import DETACH_KEYS, Flag, switch
from minidocker.client.run_flags import FLAGS
from minidocker.client.session import Session
from minidocker.errors import InvalidParameter, MinidockerError

Json = dict[str, Any]

PULLS = ("always", "missing", "never")


def run(session: Session, values: Values, arguments: list[str]) -> int:
    """``minidocker run``; the exit code is the program's, or 125, 126, 127 when it never ran."""
    try:
        if values["dry_run"]:
            return dry_run(session, values, arguments)
        if values["attach"] and values["detach"]:
            raise Failed("conflicting options: cannot specify both --attach and --detach")
        body = request(values, arguments)
        if not values["detach"]:
            terminal.check(bool(body.get("AttachStdin")), values["tty"])
        id = create(session, values, body)
        from minidocker.client.commands.start import start_created

        return start_created(session, values, body, id)
    except Failed:
        raise
    except MinidockerError as error:
        raise with_help("run", error, run_code(error)) from error


def create_only(session: Session, values: Values, arguments: list[str]) -> int:
    """``minidocker create``: the ID on standard output."""
    try:
        body = request(values, arguments)
    except Failed:
        raise
    except MinidockerError as error:
        raise with_help("create", error, 125) from error
    print(create(session, values, body))  # what the daemon refuses is 1, as of most commands
    return 0


def with_help(command: str, error: MinidockerError, code: int) -> Failed:
    hint = f"Run '{PROGRAM} {command} --help' for more information"
    return Failed(f"{PROGRAM}: {error}\n\n{hint}", code)


def request(values: Values, arguments: list[str]) -> Json:
    """The create request for a command line; what it names on this machine is read here."""
    host = Host(os.environ, os.getcwd(), read_text, terminal.size(1))
    if values["pull"] not in PULLS:
        raise InvalidParameter(
            f"invalid pull option: '{values['pull']}': "
            'must be one of "always", "missing" or "never"'
        )
    return create_body(values, arguments[0], arguments[1:], host)


def create(session: Session, values: Values, body: Json) -> str:
    """Make the container; its ID.  Pulls the image when it is missing, or always if asked to."""
    cidfile = values["cidfile"]
    if cidfile is None:
        return _create(session, values, body)
    # The file first: where it cannot be, no container is left that nobody has the ID of.
    make_new(cidfile)
    id = ""
    try:
        id = _create(session, values, body)
    finally:
        if id:
            with open(cidfile, "w") as file:
                file.write(id)
        else:
            os.unlink(cidfile)
    return id


def make_new(path: str) -> None:
    """Make the file; raises ``InvalidParameter`` with Docker's text when it is there already."""
    try:
        with open(path, "x"):
            pass
    except FileExistsError:
        raise InvalidParameter(
            f"container ID file found, make sure the other container isn't running or delete {path}"
        ) from None
    except OSError as error:
        raise InvalidParameter(
            f"failed to create the container ID file: open {path}: {str(error.strerror).lower()}"
        ) from error


def _create(session: Session, values: Values, body: Json) -> str:
    from minidocker.client.pulling import pull
    from minidocker.client.references import with_tag

    image, quiet = body["Image"], values["quiet"]
    if values["pull"] == "always":
        pull(session, image, platform=values["platform"], quiet=quiet)
    try:
        made = _post(session, values, body)
    except ApiError as error:
        if error.status != 404 or values["pull"] != "missing" or "image" not in error.reason:
            raise
        if not quiet:
            print(f"Unable to find image '{with_tag(image)}' locally", file=sys.stderr)
        pull(session, image, platform=values["platform"], quiet=quiet)
        made = _post(session, values, body)
    for warning in made.get("Warnings") or []:
        print(f"WARNING: {warning}", file=sys.stderr)
    return str(made["Id"])


def _post(session: Session, values: Values, body: Json) -> Json:
    session.daemon.send(
        "POST", "/containers/create", body, name=values["name"], platform=values["platform"]
    )
    # What will be needed next is loaded while the daemon is at work.
    importlib.import_module("minidocker.client.commands.start")
    made: Json = session.daemon.receive().json()
    return made


def dry_run(session: Session, values: Values, arguments: list[str]) -> int:
    """Print the plan of a start; nothing is made."""
    from minidocker.client.explain import look_of, plan_text

    plan = session.daemon.ask("POST", "/minidocker/plan", request(values, arguments)).json()
    print(plan_text(plan["steps"], look_of(sys.stdout, session.environ)))
    return 0


def run_code(error: MinidockerError) -> int:
    """The exit code of ``run`` when it failed, read from the text as the docker command does."""
    text = str(error) if isinstance(error, ApiError) else ""
    if "executable file not found" in text or "no such file or directory" in text:
        return 127
    if "permission denied" in text or "is a directory" in text:
        return 126
    return 125


RUN_FLAGS: tuple[Flag, ...] = (
    *FLAGS,
    switch("detach", "Run container in background and print container ID", "d"),
    DETACH_KEYS,
    switch("sig-proxy", "Proxy received signals to the process (default true)", default=True),
    switch("explain", "Print what really happens: each step, process, call and time"),
    switch("dry-run", "Print the plan of steps, and make nothing"),
)

USAGE = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
RUN = Verb(USAGE, run, RUN_FLAGS, 1, flags_first=True)
CREATE = Verb(USAGE, create_only, FLAGS, 1, flags_first=True)
