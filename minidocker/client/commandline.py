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
from minidocker.client.pflag import HelpWanted, WrongLine, parse
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
    help: str
    run: Run
    flags: tuple[Flag, ...] = ()
    least: int = 0
    most: int | None = None
    flags_first: bool = False
    theirs: bool = False


def call(session: Session, path: str, verb: Verb, args: list[str]) -> int:
    """Read the line and run the command; its exit code.

    ``path`` is what was typed to name it.  Raises ``Failed`` for a line that is wrong.
    """
    try:
        values, arguments = read(verb, args)
    except WrongLine as error:
        raise usage_failure(error, path, verb) from None
    except HelpWanted:
        print(help_text(path, verb))
        return 0
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
    hint = "See" if most is None else "Run"
    if most == 0:
        wants = "accepts no arguments"
    elif least == most:
        wants = f"requires {least} argument{'s' * (least != 1)}"
    elif count < least:
        wants = f"requires at least {least} argument{'s' * (least != 1)}"
    else:
        wants = f"requires at most {most} argument{'s' * (most != 1)}"
    command = f"{PROGRAM} {path}"
    raise Failed(
        f"{PROGRAM}: '{command}' {wants}\n\nUsage:  {command} {verb.usage}\n\n"
        f"{hint} '{command} --help' for more information"
    )


def help_text(path: str, verb: Verb) -> str:
    """What ``--help`` prints."""
    lines = [f"Usage:  {PROGRAM} {path} {verb.usage}", "", verb.help]
    if verb.flags:
        shown = [
            (
                f"-{flag.short}, " if flag.short else "    ",
                f"--{flag.name}" + ("" if flag.kind == "bool" else f" {flag.kind}"),
                flag.help,
            )
            for flag in verb.flags
        ]
        width = max(len(name) for _, name, _ in shown) + 3
        lines += ["", "Options:"]
        lines += [f"  {short}{name:{width}}{help}" for short, name, help in shown]
    return "\n".join(lines)


def _near(name: str, verb: Verb | None) -> str:
    """The flags that ``name`` may be a slip of, as "--a or --b"; "" when none is near."""
    import difflib

    names = [f"--{flag.name}" for flag in verb.flags] if verb else []
    return " or ".join(difflib.get_close_matches(name, names, n=2, cutoff=0.7))


def usage_failure(error: WrongLine, path: str, verb: Verb | None) -> Failed:
    """Docker's text for a line that could not be read; its exit code is 125."""
    text = str(error)
    if error.unknown and (near := _near(error.unknown, verb)):
        text += f"\nDid you mean {near}?"
    command = f"{PROGRAM} {path}".rstrip()
    usage = f"\n\nUsage:  {command} {verb.usage if verb else '[OPTIONS] COMMAND'}"
    return Failed(f"{text}{usage}\n\nRun '{command} --help' for more information", 125)
