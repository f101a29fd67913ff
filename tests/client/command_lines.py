"""Command lines of ``run``, and how to turn them into a request without a process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidocker.client.body import Host, create_body
from minidocker.client.commandline import read
from minidocker.client.commands.run import RUN
from minidocker.client.pflag import WrongLine
from minidocker.errors import InvalidParameter

ENVIRONMENT = {"HOME": "/root", "EMPTY": ""}


def host(files: Mapping[str, str] | None = None) -> Host:
    """A machine of fixed variables and files, working in /cwd."""

    def read(path: str) -> str:
        if path not in (files or {}):
            raise InvalidParameter(f"open {path}: no such file or directory")
        return (files or {})[path]

    return Host(ENVIRONMENT, "/cwd", read)


def body_of(*line: str, files: Mapping[str, str] | None = None, cwd: str = "") -> dict[str, Any]:
    """The create request for ``minidocker run LINE``.  Raises what refuses it."""
    values, (image, *arguments) = read(RUN, list(line))
    machine = host(files)
    if cwd:
        machine = Host(machine.environ, cwd, machine.read)
    return create_body(values, image, arguments, machine)


def refusal(*line: str) -> str:
    """What is said about a line that is refused."""
    try:
        body_of(*line)
    except (WrongLine, InvalidParameter) as error:
        return str(error)
    raise AssertionError(f"accepted: {line}")
