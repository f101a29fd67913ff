"""Completion for shells: the scripts, and what may stand next on a line.

A script asks ``minidocker __complete WORD...`` when the key is pressed; the last word is the
one that is not finished.  So what can be completed is known in one place, the tables of
commands and flags, and what there is in the engine is asked of the daemon: quickly, and
without a word when it does not answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from minidocker.client.catalogue import GLOBAL, GROUPS, TOP, find
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import Connection
from minidocker.client.flags import Flag
from minidocker.client.session import Session
from minidocker.errors import MinidockerError

PATIENCE = 1.0  # seconds that the daemon has to name its containers or images

# Where nothing is printed, the shells complete the names of files.
SCRIPTS = {
    "bash": """\
_minidocker() {
    local line="${COMP_LINE:0:COMP_POINT}" last
    local -a words
    read -ra words <<<"$line"
    [[ $line != *[[:space:]] ]] || words+=("")
    last="${words[-1]}"
    local IFS=$'\\n'
    COMPREPLY=($("${words[0]}" __complete "${words[@]:1}" 2>/dev/null))
    # To bash a colon ends a word, unless told otherwise: it wants what comes after it.
    [[ $COMP_WORDBREAKS != *:* || $last != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${last%:*}:"}")
    [[ ${COMPREPLY[0]} != *: ]] || compopt -o nospace
}
complete -o bashdefault -o default -F _minidocker minidocker
""",
    "zsh": """\
#compdef minidocker
_minidocker() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _minidocker minidocker
""",
    "fish": """\
function __minidocker
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c minidocker -a '(__minidocker)'
""",
}


def completion(session: Session, values: Values, names: list[str]) -> int:
    """The script for a shell, to be read by it as it starts."""
    if names[0] not in SCRIPTS:
        raise Failed(f"there is no completion for {names[0]}: write bash, zsh or fish")
    print(SCRIPTS[names[0]], end="")
    return 0


def complete(session: Session, values: Values, words: list[str]) -> int:
    """A line for each way to go on, and no word about what is wrong with the line so far."""
    *before, last = words or [""]
    try:
        found = candidates(session, before, last)
    except MinidockerError:
        found = []
    print("".join(f"{each}\n" for each in sorted({*found}) if each.startswith(last)), end="")
    return 0


def candidates(session: Session, before: Sequence[str], last: str) -> Iterable[str]:
    """What may stand after ``before``; ``last`` is what has been typed of it."""
    rest = list(before)
    while rest and rest[0].startswith("-"):  # flags of the program itself
        flag = rest.pop(0)
        if wants_value(GLOBAL, flag):
            if not rest:
                return []
            rest.pop(0)
    if not rest:
        return names_of(GLOBAL) if last.startswith("-") else [*TOP, *GROUPS]
    if rest[0] in GROUPS and len(rest) == 1:
        return GROUPS[rest[0]][1]
    path, entry, typed = find(rest)
    verb = entry.load()
    place = argument(verb, typed)
    if place is None:
        return []
    if last.startswith("-") and not (verb.flags_first and place):
        return names_of(verb.flags)
    return known_names(session, path, verb, place)


def argument(verb: Verb, typed: Sequence[str]) -> int | None:
    """The number of the argument that is to come; None: a flag's value is."""
    place, value = 0, False
    for word in typed:
        if value:
            value = False
        elif not word.startswith("-") or (verb.flags_first and place):
            place += 1
        else:
            value = wants_value(verb.flags, word)
    return None if value else place


def wants_value(flags: Sequence[Flag], word: str) -> bool:
    """Whether the next word is the value of ``word``, a flag."""
    names = {name for flag in flags if flag.kind != "bool" for name in (flag.name, flag.alias)}
    shorts = {flag.short for flag in flags if flag.kind != "bool"}
    if word.startswith("--"):
        return word[2:] in names
    return word[-1:] in shorts and not any(letter in shorts for letter in word[1:-1])


def names_of(flags: Sequence[Flag]) -> list[str]:
    return ["--help", *(f"--{flag.name}" for flag in flags)]


# The containers that a command is for, where it is not for all.
RUNNING = dict.fromkeys(("attach", "exec", "kill", "pause", "stats", "stop", "top"), "running")
STATES = {**RUNNING, "start": "exited created", "unpause": "paused"}


def known_names(session: Session, path: str, verb: Verb, place: int) -> list[str]:
    """Names of containers or images, as the command's usage says what stands at ``place``."""
    words = [word for word in verb.usage.split("\n")[0].split() if word != "[OPTIONS]"]
    if not words or (place >= len(words) and "..." not in words[-1]):
        return []
    what = words[min(place, len(words) - 1)]
    if re.fullmatch(r"[a-z|]+", what):
        return what.split("|")
    found: list[str] = []
    if "CONTAINER" in what or "NAME|ID" in what:
        found += containers(session, STATES.get(path.split()[-1], ""))
        if "PATH" in what:
            found = [f"{name}:" for name in found]
    if re.search(r"IMAGE|REPOSITORY|NAME\|ID", what):
        found += images(session)
    return found


def containers(session: Session, states: str) -> list[str]:
    from minidocker.client.flags import filters

    chosen = filters([("status", state) for state in states.split()])
    found = ask(session, "/containers/json", all=True, filters=chosen)
    return [name.removeprefix("/") for each in found for name in each["Names"]]


def images(session: Session) -> list[str]:
    found = ask(session, "/images/json")
    tags = [tag for each in found for tag in each["RepoTags"] or () if not tag.startswith("<none>")]
    return tags + [tag.removesuffix(":latest") for tag in tags]


def ask(session: Session, path: str, **query: Any) -> list[dict[str, list[str]]]:
    """What a daemon says that runs already; nothing from one that is slow or not there."""
    connection = Connection(session.address)
    try:
        connection.open().settimeout(PATIENCE)
        said: list[dict[str, list[str]]] = connection.ask("GET", path, **query).json()
        return said
    except (OSError, MinidockerError):
        return []


COMPLETION = Verb("bash|zsh|fish", completion, least=1, most=1)
COMPLETE = Verb("[WORD...]", complete, theirs=True)
