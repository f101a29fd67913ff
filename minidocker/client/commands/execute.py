"""``exec``: one more program inside a container that runs."""

from __future__ import annotations

import os
from typing import Any

from minidocker.client import specs, terminal
from minidocker.client.attached import Foreground, converse
from minidocker.client.body import read_text
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import DETACH_KEYS, many, string, switch
from minidocker.client.session import Session

Json = dict[str, Any]


def exec_body(values: Values, command: list[str], env: list[str]) -> Json:
    """The request (Engine API, ContainerExec); ``env`` holds variables from files and flags."""
    attached = not values["detach"]
    body: Json = {
        "User": values["user"],
        "Privileged": values["privileged"],
        "Tty": values["tty"],
        "AttachStdin": attached and values["interactive"],
        "AttachStdout": attached,
        "AttachStderr": attached,
        "DetachKeys": values["detach_keys"],
        "Env": env,
        "WorkingDir": values["workdir"],
        "Cmd": command,
    }
    return {key: value for key, value in body.items() if value}


def execute(session: Session, values: Values, arguments: list[str]) -> int:
    """The exit code is the program's."""
    container, *command = arguments
    env: list[str] = []
    for path in values["env_file"]:
        env += specs.parse_env_file(read_text(path), path, os.environ)
    env += specs.parse_environment(values["env"], os.environ)
    ends = Foreground(
        tty=values["tty"],
        stdin=values["interactive"],
        stdout=True,
        stderr=True,
        keys=values["detach_keys"],
    )
    if not values["detach"]:
        terminal.check(ends.stdin, ends.tty)
    body = exec_body(values, command, env)
    id = session.daemon.ask("POST", f"/containers/{container}/exec", body).json()["Id"]
    start: Json = {"Detach": values["detach"], "Tty": values["tty"]}
    if values["detach"]:
        session.daemon.ask("POST", f"/exec/{id}/start", start).read()
        return 0
    rows, columns = terminal.size(1)
    if ends.tty and rows:
        start["ConsoleSize"] = [rows, columns]
    raw = session.another().hijack(f"/exec/{id}/start", start)
    if converse(session.daemon, raw, ends, f"/exec/{id}/resize", None, lambda: None):
        raise Failed("read escape sequence")
    return int(session.daemon.ask("GET", f"/exec/{id}/json").json()["ExitCode"] or 0)


EXEC = Verb(
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    execute,
    (
        switch("detach", "Detached mode: run command in the background", "d"),
        DETACH_KEYS,
        many("env", "Set environment variables", "e", specs.check_environment),
        many("env-file", "Read in a file of environment variables"),
        switch("interactive", "Keep STDIN open even if not attached", "i"),
        switch("privileged", "Give extended privileges to the command"),
        switch("tty", "Allocate a pseudo-TTY", "t"),
        string("user", "Username or UID (format: <name|uid>[:<group|gid>])", "u"),
        string("workdir", "Working directory inside the container", "w"),
    ),
    2,
    flags_first=True,
)
