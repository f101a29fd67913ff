"""A command line read as the docker command reads it, by the rules of Go's pflag.

Long flags are ``--name value``, ``--name=value`` and, for those without a value,
``--name`` or ``--name=false``.  Short ones may be put together, and the last may have a
value: ``-itm 64m``, ``-m64m``, ``-m=64m``.  ``--`` ends the flags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minidocker.client.flags import Flag
from minidocker.errors import InvalidParameter


class WrongLine(Exception):
    """A line that cannot be read, with pflag's words; ``unknown`` is the flag that there is not."""

    def __init__(self, message: str, unknown: str = "") -> None:
        super().__init__(message)
        self.unknown = unknown


class HelpWanted(Exception):
    """``--help``, or ``-h`` where that is no other flag."""


def parse(
    args: Iterable[str], flags: Sequence[Flag], flags_first: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The flags' values by ``Flag.key``, and the arguments.

    With ``flags_first`` what follows the first argument is left as it stands.  Of a flag given
    twice the last counts; one that may be given often has a tuple.  Raises ``WrongLine``,
    ``HelpWanted``.
    """
    values = {flag.key: flag.default for flag in flags}
    long = {name: flag for flag in flags for name in (flag.name, flag.alias) if name}
    short = {flag.short: flag for flag in flags if flag.short}
    arguments: list[str] = []
    rest = list(reversed(list(args)))
    while rest:
        arg = rest.pop()
        if arg == "--":
            return values, arguments + rest[::-1]
        if not arg.startswith("-") or arg == "-":
            arguments.append(arg)
            if flags_first:
                return values, arguments + rest[::-1]
        elif arg.startswith("--"):
            _long(arg, long, rest, values)
        else:
            _cluster(arg, short, rest, values)
    return values, arguments


def _long(arg: str, flags: dict[str, Flag], rest: list[str], values: dict[str, Any]) -> None:
    name, given, value = arg[2:].partition("=")
    flag = flags.get(name)
    if flag is None:
        if name == "help":
            raise HelpWanted
        if not name or name.startswith("-"):
            raise WrongLine(f"bad flag syntax: {arg}")
        raise WrongLine(f"unknown flag: --{name}", name)
    if given:
        _keep(flag, value, values)
    elif flag.kind == "bool":
        _keep(flag, "true", values)
    elif rest:
        _keep(flag, rest.pop(), values)
    else:
        raise WrongLine(f"flag needs an argument: --{name}")


def _cluster(arg: str, flags: dict[str, Flag], rest: list[str], values: dict[str, Any]) -> None:
    letters = arg[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.get(letter)
        if flag is None:
            if letter == "h":
                raise HelpWanted
            raise WrongLine(f"unknown shorthand flag: '{letter}' in -{letter}{letters}")
        if letters.startswith("=") and len(letters) > 1:
            _keep(flag, letters[1:], values)
        elif flag.kind == "bool":
            _keep(flag, "true", values)
            continue
        elif letters:
            _keep(flag, letters, values)
        elif rest:
            _keep(flag, rest.pop(), values)
        else:
            raise WrongLine(f"flag needs an argument: '{letter}' in -{letter}")
        return


def _keep(flag: Flag, text: str, values: dict[str, Any]) -> None:
    try:
        value = flag.read(text)
    except InvalidParameter as error:
        raise WrongLine(f'invalid argument "{text}" for "{flag.shown}" flag: {error}') from error
    values[flag.key] = (*values[flag.key], value) if flag.many else value
