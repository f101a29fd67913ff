"""Go's text/template, second half: a tree and a value become text.

Where something cannot be done, the message is Go's, with the place and the text of the
node: ``template: :1:2: executing "" at <.Nope>: can't evaluate field Nope in type ...``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.format.functions import EITHER, FUNCTIONS, NAMES
from minidocker.client.format.syntax import (
    Block,
    Chain,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Node,
    Pipeline,
    Term,
    Text,
    Variable,
    parse,
)
from minidocker.client.format.values import (
    NilPointer,
    Struct,
    inner_text,
    text_of,
    truth,
    type_name,
)
from minidocker.errors import InvalidParameter


class _Missing:
    """The value of a key that a map does not have, and of what is looked for in it."""


MISSING = _Missing()


class Template:
    """``Template("{{.Name}}").render({"Name": "x"})``.

    ``name`` stands in messages.  Both raise ``InvalidParameter``, the one for a template that
    cannot be read, the other for a value that has not what it asks for.
    """

    def __init__(self, text: str, name: str = "") -> None:
        self.text, self.name = text, name
        self._nodes = parse(text, NAMES, name)

    def render(self, data: Any, strict: bool = False) -> str:
        """The text for ``data``; ``strict``: a map without the key is a failure too."""
        run = _Run(self, strict)
        run.variables.append(("$", data))
        run.walk(self._nodes, data)
        return "".join(run.parts)


class _Jumped(Exception):
    """``break`` and ``continue``; the argument says which."""


class _Run:
    """One rendering.  ``variables``: the innermost last.  ``node``: what messages are about."""

    def __init__(self, template: Template, strict: bool) -> None:
        self.template, self.strict = template, strict
        self.parts: list[str] = []
        self.variables: list[tuple[str, Any]] = []
        self.node: Node | None = None

    def wrong(self, message: str) -> InvalidParameter:
        assert self.node is not None
        before = self.template.text[: self.node.at]
        line = before.count("\n") + 1
        column = len(before.rpartition("\n")[2].encode())
        name = self.template.name
        return InvalidParameter(
            f'template: {name}:{line}:{column}: executing "{name}" at <{self.node}>: {message}'
        )

    # Nodes

    def walk(self, nodes: Sequence[Node], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.parts.append(node.text)
            elif isinstance(node, Pipeline):
                value = self.pipeline(node, dot)
                if not node.variables:
                    self.parts.append("<no value>" if value is MISSING else text_of(value))
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)
            elif isinstance(node, Block):
                known = len(self.variables)
                act = self.ranged if node.kind == "range" else self.branch
                act(node, dot)
                del self.variables[known:]

    def branch(self, block: Block, dot: Any) -> None:
        value = self.pipeline(block.pipeline, dot)
        if value is not MISSING and truth(value):
            self.walk(block.body, value if block.kind == "with" else dot)
        else:
            self.walk(block.orelse, dot)

    def ranged(self, block: Block, dot: Any) -> None:
        names = block.pipeline.variables
        value = self.pipeline(Pipeline(block.pipeline.at, block.pipeline.commands), dot)
        pairs = self.pairs(value)
        if not pairs:
            self.walk(block.orelse, dot)
        known = len(self.variables)
        for key, each in pairs:
            values = (key, each) if len(names) == 2 else (each,)
            self.variables[known:] = zip(names, values, strict=False)
            try:
                self.walk(block.body, each)
            except _Jumped as jump:
                if str(jump) == "break":
                    break

    def pairs(self, value: Any) -> list[tuple[Any, Any]]:
        if value is MISSING or value is None:
            return []
        if isinstance(value, Mapping) and not isinstance(value, Struct):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        raise self.wrong(f"range can't iterate over {inner_text(value)}")

    # Pipelines

    def pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        """Each stage's value is the next one's last argument."""
        value: tuple[Any, ...] = ()
        for command in pipeline.commands:
            value = (self.command(command, dot, value),)
        for name in pipeline.variables:
            if pipeline.assigns:
                self.assign(name, value[0])
            else:
                self.variables.append((name, value[0]))
        return value[0]

    def assign(self, name: str, value: Any) -> None:
        for at in range(len(self.variables) - 1, -1, -1):
            if self.variables[at][0] == name:
                self.variables[at] = (name, value)
                return
        raise self.wrong(f"undefined variable: {name}")

    def command(self, command: Command, dot: Any, piped: tuple[Any, ...]) -> Any:
        first, *terms = command.terms
        self.node = first
        if isinstance(first, Function):
            return self.function(first, command, dot, piped)
        if isinstance(first, Field | Variable | Chain) and first.names:
            return self.fields(first, dot, [*terms], piped)
        if terms or piped:
            raise self.wrong(f"can't give argument to non-function {first}")
        if isinstance(first, Literal) and first.value is None:
            raise self.wrong("nil is not a command")
        return self.term(first, dot)

    def term(self, term: Term, dot: Any) -> Any:
        self.node = term
        if isinstance(term, Literal):
            return term.value
        if isinstance(term, Pipeline):
            return self.pipeline(term, dot)
        if isinstance(term, Function):
            return self.function(term, Command(term.at, (term,)), dot, ())
        if term.names:
            return self.fields(term, dot, [], ())
        return dot if isinstance(term, Field) else self.variable(term)

    def variable(self, term: Any) -> Any:
        return next(value for name, value in reversed(self.variables) if name == term.name)

    # Fields

    def fields(
        self, term: Field | Variable | Chain, dot: Any, terms: list[Term], piped: tuple[Any, ...]
    ) -> Any:
        """``.A.B``; the last may be a method, with arguments."""
        if isinstance(term, Field):
            value = dot
        elif isinstance(term, Variable):
            value = self.variable(term)
        else:
            value = self.term(term.base, dot)
        for name in term.names[:-1]:
            value = self.member(value, name)
        if not isinstance(term, Chain):
            self.node = term
        value = self.member(value, term.names[-1])
        given = bool(terms or piped)
        if not callable(value):
            if given:
                raise self.wrong(f"{term.names[-1]} is not a method but has arguments")
            return value
        count = len(terms) + len(piped)
        if count != 1:
            raise self.wrong(f"wrong number of args for {term.names[-1]}: want 1 got {count}")
        return value(*(self.term(each, dot) for each in terms), *piped)

    def member(self, value: Any, name: str) -> Any:
        if value is MISSING or (value is None and not self.strict):
            return MISSING
        if isinstance(value, NilPointer):
            raise self.wrong(f"nil pointer evaluating {value.type}.{name}")
        if isinstance(value, Mapping) and name in value:
            return value[name]
        if isinstance(value, Struct):
            raise self.wrong(f"can't evaluate field {name} in type {type_name(value)}")
        if isinstance(value, Mapping):
            if self.strict:
                raise self.wrong(f'map has no entry for key "{name}"')
            return MISSING
        kind = "interface {}" if self.strict else type_name(value)
        raise self.wrong(f"can't evaluate field {name} in type {kind}")

    # Functions

    def function(
        self, function: Function, command: Command, dot: Any, piped: tuple[Any, ...]
    ) -> Any:
        name, terms = function.name, command.terms[1:]
        count = len(terms) + len(piped)
        callee = FUNCTIONS.get(name, EITHER)
        if count < callee.least or (callee.most is not None and count > callee.most):
            want = f"at least {callee.least}" if callee.most is None else str(callee.least)
            raise self.wrong(f"wrong number of args for {name}: want {want} got {count}")
        if name not in FUNCTIONS:
            return self.either(name == "and", terms, dot, piped)
        types = (*callee.types, *[""] * count)
        arguments = [self.argument(*each, dot) for each in zip(terms, types, strict=False)]
        self.node = command
        try:
            return callee.call(*arguments, *piped)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.wrong(f"error calling {name}: {error}") from None

    def either(self, both: bool, terms: Sequence[Term], dot: Any, piped: tuple[Any, ...]) -> Any:
        """``and``: the first that is false; ``or``: the first that is true; else the last."""
        value: Any = None
        for term in terms:
            value = self.term(term, dot)
            if (value is not MISSING and truth(value)) != both:
                return value
        return piped[0] if piped else value

    def argument(self, term: Term, type: str, dot: Any) -> Any:
        """A term's value; ``type``: "string", "int", "[]string", or "" for any."""
        value = self.term(term, dot)
        value = None if value is MISSING else value
        if not type or fits(value, type):
            return value
        self.node = term
        if isinstance(term, Literal) and type == "[]string":
            raise self.wrong(f"can't handle {term} for arg of type []string")
        if isinstance(term, Literal):
            kind = "integer" if type == "int" else type
            raise self.wrong(f"expected {kind}; found {term}")
        raise self.wrong(f"wrong type for value; expected {type}; got {type_name(value)}")


def fits(value: Any, type: str) -> bool:
    """Whether Go takes the value for an argument of the type."""
    if type == "[]string":
        return value is None or (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        )
    return isinstance(value, str if type == "string" else int)
