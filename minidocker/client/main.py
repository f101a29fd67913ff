"""The command line's root: finds the command, runs it, turns what went wrong into words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from minidocker.client.catalogue import GLOBAL, GROUPS, find
from minidocker.client.commandline import Failed, call, usage_failure
from minidocker.client.flags import Flag, switch
from minidocker.client.pflag import HelpWanted, WrongLine, parse
from minidocker.errors import MinidockerError

HELP = switch("help", "Print usage")


def main(argv: Sequence[str]) -> int:
    """Run the command line ``argv`` (without the program's name); gives its exit code."""
    values: dict[str, Any] = {}
    try:
        code = dispatch(argv, values)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141  # as a shell names the end by SIGPIPE: who read our output has had enough
    except MinidockerError as error:
        return complain(error, debug=values.get("debug", False))


def dispatch(argv: Sequence[str], values: dict[str, Any]) -> int:
    """Find the command that ``argv`` names, and run it; ``values`` get the global flags'."""
    words = read_flags("", argv, GLOBAL, values)
    if words[:1] == ["help"]:
        values["help"], words = True, words[1:]
    if values["version"] and not words:
        from minidocker.client.commands.system import version_line

        print(version_line())
        return 0
    if words and words[0] in GROUPS and not values["help"]:
        words = [words[0], *read_flags(words[0], words[1:], (), values)]
    incomplete = not words or (len(words) == 1 and words[0] in GROUPS)
    if values["help"] or incomplete:
        return show_help(words, sys.stdout if values["help"] else sys.stderr)
    path, entry, args = find(words)
    try:
        return call(session(values), path, entry.load(), args)
    except HelpWanted:
        return show_help(words, sys.stdout)


def session(values: dict[str, Any]) -> Any:
    """What the global flags say of the daemon and of this side."""
    from minidocker.client.session import Session

    if len(values["host"]) > 1:
        raise Failed("Specify only one -H")
    config = values["config"]
    environ = {**os.environ, "DOCKER_CONFIG": config} if config else None
    return Session(next(iter(values["host"]), None), environ)


def read_flags(
    group: str, args: Sequence[str], flags: Sequence[Flag], values: dict[str, Any]
) -> list[str]:
    """The flags before a command's name, among them "help", into ``values``; what follows."""
    try:
        found, rest = parse(args, (*flags, HELP), flags_first=True)
    except WrongLine as error:
        raise usage_failure(error, group, None) from None
    except HelpWanted:  # -h
        found, rest = {"version": False, "help": True}, []
    values |= found
    return rest


def show_help(words: list[str], out: Any) -> int:
    from minidocker.client.help import help_for

    print(help_for(words), file=out)
    return 0


def complain(error: MinidockerError, debug: bool = False) -> int:
    """Say it on standard error; the exit code it stands for."""
    if debug:
        import traceback

        traceback.print_exception(error)
    elif str(error):
        print(error, file=sys.stderr)
    return error.code if isinstance(error, Failed) else 1
