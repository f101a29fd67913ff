"""``--change`` of commit and import: Dockerfile instructions that change an image's config.

One function for each instruction, in a table.  Pure: a config and a line in, a
config out.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import posixpath
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from minidocker.errors import InvalidParameter
from minidocker.images.words import environment, expand, json_words, split_words, take_flags
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults

SHELL = ("/bin/sh", "-c")
PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII | re.IGNORECASE)
DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}
UNITS |= {"m": 60 * 10**9, "h": 3600 * 10**9}
REAL_TIME = re.compile(r"RTMIN(\+\d{1,2})?|RTMAX(-\d{1,2})?")
HEALTH_TIMES = {
    "interval": "interval",
    "timeout": "timeout",
    "start-period": "start_period",
    "start-interval": "start_interval",
}

Change = Callable[[RunDefaults, str], RunDefaults]


def apply_changes(config: RunDefaults, changes: Sequence[str]) -> RunDefaults:
    """``config`` after all the changes, in order.

    Each may have several lines; a backslash at a line's end joins it to the next, and a line
    that begins with ``#`` says nothing.  Raises as ``apply_change``.
    """
    lines = list(logical_lines("\n".join(changes)))
    if changes and not lines:
        raise InvalidParameter("file with no instructions")
    command_said = False
    for line in lines:
        before, config = config, apply_change(config, line)
        word = line.split()[0].upper()
        if word == "ENTRYPOINT" and command_said:
            config = replace(config, cmd=before.cmd)
        command_said |= word == "CMD"
    return config


def logical_lines(text: str) -> Iterable[str]:
    """The instructions of a text, each on one line."""
    joined = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1]
            continue
        if (joined + line).strip():
            yield (joined + line).strip()
        joined = ""
    if joined.strip():
        yield joined.strip()


def apply_change(config: RunDefaults, line: str) -> RunDefaults:
    """``config`` after one instruction, as ``CMD ["sh"]``.

    A new entry point drops the command, which was meant for the old one.  Raises
    ``InvalidParameter`` in Docker's words.
    """
    word, *more = line.split(None, 1) or [""]
    rest = more[0].rstrip() if more else ""
    change = CHANGES.get(word.upper())
    if change is None:
        raise InvalidParameter(f"{word.lower()} is not a valid change command")
    if word.upper() == "HEALTHCHECK":
        return change(config, rest)
    flags, rest = take_flags(rest)
    for name in flags:
        raise InvalidParameter(f"Unknown flag: {name}")
    return change(config, rest.strip())


def _variables(config: RunDefaults) -> dict[str, str]:
    return environment(config.env)


def _words(name: str, config: RunDefaults, rest: str) -> list[str]:
    words = [expand(word, _variables(config)) for word in split_words(rest)]
    if not words:
        raise InvalidParameter(f"{name} requires at least one argument")
    return words


def _one(name: str, config: RunDefaults, rest: str) -> str:
    if not rest:
        raise InvalidParameter(f"{name} requires exactly one argument")
    return expand(rest, _variables(config))


def _pairs(name: str, config: RunDefaults, rest: str) -> dict[str, str]:
    """``a=b c="d e"``, or in the old form ``a b and more``."""
    words = split_words(rest)
    if not words:
        raise InvalidParameter(f"{name} requires at least one argument")
    if "=" not in words[0]:
        pair = rest.split(None, 1)
        if len(pair) < 2:
            raise InvalidParameter(f"{name} must have two arguments")
        pairs = [(pair[0], pair[1])]
    else:
        for word in words:
            if "=" not in word:
                raise InvalidParameter(
                    f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value'
                )
        pairs = [(word.partition("=")[0], word.partition("=")[2]) for word in words]
    variables = _variables(config)
    found = {expand(key, variables): expand(value, variables) for key, value in pairs}
    if "" in found:
        raise InvalidParameter(f"{name} names can not be blank")
    return found


def _env(config: RunDefaults, rest: str) -> RunDefaults:
    entries = {entry.partition("=")[0]: entry for entry in config.env}
    entries |= {key: f"{key}={value}" for key, value in _pairs("ENV", config, rest).items()}
    return replace(config, env=tuple(entries.values()))


def _label(config: RunDefaults, rest: str) -> RunDefaults:
    return replace(config, labels={**config.labels, **_pairs("LABEL", config, rest)})


def _command(config: RunDefaults, rest: str) -> tuple[str, ...]:
    """The JSON form as it is, the other through the shell."""
    words = json_words(rest)
    return (*(config.shell or SHELL), *([rest] if rest else [])) if words is None else words


def _cmd(config: RunDefaults, rest: str) -> RunDefaults:
    return replace(config, cmd=_command(config, rest), args_escaped=False)


def _entrypoint(config: RunDefaults, rest: str) -> RunDefaults:
    return replace(config, entrypoint=_command(config, rest) or None, cmd=None)


def _expose(config: RunDefaults, rest: str) -> RunDefaults:
    found: list[str] = list(config.exposed_ports)
    for word in _words("EXPOSE", config, rest):
        match = PORTS.fullmatch(word)
        first = int(match[1]) if match else -1
        last = int(match[2] or match[1]) if match else -1
        if match is None or not 0 < first <= last <= 65535:
            raise InvalidParameter(f"Invalid containerPort: {word.partition('/')[0]}")
        kind = (match[3] or "tcp").lower()
        found += [f"{port}/{kind}" for port in range(first, last + 1)]
    return replace(config, exposed_ports=tuple(dict.fromkeys(found)))


def _on_build(config: RunDefaults, rest: str) -> RunDefaults:
    if not rest:
        raise InvalidParameter("ONBUILD requires at least one argument")
    trigger = rest.split()[0].upper()
    if trigger == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("MAINTAINER", "FROM"):
        raise InvalidParameter(f"{trigger} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=(*config.on_build, rest))


def _user(config: RunDefaults, rest: str) -> RunDefaults:
    return replace(config, user=_one("USER", config, rest))


def _workdir(config: RunDefaults, rest: str) -> RunDefaults:
    path = posixpath.join("/", config.working_dir, _one("WORKDIR", config, rest))
    return replace(config, working_dir="/" + posixpath.normpath(path).lstrip("/"))


def _volume(config: RunDefaults, rest: str) -> RunDefaults:
    words = json_words(rest)
    if words is None:
        words = tuple(_words("VOLUME", config, rest))
    elif not words:
        raise InvalidParameter("VOLUME requires at least one argument")
    else:
        words = tuple(expand(word, _variables(config)) for word in words)
    if not all(word.strip() for word in words):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    return replace(config, volumes=tuple(dict.fromkeys((*config.volumes, *words))))


def _stop_signal(config: RunDefaults, rest: str) -> RunDefaults:
    name = _one("STOPSIGNAL", config, rest)
    word = name.upper().removeprefix("SIG")
    number = word.isascii() and word.isdigit() and 0 < int(word) <= signal.SIGRTMAX
    known = f"SIG{word}" in signal.Signals.__members__ or REAL_TIME.fullmatch(word)
    if not number and not known:
        raise InvalidParameter(f"Invalid signal: {name}")
    return replace(config, stop_signal=name)


def _healthcheck(config: RunDefaults, rest: str) -> RunDefaults:
    flags, rest = take_flags(rest)
    kind, *more = rest.split(None, 1) or [""]
    kind, command = kind.upper(), more[0].strip() if more else ""
    if not kind:
        raise InvalidParameter("HEALTHCHECK requires at least one argument")
    if kind == "NONE":
        if command or flags:
            raise InvalidParameter("HEALTHCHECK NONE takes no arguments")
        return replace(config, healthcheck=ImageHealthcheck(("NONE",)))
    if kind != "CMD":
        raise InvalidParameter(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')
    numbers = {_health_name(name): _health_number(name, text) for name, text in flags.items()}
    if not command:
        raise InvalidParameter("Missing command after HEALTHCHECK CMD")
    words = json_words(command)
    test = ("CMD-SHELL", command) if words is None else ("CMD", *words)
    return replace(config, healthcheck=ImageHealthcheck(test, **numbers))


def _health_name(flag: str) -> str:
    if flag == "retries":
        return flag
    if flag not in HEALTH_TIMES:
        raise InvalidParameter(f"Unknown flag: {flag}")
    return HEALTH_TIMES[flag]


def _health_number(flag: str, text: str) -> int:
    if flag == "retries":
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise InvalidParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        if int(text) < 1:
            raise InvalidParameter(f"--retries must be at least 1 (not {int(text)})")
        return int(text)
    found = parse_duration(text)
    if 0 < found < 10**6:
        raise InvalidParameter(f'Interval "{flag}" cannot be less than 1ms')
    return found


def parse_duration(text: str) -> int:
    """Go's "1m30s" in nanoseconds.  Raises ``InvalidParameter``."""
    parts = DURATION.findall(text)
    if text != "0" and (not parts or "".join(map("".join, parts)) != text):
        raise InvalidParameter(f'time: invalid duration "{text}"')
    return sum(round(float(number) * UNITS[unit]) for number, unit in parts)


CHANGES: dict[str, Change] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
