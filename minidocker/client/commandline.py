"""One command of the command line as a value, and click made to speak like Docker.

A ``Verb`` says what a command takes and what it runs; click parses.  Where a
line is wrong, the texts and exit codes are those that scripts know from the
docker command: 125 for a bad flag, 1 for too few arguments.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from minidocker.client.flags import Flag
from minidocker.errors import InvalidParameter, MinidockerError

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


class Value(click.ParamType):  # type: ignore[type-arg]
    """A flag's value, read by ``Flag.read``; what it refuses is said with Docker's words."""

    name = "value"

    def __init__(self, flag: Flag) -> None:
        self.flag = flag

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self.flag.read(value)
        except InvalidParameter as error:
            raise click.UsageError(
                f'invalid argument "{value}" for "{self.flag.shown}" flag: {error}', ctx
            ) from error


class VerbCommand(click.Command):
    """Click's view of a ``Verb``."""

    def __init__(self, name: str, path: str, verb: Verb) -> None:
        arguments: click.Parameter = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
        params = [*map(option, verb.flags), arguments]
        super().__init__(name, params=params, callback=self._call, add_help_option=False)
        self.allow_interspersed_args = not verb.flags_first
        self.path, self.verb = path, verb

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill ``ctx.params``; a mistake is a ``UsageError`` that knows its command by ``ctx``."""
        if self.verb.theirs and args != ["--help"]:
            ctx.params = {"arguments": tuple(args)}
            return []
        try:
            args = rewrite(args, self.verb.flags, self.verb.flags_first)
        except click.UsageError as error:
            raise click.UsageError(error.message, ctx) from error
        if HELP in args:
            click.echo(help_text(self.path, self.verb))
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def _call(self, arguments: Sequence[str], **values: Any) -> int:
        check_count(self.path, self.verb, len(arguments))
        gc.enable()
        session: Session = click.get_current_context().find_root().obj
        return self.verb.run(session, values, list(arguments))


HELP = "\0help"  # an argument that no command line can hold


def option(flag: Flag) -> click.Option:
    """Click's option for ``flag``; ``--no-x`` is how ``rewrite`` spells ``--x=false``."""
    short = [f"-{flag.short}"] if flag.short else []
    alias = [f"--{flag.alias}"] if flag.alias else []
    if flag.kind == "bool":
        names = [f"--{flag.name}/--no-{flag.name}", *short, flag.key]
        return click.Option(names, is_flag=True, default=flag.default)
    names = [f"--{flag.name}", *alias, *short, flag.key]
    return click.Option(names, type=Value(flag), multiple=flag.many, default=flag.default)


def rewrite(args: list[str], flags: Sequence[Flag], flags_first: bool) -> list[str]:
    """``args`` as click reads them, from how Go's pflag does.

    ``--rm=false`` becomes ``--no-rm``, ``-e=A=B`` becomes ``-eA=B``, ``--help`` a mark; what
    stands after ``--``, or after the first argument with ``flags_first``, stays.
    """
    switches = {flag.name for flag in flags if flag.kind == "bool"}
    letters = {flag.short: flag for flag in flags if flag.short}
    names = {name for flag in flags for name in (flag.name, flag.alias) if name}
    valued = names - switches
    done: list[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        name, given, value = arg[2:].partition("=")
        if arg == "--" or (flags_first and (not arg.startswith("-") or arg == "-")):
            return [*done, arg, *rest]
        if arg == "--help" or (arg == "-h" and "h" not in letters):
            return [HELP]
        if arg.startswith("--") and given and name in switches:
            done.append(f"--{name}" if _truth(name, value) else f"--no-{name}")
        elif arg.startswith("--") or not arg.startswith("-"):
            if arg.startswith("--no-") and arg[2:] not in names:
                raise click.UsageError(f"unknown flag: {arg}")
            done.append(arg)
            if name in valued and not given:
                done += rest[:1]
                del rest[:1]
        else:
            words, takes_next = _cluster(arg, letters)
            done += words
            if takes_next:
                if not rest:
                    raise click.UsageError(f"flag needs an argument: '{arg[-1]}' in -{arg[-1]}")
                done += rest[:1]
                del rest[:1]
    return done


def _truth(name: str, value: str) -> bool:
    from minidocker.client.specs import parse_bool

    try:
        return parse_bool(value)
    except InvalidParameter as error:
        raise click.UsageError(
            f'invalid argument "{value}" for "--{name}" flag: {error}'
        ) from error


def _cluster(arg: str, letters: Mapping[str, Flag]) -> tuple[list[str], bool]:
    """``-itm=64m`` in long flags, and whether the next argument is the last one's value.

    For a short flag click first looks for a long one like it, which takes a millisecond.
    """
    words: list[str] = []
    for at, letter in enumerate(arg[1:], 1):
        flag = letters.get(letter)
        if flag is None:
            raise click.UsageError(f"unknown shorthand flag: '{letter}' in {arg}")
        if flag.kind != "bool":
            value = arg[at + 1 :].removeprefix("=")
            if at + 1 == len(arg):
                return [*words, f"--{flag.name}"], True
            return [*words, f"--{flag.name}={value}"], False
        if arg[at + 1 : at + 2] == "=":
            truth = _truth(flag.name, arg[at + 2 :])
            return [*words, f"--{flag.name}" if truth else f"--no-{flag.name}"], False
        words.append(f"--{flag.name}")
    return words, False


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


def usage_failure(error: click.UsageError, path: str, verb: Verb | None) -> Failed:
    """Docker's text for a line that click could not parse; its exit code is 125."""
    text = error.format_message()
    if isinstance(error, click.NoSuchOption):
        text = f"unknown flag: {error.option_name}"
        if near := _near(error.option_name, verb):
            text += f"\nDid you mean {near}?"
    elif isinstance(error, click.BadOptionUsage):
        name = error.option_name
        dashes = "" if name.startswith("-") else "--" if len(name) > 1 else "-"
        text = f"flag needs an argument: {dashes}{name}"
    command = f"{PROGRAM} {path}".rstrip()
    usage = f"\n\nUsage:  {command} {verb.usage if verb else '[OPTIONS] COMMAND'}"
    return Failed(f"{text}{usage}\n\nRun '{command} --help' for more information", 125)
