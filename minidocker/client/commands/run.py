"""``run``, ``create`` and ``start``: from flags to a container that runs.

``run`` asks in Docker's order: create (pulling the image if it is not there),
attach, wait, start.  See ``client.attached`` for why.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from minidocker.client import terminal
from minidocker.client.attached import (
    Ending,
    Foreground,
    attach,
    check_terminal,
    converse,
    run_code,
)
from minidocker.client.body import Host, create_body, read_text
from minidocker.client.commandline import PROGRAM, Failed, Values, Verb
from minidocker.client.connection import ApiError, Raw
from minidocker.client.flags import FLAGS, Flag, string, switch
from minidocker.client.session import Session
from minidocker.errors import InvalidParameter, MinidockerError

Json = dict[str, Any]

PULLS = ("always", "missing", "never")
REMOVAL_PATIENCE = 10.0  # seconds that a container has to go after a failed start with --rm


def run(session: Session, values: Values, arguments: list[str]) -> int:
    """``minidocker run``; the exit code is the program's, or 125, 126, 127 when it never ran."""
    try:
        if values["dry_run"]:
            return dry_run(session, values, arguments)
        if values["attach"] and values["detach"]:
            raise Failed("conflicting options: cannot specify both --attach and --detach")
        body = request(values, arguments)
        if not values["detach"]:
            check_terminal(bool(body.get("AttachStdin")), values["tty"])
        id = create(session, values, body)
        return start_created(session, values, body, id)
    except Failed:
        raise
    except MinidockerError as error:
        raise with_help("run", error, run_code(error)) from error


def create_only(session: Session, values: Values, arguments: list[str]) -> int:
    """``minidocker create``: the ID on standard output."""
    try:
        print(create(session, values, request(values, arguments)))
    except Failed:
        raise
    except MinidockerError as error:
        raise with_help("create", error, 125) from error
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
    from minidocker.client.pulling import pull, with_tag

    cidfile = values["cidfile"]
    if cidfile and os.path.exists(cidfile):
        raise InvalidParameter(
            "container ID file found, make sure the other container isn't running "
            f"or delete {cidfile}"
        )
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
    id = str(made["Id"])
    if cidfile:
        try:
            with open(cidfile, "x") as file:
                file.write(id)
        except OSError as error:
            raise InvalidParameter(
                f"failed to write the container ID to the file: {cidfile}: {error.strerror}"
            ) from error
    return id


def _post(session: Session, values: Values, body: Json) -> Json:
    made: Json = session.daemon.ask(
        "POST", "/containers/create", body, name=values["name"], platform=values["platform"]
    ).json()
    return made


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
    steps: list[str] = []

    def begin() -> None:
        session.daemon.ask("POST", f"/containers/{id}/start").read()
        if values["explain"]:
            from minidocker.client.explain import fetch_trace

            steps.append(fetch_trace(session.daemon, id))

    try:
        if values["detach"]:
            begin()
            print(id)
            return 0
        return _foreground(session, id, ends, values, begin)
    finally:
        for text in steps:
            print(text, file=sys.stderr)


def _foreground(session: Session, id: str, ends: Foreground, values: Values, begin: Any) -> int:
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


def dry_run(session: Session, values: Values, arguments: list[str]) -> int:
    """Print the plan of a start; nothing is made."""
    from minidocker.client.explain import plan_text

    plan = session.daemon.ask("POST", "/minidocker/plan", request(values, arguments)).json()
    print(plan_text(plan["steps"]))
    return 0


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
        raise Failed(f"failed to start containers: {', '.join(failed)}")
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
    check_terminal(ends.stdin, ends.tty)
    removed = shown["HostConfig"].get("AutoRemove")
    raw = attach(session, id, ends)
    ending = Ending(session, id, "removed" if removed else "next-exit")

    def begin() -> None:
        session.daemon.ask("POST", f"/containers/{id}/start").read()

    kill = None if ends.tty else f"/containers/{id}/kill"
    if converse(session.daemon, raw, ends, f"/containers/{id}/resize", kill, begin):
        return 0
    return ending.code()


DETACH_KEYS = string("detach-keys", "Override the key sequence for detaching a container")

RUN_FLAGS: tuple[Flag, ...] = (
    *FLAGS,
    switch("detach", "Run container in background and print container ID", "d"),
    DETACH_KEYS,
    switch("sig-proxy", "Proxy received signals to the process (default true)", default=True),
    switch("explain", "Print what really happens: each step, process, call and time"),
    switch("dry-run", "Print the plan of steps, and make nothing"),
)

USAGE = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
RUN = Verb(
    USAGE, "Create and run a new container from an image", run, RUN_FLAGS, 1, flags_first=True
)
CREATE = Verb(USAGE, "Create a new container", create_only, FLAGS, 1, flags_first=True)
START = Verb(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Start one or more stopped containers",
    start,
    (
        switch("attach", "Attach STDOUT/STDERR and forward signals", "a"),
        DETACH_KEYS,
        switch("interactive", "Attach container's STDIN", "i"),
    ),
    1,
)
