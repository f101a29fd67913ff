"""A template's text as tokens: the text between actions, and the words of each ``{{action}}``.

The rules are those of https://pkg.go.dev/text/template: ``{{- `` and `` -}}`` take away the
white space beside them, and ``{{/* ... */}}`` is a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

LEFT = re.compile(r"\{\{(-(?=[ \t\r\n]))?")
COMMENT = re.compile(r"(?:[ \t\r\n]+)?/\*")
TOKEN = re.compile(
    r"""
      (?P<right>([ \t\r\n]-)?\}\})
    | (?P<space>(?:(?![ \t\r\n]-\}\})[ \t\r\n])+)
    | (?P<string>"(?:\\.|[^"\\\n])*")
    | (?P<raw>`[^`]*`)
    | (?P<char>'(?:\\.|[^'\\\n])*')
    | (?P<number>[+-]?(?:\d|\.\d)(?:[eEpP][+-]\w|[\w.])*)
    | (?P<field>\.[^\W\d]\w*)
    | (?P<variable>\$\w*)
    | (?P<word>[^\W\d]\w*)
    | (?P<mark>:=|[()|=,.])
    """,
    re.X,
)
KEYWORDS = (
    *("if", "with", "range", "else", "end", "break", "continue"),
    *("block", "define", "template"),
)
UNFINISHED = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
}


class Token(NamedTuple):
    """``kind``: a group of ``TOKEN``, or text, left, keyword, error, end.  ``at``: its place."""

    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        """As Go's messages name it."""
        if self.kind == "end":
            return "EOF"
        if self.kind == "keyword" or self.text == ".":
            return f"<{self.text}>"
        shown = json.dumps(self.text[:10], ensure_ascii=False)
        return f"{shown}..." if len(self.text) > 10 else shown


def tokens(text: str) -> Iterator[Token]:
    """All of ``text``; what cannot be read is a last token of the kind error, with Go's words."""
    at, trim = 0, False
    while left := LEFT.search(text, at):
        literal = text[at : left.start()]
        literal = literal.lstrip(" \t\r\n") if trim else literal
        literal = literal.rstrip(" \t\r\n") if left[1] else literal
        if literal:
            yield Token("text", literal, at)
        comment = COMMENT.match(text, left.end())
        if comment and bool(left[1]) == (comment[0] != "/*"):
            end = text.find("*/", comment.end())
            right = TOKEN.match(text, end + 2) if end >= 0 else None
            if right is None or right.lastgroup != "right":
                wrong = "comment ends before closing delimiter" if end >= 0 else "unclosed comment"
                yield Token("error", wrong, left.end())
                return
            at, trim = right.end(), bool(right[2])
            continue
        yield Token("left", "{{", left.start())
        last = Token("left", "{{", left.end())
        for last in _action(text, left.end()):
            yield last
        if last.kind == "error":
            return
        at, trim = last.at + len(last.text), len(last.text) > len("}}")
    rest = text[at:].lstrip(" \t\r\n") if trim else text[at:]
    if rest:
        yield Token("text", rest, at)
    yield Token("end", "", len(text))


def _action(text: str, at: int) -> Iterator[Token]:
    """The tokens from ``at`` to the end of the action."""
    depth = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            yield Token("error", UNFINISHED.get(text[at]) or _stray(text, at), at)
            return
        kind, word = str(match.lastgroup), match[0]
        depth += (word == "(") - (word == ")") if kind == "mark" else 0
        if depth < 0 or (kind == "right" and depth):
            wrong = "unexpected right paren" if depth < 0 else "unclosed left paren"
            yield Token("error", wrong, at)
            return
        if kind == "number" and number(word) is None:
            yield Token("error", f"bad number syntax: {json.dumps(word)}", at)
            return
        yield Token("keyword" if kind == "word" and word in KEYWORDS else kind, word, at)
        if kind == "right":
            return
        at = match.end()
    yield Token("error", "unclosed action", at)


def _stray(text: str, at: int) -> str:
    """A character with no meaning: at a word's end it is bad, elsewhere unexpected."""
    before = re.search(r"[.$]?\w+$", text[:at])
    if before:
        return f"bad character U+{ord(text[at]):04X} '{text[at]}'"
    place = "command" if re.search(r"\{\{-?\s*$", text[:at]) else "operand"
    return f"unexpected {json.dumps(text[at], ensure_ascii=False)} in {place}"


def number(text: str) -> int | float | None:
    """The value of a number as Go writes them; None when it is none."""
    try:
        if re.search(r"^[+-]?0[xXbBoO]", text) or not re.search(r"[.eE]", text):
            return int(text, 0)
        return float(text)
    except ValueError:
        return None
