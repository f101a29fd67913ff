"""Go's text/template, first half: from text to a tree.

``--format`` is such a template (https://pkg.go.dev/text/template).  Understood
are text, ``{{- -}}`` trimming, comments, pipelines with functions, fields,
variables and literals, ``if``/``else if``/``else``, ``with``, ``range``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from minidocker.errors import InvalidParameter

ACTION = re.compile(
    r"\{\{(?P<left>- )?(?P<code>(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|.)*?)(?P<right> -)?\}\}", re.S
)
TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^"\\])*")
    | (?P<raw>`[^`]*`)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<field>(?:\.[A-Za-z_]\w*)+)
    | (?P<variable>\$\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<mark>:=|[()|=,.])
    )""",
    re.X,
)


@dataclass(frozen=True)
class Literal:
    value: object


@dataclass(frozen=True)
class Field:
    """``.A.B``, or ``(pipeline).A.B``: ``base`` None is the dot."""

    names: tuple[str, ...]
    base: Pipeline | None = None


@dataclass(frozen=True)
class Variable:
    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A function with its name, or a field that may be a method; and arguments."""

    head: Term | str
    arguments: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """``a | b | c``; ``variables`` take its value (two of them in a range)."""

    calls: tuple[Call, ...]
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Word:
    """A function without arguments, as an argument."""

    name: str


Term = Literal | Field | Variable | Pipeline | Word


@dataclass
class Block:
    """``if``, ``with`` or ``range``; ``orelse`` is what follows ``else``."""

    kind: str
    pipeline: Pipeline
    body: list[Node] = field(default_factory=list)
    orelse: list[Node] = field(default_factory=list)


Node = str | Pipeline | Block


def parse(text: str) -> list[Node]:
    """The tree of a template.  Raises ``InvalidParameter`` with what cannot be read."""
    root: list[Node] = []
    stack: list[tuple[Block, int]] = []  # open blocks, and how many ends each one needs
    here, at, trim = root, 0, False
    for match in ACTION.finditer(text):
        literal = text[at : match.start()]
        literal = literal.lstrip() if trim else literal
        literal = literal.rstrip() if match["left"] else literal
        _text(here, literal)
        at, trim = match.end(), bool(match["right"])
        code = match["code"].strip()
        word, _, rest = code.partition(" ")
        if code.startswith("/*"):
            continue
        if word in ("if", "with", "range"):
            block = Block(word, _pipeline(rest))
            here.append(block)
            stack.append((block, 1))
            here = block.body
        elif word == "else":
            here = _orelse(stack, rest.strip())
        elif word == "end":
            if not stack:
                raise InvalidParameter("template: unexpected {{end}}")
            stack.pop()
            here = _innermost(stack, root)
        else:
            here.append(_pipeline(code))
    rest = text[at:]
    if "{{" in rest:
        raise InvalidParameter(f"template: unclosed action in {text!r}")
    if stack:
        raise InvalidParameter("template: unexpected EOF: {{end}} is missing")
    _text(here, rest.lstrip() if trim else rest)
    return root


def _text(here: list[Node], text: str) -> None:
    if text:
        here.append(text)


def _innermost(stack: list[tuple[Block, int]], root: list[Node]) -> list[Node]:
    if not stack:
        return root
    block, part = stack[-1]
    return block.body if part == 1 else block.orelse


def _orelse(stack: list[tuple[Block, int]], rest: str) -> list[Node]:
    """Go on in the else part; ``else if x`` is an ``if`` inside it that shares the end."""
    if not stack or stack[-1][1] == 2:
        raise InvalidParameter("template: unexpected {{else}}")
    block, _ = stack.pop()
    if not rest:
        stack.append((block, 2))
        return block.orelse
    word, _, condition = rest.partition(" ")
    if word not in ("if", "with"):
        raise InvalidParameter(f"template: unexpected {{{{else {rest}}}}}")
    inner = Block(word, _pipeline(condition))
    block.orelse.append(inner)
    stack.append((inner, 1))
    return inner.body


def _pipeline(code: str) -> Pipeline:
    tokens, at = [], 0
    code = code.strip()
    while at < len(code):
        match = TOKEN.match(code, at)
        if not match or match.end() == at:
            raise InvalidParameter(f"template: unexpected {code[at:].strip()[:10]!r} in {code!r}")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind]))
        at = match.end()
    parser = _Parser(tokens, code)
    pipeline = parser.pipeline()
    if parser.tokens:
        raise InvalidParameter(f"template: unexpected {parser.tokens[0][1]!r} in {code!r}")
    return pipeline


class _Parser:
    """The tokens of one action, from left to right."""

    def __init__(self, tokens: list[tuple[str, str]], code: str) -> None:
        self.tokens, self.code = tokens, code

    def pipeline(self) -> Pipeline:
        variables = self._variables()
        calls = [self._call()]
        while self.tokens[:1] == [("mark", "|")]:
            self.tokens.pop(0)
            calls.append(self._call())
        return Pipeline(tuple(calls), variables)

    def _variables(self) -> tuple[str, ...]:
        """``$x :=`` or ``$i, $x :=``, if that is how it begins."""
        for count in (1, 2):
            ahead = self.tokens[: 2 * count]
            shape = [kind for kind, _ in ahead[0::2]] == ["variable"] * count
            if shape and ahead[-1:] in ([("mark", ":=")], [("mark", "=")]):
                del self.tokens[: 2 * count]
                return tuple(name for _, name in ahead[0::2])
        return ()

    def _call(self) -> Call:
        if not self.tokens:
            raise InvalidParameter(f"template: missing value for command in {self.code!r}")
        head: Term | str
        if self.tokens[0][0] == "word":
            word = self.tokens[0][1]
            head = self._term() if word in ("true", "false", "nil") else self.tokens.pop(0)[1]
        else:
            head = self._term()
        arguments = []
        while self.tokens and self.tokens[0][1] not in ("|", ")"):
            arguments.append(self._term())
        return Call(head, tuple(arguments))

    def _term(self) -> Term:
        kind, text = self.tokens.pop(0)
        if kind == "string":
            try:
                return Literal(json.loads(text))
            except ValueError:
                raise InvalidParameter(f"template: bad string {text}") from None
        if kind == "raw":
            return Literal(text[1:-1])
        if kind == "number":
            return Literal(float(text) if "." in text else int(text))
        if kind == "field":
            return Field(tuple(text[1:].split(".")))
        if kind == "variable":
            name, *names = text.split(".")
            return Variable(name, tuple(names))
        if kind == "word":
            constants: dict[str, object] = {"true": True, "false": False, "nil": None}
            return Literal(constants[text]) if text in constants else Word(text)
        if text == ".":
            return Field(())
        if text == "(":
            inner = self.pipeline()
            if self.tokens[:1] != [("mark", ")")]:
                raise InvalidParameter(f"template: unclosed left paren in {self.code!r}")
            self.tokens.pop(0)
            if self.tokens and self.tokens[0][0] == "field":
                return Field(tuple(self.tokens.pop(0)[1][1:].split(".")), inner)
            return inner
        raise InvalidParameter(f"template: unexpected {text!r} in {self.code!r}")
