"""The words of a Dockerfile instruction: splitting, quotes, variables.  Pure.

Quoting is the shell's, but for two things: a word keeps its quotes until it is
expanded, and a variable that is not set is empty.

https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from minidocker.errors import InvalidParameter

NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?!$-]", re.ASCII)


def split_words(text: str) -> list[str]:
    """``text`` at its blanks, but not at quoted or escaped ones; quotes and escapes stay."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\" and quote != "'" and at < len(text):
            word += char + text[at]
            at += 1
        elif char.isspace() and not quote:
            words += [word] if word else []
            word = ""
        else:
            if char in "'\"" and quote in ("", char):
                quote = "" if quote else char
            word += char
    return [*words, word] if word else words


def json_words(text: str) -> tuple[str, ...] | None:
    """The words of the JSON form, ``["a", "b"]``; None when ``text`` is no JSON array.

    Raises ``InvalidParameter`` for an array of other things, in Docker's words.
    """
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(each, str) for each in found):
        raise InvalidParameter(
            "when using JSON array syntax, arrays must be comprised of strings only"
        )
    return tuple(found)


def take_flags(text: str) -> tuple[dict[str, str], str]:
    """The ``--name=value`` words that begin ``text``, and the rest.  ``--`` ends them."""
    flags: dict[str, str] = {}
    rest = text.lstrip()
    while rest.startswith("--"):
        word, *more = rest.split(None, 1)
        rest = more[0] if more else ""
        if word == "--":
            break
        name, _, value = word[2:].partition("=")
        flags[name] = value
    return flags, rest


def expand(word: str, variables: Mapping[str, str]) -> str:
    """The word without its quotes, and with its variables' values.

    Raises ``InvalidParameter`` for a quote or a brace that does not end, and for a ``${a:x}``
    of another kind than ``:-``, ``:+`` and ``:?`` (with or without the colon).
    """
    return _Expansion(word, variables).all()


def environment(entries: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` entries as variables."""
    return {key: value for key, _, value in (entry.partition("=") for entry in entries)}


class _Expansion:
    """One word, read from left to right."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0

    def all(self) -> str:
        return self._until("")

    def _next(self) -> str:
        char = self._text[self._at : self._at + 1]
        self._at += 1
        return char

    def _until(self, stop: str) -> str:
        """Up to the character ``stop``, which is taken; "" for the end."""
        result = ""
        while (char := self._next()) != stop:
            if not char:
                raise InvalidParameter(
                    f"unexpected end of statement while looking for matching {stop}"
                )
            if char == "'":
                result += self._single()
            elif char == '"':
                result += self._double()
            elif char == "$":
                result += self._variable()
            elif char == "\\":
                result += self._next() or "\\"
            else:
                result += char
        return result

    def _single(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise InvalidParameter(
                "unexpected end of statement while looking for matching single-quote"
            )
        found, self._at = self._text[self._at : end], end + 1
        return found

    def _double(self) -> str:
        result = ""
        while (char := self._next()) != '"':
            if not char:
                raise InvalidParameter(
                    "unexpected end of statement while looking for matching double-quote"
                )
            if char == "$":
                result += self._variable()
            elif char == "\\" and self._text[self._at : self._at + 1] in ('"', "$", "\\"):
                result += self._next()
            else:
                result += char
        return result

    def _variable(self) -> str:
        if self._text[self._at : self._at + 1] == "{":
            self._at += 1
            return self._braces()
        name = NAME.match(self._text, self._at)
        if name is None:
            return "$"
        self._at = name.end()
        return self._variables.get(name[0], "")

    def _braces(self) -> str:
        """``${name}`` and its kinds; the brace has been read."""
        name = NAME.match(self._text, self._at)
        if name is None:
            raise InvalidParameter(f"bad substitution in {self._text!r}")
        self._at = name.end()
        value = self._variables.get(name[0])
        kind = self._next()
        if kind == "}":
            return value or ""
        if kind == ":":
            kind, value = self._next(), value or None
        if kind not in ("-", "+", "?"):
            raise InvalidParameter(f"unsupported modifier ({kind}) in substitution")
        word = self._until("}")
        if kind == "+":
            return word if value is not None else ""
        if value is None and kind == "?":
            raise InvalidParameter(f"{name[0]}: {word or 'not set'}")
        return word if value is None else value
