"""A flag of a command as a value, and those that many commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minidocker.errors import InvalidParameter

TRUE = ("1", "t", "T", "true", "TRUE", "True")
FALSE = ("0", "f", "F", "false", "FALSE", "False")
OCTAL = re.compile(r"^([+-]?)0(?=[0-7_]+$)")


def text(value: str) -> str:
    return value


class Flag(NamedTuple):
    """``--name`` (and ``-short``).

    ``kind`` is what help shows: "bool" takes no value.  ``read`` turns one value's text into
    what the command works with, and raises ``InvalidParameter``.
    """

    name: str
    kind: str
    help: str
    short: str = ""
    read: Callable[[str], Any] = text
    default: Any = None
    many: bool = False
    alias: str = ""

    @property
    def key(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")

    @property
    def shown(self) -> str:
        """How Docker names it in messages: ``-m, --memory``."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def many(
    name: str, help: str, short: str = "", read: Callable[[str], Any] = text, kind: str = "list"
) -> Flag:
    return Flag(name, kind, help, short, read, (), many=True)


def switch(name: str, help: str, short: str = "", default: bool | None = False) -> Flag:
    return Flag(name, "bool", help, short, parse_bool, default)


def string(name: str, help: str, short: str = "", alias: str = "") -> Flag:
    return Flag(name, "string", help, short, default=None, alias=alias)


def number(name: str, help: str, short: str = "", alias: str = "") -> Flag:
    return Flag(name, "int", help, short, parse_int, alias=alias)


def refused(name: str, kind: str, help: str, reason: str, short: str = "") -> Flag:
    """A flag of the docker command's that is named and refused: ``reason`` says why."""

    def read(text: str) -> bool:
        if kind != "bool" or parse_bool(text):
            raise InvalidParameter(reason)
        return False

    return Flag(name, kind, f"{help} (not supported)", short, read, None)


def parse_bool(text: str) -> bool:
    """Go's ``strconv.ParseBool``, with which Docker reads ``--rm=false``."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise InvalidParameter(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_int(text: str) -> int:
    """A whole number of 64 bits (Go, ``strconv.ParseInt``): also 0x1f, 0o17 and 017."""
    return _number(text, "Int", -(2**63), 2**63 - 1)


def parse_uint16(text: str) -> int:
    return _number(text, "Uint", 0, 2**16 - 1)


def _number(text: str, kind: str, least: int, most: int) -> int:
    wrong = f'strconv.Parse{kind}: parsing "{text}"'
    try:
        value = int(OCTAL.sub(r"\g<1>0o", text), 0)
    except ValueError:
        value = None
    if value is None or not text.isascii() or text != text.strip():
        raise InvalidParameter(f"{wrong}: invalid syntax")
    if not least <= value <= most:
        raise InvalidParameter(f"{wrong}: value out of range")
    return value


def parse_filter(text: str) -> tuple[str, str]:
    """``--filter name=value``."""
    key, given, value = text.partition("=")
    if not given:
        raise InvalidParameter("bad format of filter (expected name=value)")
    return key.strip().lower(), value.strip()


def filters(given: Sequence[tuple[str, str]]) -> str | None:
    """All of a command's filters as the query has them; None when there are none."""
    from minidocker.wire.filters import encode

    found: dict[str, list[str]] = {}
    for key, value in given:
        found.setdefault(key, []).append(value)
    return encode(found) if found else None


def unchecked(text: str) -> bool:
    if not parse_bool(text):
        raise InvalidParameter("this engine does not check the signatures of images")
    return True


DETACH_KEYS = string("detach-keys", "Override the key sequence for detaching a container")
FILTER = many(
    "filter", "Filter output based on conditions provided", "f", parse_filter, kind="filter"
)
FORMAT = string("format", "'table', 'table TEMPLATE', 'json', or a Go template for each row")
OBJECT_FORMAT = string("format", "'json', or a Go template", "f")
NO_TRUNC = switch("no-trunc", "Don't truncate output")
UNTRUSTED = Flag(
    "disable-content-trust", "bool", "Skip image verification (default true)", "", unchecked, True
)
PLATFORM = string("platform", "Set platform if server is multi-platform capable")
