"""One command of the command line as a value.

A ``Verb`` says what a command takes and what it runs.  Where a line is wrong, the
texts and exit codes are those that scripts know from the docker command: 125
for a bad flag, 1 for too few arguments.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from minidocker.client.flags import Flag
from minidocker.client.pflag import WrongLine, parse
from minidocker.errors import MinidockerError

if TYPE_CHECKING:
    from minidocker.client.session import Session

PROGRAM = "minidocker"

Values = Mapping[str, Any]
Run = Callable[["Session", Values, list[str]], int]


class Failed(MinidockerError):
    """End with ``code`` after saying ``message`` on standard error ("": it has been said)."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Verb(NamedTuple):
    """``usage`` follows the command's name in messages.  ``least`` and ``most`` count arguments.

    With ``flags_first`` everything after the first argument belongs to somebody else's program;
    with ``theirs`` everything does, flags too.
    """

    usage: str
    run: Run
    flags: tuple[Flag, ...] = ()
    least: int = 0
    most: int | None = None
    flags_first: bool = False
    theirs: bool = False


def call(session: Session, path: str, verb: Verb, args: list[str]) -> int:
    """Read the line and run the command; its exit code.

    ``path`` is the command's name.  Raises ``Failed`` for a line that is wrong, ``HelpWanted``.
    """
    try:
        values, arguments = read(verb, args)
    except WrongLine as error:
        raise usage_failure(error, path, verb) from None
    check_count(path, verb, len(arguments))
    gc.enable()
    return verb.run(session, values, arguments)


def read(verb: Verb, args: list[str]) -> tuple[Values, list[str]]:
    """Flags and arguments of a line.  Raises ``WrongLine``, ``HelpWanted``."""
    if verb.theirs and args != ["--help"]:
        return {}, args
    return parse(args, verb.flags, verb.flags_first)


def check_count(path: str, verb: Verb, count: int) -> None:
    """Raise ``Failed`` with Docker's words when there are too few or too many arguments."""
    least, most = verb.least, verb.most
    if count >= least and (most is None or count <= most):
        return
    if most == 0:
        wants = "accepts no arguments"
    elif least == most:
        wants = f"requires {counted(least)}"
    elif most is None:
        wants = f"requires at least {counted(least)}"
    elif least == 0:
        wants = f"requires at most {counted(most)}"
    else:
        wants = f"requires at least {least} and at most {counted(most)}"
    from minidocker.client.help import usage

    command = f"{PROGRAM} {path}"
    hint = "See" if most is None else "Run"
    raise Failed(
        f"{PROGRAM}: '{command}' {wants}\n\nUsage:  {usage(path, verb)}\n\n"
        f"{hint} '{command} --help' for more information"
    )


def counted(count: int) -> str:
    return f"{count} argument{'s' * (count != 1)}"


def usage_failure(error: WrongLine, path: str, verb: Verb | None) -> Failed:
    """Docker's text for a line that could not be read; its exit code is 125.

    ``verb`` None: the line of the program itself, or of a group.
    """
    from minidocker.client.help import near, usage

    text = str(error)
    known = [flag.name for flag in verb.flags] if verb else []
    if flags := near(error.unknown, known):
        text += f"\nDid you mean {' or '.join(f'--{name}' for name in flags)}?"
    command = f"{PROGRAM} {path}".rstrip()
    shown = usage(path, verb) if verb else command if path else f"{command} [OPTIONS] COMMAND"
    return Failed(f"{text}\n\nUsage:  {shown}\n\nRun '{command} --help' for more information", 125)
