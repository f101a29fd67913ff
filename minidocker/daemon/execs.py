"""Commands in a running container.  Engine API: ContainerExec, ExecStart, ExecInspect.

Create names the command, start runs it and gives its client's connection to the
container's monitor; the exit code is asked for afterwards.
"""

from __future__ import annotations

from typing import Any, Final

from minidocker.containers.execs import Exec, ExecSpec
from minidocker.containers.link import Client
from minidocker.daemon.container_streams import checked_keys, say_and_close
from minidocker.daemon.create_fields import PAIR
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import HIJACKED, Answer, Request, Response, json_response
from minidocker.daemon.fields import (
    COMMAND,
    FLAG,
    TEXT,
    WORDS,
    Field,
    lower_keys,
    read_fields,
    said,
)
from minidocker.errors import InvalidParameter, MinidockerError

FIELDS: Final = (
    Field("AttachStdin", "attach_stdin", FLAG),
    Field("AttachStdout", "attach_stdout", FLAG),
    Field("AttachStderr", "attach_stderr", FLAG),
    Field("ConsoleSize", "console_size", PAIR),
    Field("DetachKeys", "detach_keys", TEXT),
    Field("Tty", "tty", FLAG),
    Field("Env", "environment", WORDS),
    Field("Cmd", "command", COMMAND),
    Field("Privileged", "privileged", FLAG),
    Field("User", "user", TEXT),
    Field("WorkingDir", "working_dir", TEXT),
)
# ``Detach`` is said again at the start, and it counts there; docker-py names the container.
_KNOWN: Final = {field.name.lower() for field in FIELDS} | {"detach", "container"}


def read_exec(body: Any) -> ExecSpec:
    """The exec that a JSON ``body`` describes.  Raises ``InvalidParameter``."""
    given = lower_keys(body, "the body of an exec")
    for key in given.keys() - _KNOWN:
        if given[key]:
            raise InvalidParameter(f"{key}: there is no such field in an exec of API 1.50")
    values = read_fields(given, FIELDS)
    if not values.get("command"):
        raise InvalidParameter("No exec command specified")
    checked_keys(values.get("detach_keys", ""), "escape")
    return ExecSpec(**values)


async def create(engine: Engine, request: Request) -> Answer:
    spec = read_exec(await request.json())
    return json_response({"Id": engine.containers.exec_create(request.params["id"], spec)}, 201)


async def start(engine: Engine, request: Request) -> Answer:
    """``Detach``, ``Tty``, ``ConsoleSize``.

    Whatever fails after the connection is given away is said on the stream.
    """
    body = await request.json(required=False)
    given = {} if body is None else lower_keys(body, "the body of an exec's start")
    detach = said(given, "Detach", FLAG.read, False)
    size = said(given, "ConsoleSize", PAIR.read, (0, 0))
    # The start's own word, not the create's: it is this client that takes the stream apart.
    framed = not said(given, "Tty", FLAG.read, False)
    exec_id = request.params["id"]
    found = engine.containers.exec_check(exec_id)
    if detach:
        await engine.containers.exec_start(exec_id, None, size)
        return Response(200)
    spec = found.spec
    raw = await request.hijack(framed)
    client = Client(
        fd=raw.fd,
        stdin=spec.attach_stdin,
        stdout=spec.attach_stdout,
        stderr=spec.attach_stderr,
        detach_keys=spec.detach_keys,
        framed=framed,
        early=raw.early,
    )
    try:
        await engine.containers.exec_start(exec_id, client, size)
    except MinidockerError as error:
        await say_and_close(client, error.message)
    return HIJACKED


async def resize(engine: Engine, request: Request) -> Answer:
    rows, columns = request.number("h"), request.number("w")
    if rows is None or columns is None:
        raise InvalidParameter("a terminal's size is two numbers: h (rows) and w (columns)")
    engine.containers.exec_resize(request.params["id"], rows, columns)
    return Response(200)


async def inspect(engine: Engine, request: Request) -> Answer:
    return json_response(shape(engine.containers.exec_inspect(request.params["id"])))


def shape(found: Exec) -> dict[str, Any]:
    """``GET /exec/{id}/json``: the exit code is null until it has ended."""
    spec = found.spec
    return {
        "ID": found.id,
        "Running": found.running,
        "ExitCode": found.exit_code,
        "ProcessConfig": {
            "tty": spec.tty,
            "entrypoint": spec.command[0],
            "arguments": list(spec.command[1:]),
            "privileged": spec.privileged,
            **({"user": spec.user} if spec.user else {}),
        },
        "OpenStdin": spec.attach_stdin,
        "OpenStderr": spec.attach_stderr,
        "OpenStdout": spec.attach_stdout,
        "CanRemove": False,
        "ContainerID": found.container_id,
        "DetachKeys": spec.detach_keys,
        "Pid": found.pid,
    }
