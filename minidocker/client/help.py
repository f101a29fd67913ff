"""What ``--help`` prints, and which names are near to one that there is not."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from minidocker.client.catalogue import ALIASES, GLOBAL, GROUPS, TOP, Entry, Table, find
from minidocker.client.commandline import PROGRAM, Failed, Verb
from minidocker.client.flags import Flag

WIDTH = 80  # columns, where there is no terminal


def help_for(words: list[str]) -> str:
    """The help of the program, of a group, or of the command that ``words`` name."""
    if not words:
        return overview("", "A container engine that one person can read", TOP)
    if len(words) == 1 and words[0] in GROUPS:
        return overview(words[0], *GROUPS[words[0]])
    try:
        path, entry, _ = find(words)
    except Failed:
        raise Failed(f"unknown help topic: {' '.join(words)}") from None
    return help_text(path, entry)


def overview(group: str, summary: str, table: Table) -> str:
    """Of the program, or of a group of commands."""
    program = f"{PROGRAM} {group}".rstrip()
    lines = [f"Usage:  {program} {'' if group else '[OPTIONS] '}COMMAND", "", summary]
    if not group:
        lines += ["", "Management Commands:"]
        lines += [f"  {name:11} {GROUPS[name][0]}" for name in sorted(GROUPS)]
    lines += ["", "Commands:"]
    lines += [f"  {name:11} {table[name].summary}" for name in sorted(table)]
    if not group:
        lines += ["", "Global Options:", *flag_lines(GLOBAL)]
    more = f"Run '{program} COMMAND --help' for more information on a command."
    return "\n".join([*lines, "", more])


def help_text(path: str, entry: Entry) -> str:
    """Of one command."""
    verb = entry.load()
    lines = [f"Usage:  {usage(path, verb)}", "", entry.summary]
    names = other_names(entry)
    if len(names) > 1:
        lines += ["", "Aliases:", f"  {', '.join(f'{PROGRAM} {name}' for name in names)}"]
    if verb.flags:
        lines += ["", "Options:", *flag_lines(verb.flags)]
    return "\n".join(lines)


def usage(path: str, verb: Verb) -> str:
    """The line, or lines, that show how a command is written."""
    return "\n\t".join(f"{PROGRAM} {path} {form}".rstrip() for form in verb.usage.split("\n"))


def other_names(entry: Entry) -> list[str]:
    """All names of a command, those within a group first."""
    names = []
    for group, (_, table) in GROUPS.items():
        for name in (name for name in table if table[name] == entry):
            also = [alias for alias, real in ALIASES.get(group, {}).items() if real == name]
            names += [f"{group} {each}" for each in (name, *also)]
    return [*names, *(name for name in TOP if TOP[name] == entry)]


def flag_lines(flags: Sequence[Flag]) -> list[str]:
    """Two columns, the second broken at the terminal's edge."""
    names = [
        f"{f'-{flag.short}, ' if flag.short else '    '}--{flag.name}"
        + ("" if flag.kind == "bool" else f" {flag.kind}")
        for flag in flags
    ]
    margin = max(map(len, names)) + 5
    columns = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
    room = max(columns - margin, 24)
    lines = []
    for name, flag in zip(names, flags, strict=True):
        first, *rest = textwrap.wrap(flag.help, room, break_on_hyphens=False)
        lines.append(f"  {name}".ljust(margin) + first)
        lines += [" " * margin + line for line in rest]
    return lines


def near(name: str, known: Iterable[str]) -> list[str]:
    """Those of ``known`` that ``name`` is the beginning of, or one slip away from."""
    if len(name) < 3:
        return []
    return [each for each in known if each.startswith(name) or one_slip(name, each)]


def one_slip(typed: str, meant: str) -> bool:
    """Whether one letter is missing, too much or wrong, or two have changed places."""
    short = min(len(typed), len(meant))
    begin = next((at for at in range(short) if typed[at] != meant[at]), short)
    end = next(
        (at for at in range(short - begin) if typed[-1 - at] != meant[-1 - at]), short - begin
    )
    left, right = typed[begin : len(typed) - end], meant[begin : len(meant) - end]
    if len(left) == len(right) == 2:
        return left == right[::-1]
    return max(len(left), len(right)) == 1
