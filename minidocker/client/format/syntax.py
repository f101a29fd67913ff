"""Go's text/template, first half: from text to a tree.

``--format`` is such a template (https://pkg.go.dev/text/template).  Understood are text,
pipelines with functions, fields, variables and literals, ``if``, ``with``, ``range`` with
``else``, ``break`` and ``continue``.  What Go says about a wrong one names nodes by their
text and place, so each node has both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass, field

from minidocker.client.format.lexer import Token, number, tokens
from minidocker.errors import InvalidParameter


@dataclass(frozen=True)
class Node:
    """``at``: its place in the text, in characters."""

    at: int


@dataclass(frozen=True)
class Text(Node):
    text: str


@dataclass(frozen=True)
class Literal(Node):
    """A string, number, true, false or nil, and how it was written."""

    value: object
    written: str

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True)
class Field(Node):
    """``.A.B``; no names: the dot."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "." + ".".join(self.names)


@dataclass(frozen=True)
class Variable(Node):
    """``$x.A.B``"""

    name: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.name, *self.names))


@dataclass(frozen=True)
class Function(Node):
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Chain(Node):
    """``(pipeline).A.B``"""

    base: Term
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_shown(self.base)}.{'.'.join(self.names)}"


@dataclass(frozen=True)
class Command(Node):
    """One stage of a pipeline: the first term, given the others."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " ".join(map(_shown, self.terms))


@dataclass(frozen=True)
class Pipeline(Node):
    """``a | b | c``; ``variables`` take its value (two of them in a range)."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False

    def __str__(self) -> str:
        names = f"{', '.join(self.variables)} {'=' if self.assigns else ':='} "
        return (names if self.variables else "") + " | ".join(map(str, self.commands))


Term = Literal | Field | Variable | Function | Chain | Pipeline


def _shown(term: Term) -> str:
    return f"({term})" if isinstance(term, Pipeline) else str(term)


@dataclass(frozen=True)
class Block(Node):
    """``if``, ``with`` or ``range``; ``orelse`` is what follows ``else``."""

    kind: str
    pipeline: Pipeline
    body: list[Node] = field(default_factory=list)
    orelse: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Jump(Node):
    """``break`` or ``continue``"""

    kind: str


def parse(text: str, functions: Container[str], name: str = "") -> list[Node]:
    """The tree of a template.  Raises ``InvalidParameter`` with Go's words for a wrong one."""
    parser = _Parser(text, functions, name)
    nodes, end = parser.nodes()
    if end.kind != "end":
        raise parser.wrong(f"unexpected {{{{{end.text}}}}}", end)
    return nodes


class _Parser:
    """The tokens of a template, from left to right."""

    def __init__(self, text: str, functions: Container[str], name: str) -> None:
        self.text, self.functions, self.name = text, functions, name
        self.tokens = list(tokens(text))
        self.next = 0
        self.variables = ["$"]
        self.ranges = 0  # how many of them we are in

    def wrong(self, message: str, token: Token) -> InvalidParameter:
        line = self.text.count("\n", 0, token.at) + 1
        return InvalidParameter(f"template: {self.name}:{line}: {message}")

    def unexpected(self, token: Token, place: str) -> InvalidParameter:
        if token.kind == "error":
            return self.wrong(token.text, token)
        return self.wrong(f"unexpected {token} in {place}", token)

    def peek(self) -> Token:
        return self.tokens[self.next]

    def skip_space(self) -> Token:
        """The next token that is no space; it stays the next."""
        while self.peek().kind == "space":
            self.next += 1
        return self.peek()

    def take(self) -> Token:
        token = self.skip_space()
        self.next += 1
        return token

    # Blocks

    def nodes(self) -> tuple[list[Node], Token]:
        """Up to ``end``, ``else`` or the end of the text; that is the token."""
        found: list[Node] = []
        while True:
            token = self.take()
            if token.kind == "text":
                found.append(Text(token.at, token.text))
                continue
            if token.kind == "end":
                return found, token
            if token.kind == "error":
                raise self.wrong(token.text, token)
            word = self.skip_space()
            if word.kind != "keyword":
                pipeline = self.pipeline("command")
                self.take()
                found.append(pipeline)
            elif word.text in ("end", "else"):
                self.next += 1
                return found, word
            else:
                self.next += 1
                found.append(self.keyword(word))

    def keyword(self, word: Token) -> Node:
        if word.text in ("if", "with", "range"):
            return self.block(word)
        if word.text in ("break", "continue"):
            if not self.ranges:
                raise self.wrong(f"{{{{{word.text}}}}} outside {{{{range}}}}", word)
            self.right(word.text)
            return Jump(word.at, word.text)
        raise self.wrong(f"{{{{{word.text}}}}} is not supported: write one template", word)

    def right(self, place: str) -> None:
        token = self.take()
        if token.kind != "right":
            raise self.unexpected(token, f"{{{{{place}}}}}")

    def block(self, word: Token) -> Block:
        known = len(self.variables)
        ranging = word.text == "range"
        pipeline = self.pipeline(word.text)
        self.take()
        self.ranges += ranging
        body, end = self.nodes()
        self.ranges -= ranging
        orelse: list[Node] = []
        if end.text == "else":
            again = self.skip_space()
            if again.kind == "keyword" and again.text == word.text and not ranging:
                self.next += 1
                orelse = [self.block(again)]  # it takes the end that the two share
                del self.variables[known:]
                return Block(word.at, word.text, pipeline, body, orelse)
            self.right("else")
            orelse, end = self.nodes()
            if end.text == "else":
                raise self.wrong("expected end; found {{else}}", end)
        if end.kind == "end":
            raise self.wrong("unexpected EOF", end)
        self.right("end")
        del self.variables[known:]
        return Block(word.at, word.text, pipeline, body, orelse)

    # Pipelines

    def pipeline(self, place: str) -> Pipeline:
        """Up to what ends it: a delimiter or a closing parenthesis, which stays."""
        begin = self.skip_space()
        variables, assigns = self.declared(place)
        commands: list[Command] = []
        while True:
            token = self.skip_space()
            if token.kind == "right" or token.text == ")":
                break
            if token.kind in ("error", "keyword", "end") or token.text in ("|", "=", ":=", ","):
                raise self.unexpected(token, place)
            commands.append(self.command())
        if not commands:
            raise self.wrong(f"missing value for {place}", token)
        for stage, command in enumerate(commands[1:], 2):
            first = command.terms[0]
            if isinstance(first, Literal) or (isinstance(first, Field) and not first.names):
                raise self.wrong(f"non executable command in pipeline stage {stage}", token)
        return Pipeline(begin.at, tuple(commands), variables, assigns)

    def declared(self, place: str) -> tuple[tuple[str, ...], bool]:
        """``$x :=``, ``$x =`` or ``$i, $x :=``, if that is how it begins."""
        begin, names = self.next, []
        while self.skip_space().kind == "variable":
            names.append(self.take().text)
            mark = self.skip_space()
            if mark.text in (":=", "="):
                self.next += 1
                if len(names) > (2 if place == "range" else 1):
                    raise self.wrong(f"too many declarations in {place}", mark)
                if mark.text == ":=":
                    self.variables += names
                return tuple(names), mark.text == "="
            if mark.text != ",":
                break
            self.next += 1
        self.next = begin
        return (), False

    def command(self) -> Command:
        begin, terms = self.skip_space(), []
        while True:
            self.skip_space()
            term = self.operand()
            if term is not None:
                terms.append(term)
            token = self.peek()
            if token.kind == "space":
                continue
            if token.text == "|":
                self.next += 1
            elif token.kind != "right" and token.text != ")":
                raise self.unexpected(token, "operand")
            return Command(begin.at, tuple(terms))

    def operand(self) -> Term | None:
        """A term and the fields that stand at its end; None when there is none."""
        term = self.term()
        if term is None or self.peek().kind != "field":
            return term
        first, names = self.peek(), []
        while self.peek().kind == "field":
            names.append(self.take().text[1:])
        if isinstance(term, Field) and term.names:
            return Field(first.at, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(first.at, term.name, tuple(names))
        if isinstance(term, Literal | Field):
            raise self.wrong(f"unexpected . after term {json.dumps(str(term))}", first)
        return Chain(first.at, term, tuple(names))

    def term(self) -> Term | None:
        token = self.peek()
        self.next += 1
        kind, text, at = token.kind, token.text, token.at
        if kind == "field":
            return Field(at, (text[1:],))
        if kind == "variable":
            if text not in self.variables:
                raise self.wrong(f'undefined variable "{text}"', token)
            return Variable(at, text, ())
        if kind in ("string", "raw", "char", "number"):
            return Literal(at, self.literal(token), text)
        if kind == "word" and text in CONSTANTS:
            return Literal(at, CONSTANTS[text], text)
        if kind == "word":
            if text not in self.functions:
                raise self.wrong(f'function "{text}" not defined', token)
            return Function(at, text)
        if text == ".":
            return Field(at, ())
        if text == "(":
            inner = self.pipeline("parenthesized pipeline")
            self.take()
            return inner
        self.next -= 1
        return None

    def literal(self, token: Token) -> object:
        """The value of a string, a character (its number) or a number."""
        if token.kind == "number":
            return number(token.text)
        if token.kind == "raw":
            return token.text[1:-1]
        try:
            inside = ESCAPE.sub(_unescape, token.text[1:-1])
        except KeyError:
            raise self.wrong("invalid syntax", token) from None
        if token.kind == "char" and len(inside) != 1:
            raise self.wrong(f"malformed character constant: {token.text}", token)
        return ord(inside) if token.kind == "char" else inside


CONSTANTS: dict[str, object] = {"true": True, "false": False, "nil": None}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))")
SIMPLE = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "\\": "\\", '"': '"', "'": "'"}


def _unescape(match: re.Match[str]) -> str:
    """Raises ``KeyError`` for a letter that means nothing after a backslash."""
    if match[5]:
        return SIMPLE[match[5]]
    return chr(int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16))
