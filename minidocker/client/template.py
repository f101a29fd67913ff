"""Go's text/template, second half: a tree and a value become text.

Values are what JSON gives (and functions of no or some arguments, where a
table offers them); they print as Go prints them: a map as ``map[a:1]``, a
list as ``[1 2]``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidocker.client.template_syntax import (
    Block,
    Call,
    Field,
    Literal,
    Node,
    Pipeline,
    Term,
    Variable,
    Word,
    parse,
)
from minidocker.errors import InvalidParameter

Scope = dict[str, Any]

ESCAPES = {r"\t": "\t", r"\n": "\n"}


class Template:
    """``Template("{{.Name}}").render({"Name": "x"})``; raises ``InvalidParameter``."""

    def __init__(self, text: str) -> None:
        for written, meant in ESCAPES.items():
            text = text.replace(written, meant)
        self._nodes = parse(text)

    def render(self, data: Any) -> str:
        """The text for ``data``: dictionaries, lists and plain values."""
        try:
            return "".join(_walk(self._nodes, data, {"$": data}))
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise InvalidParameter(f"template: {error}") from error


def _walk(nodes: Sequence[Node], dot: Any, scope: Scope) -> list[str]:
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            parts.append(node)
        elif isinstance(node, Pipeline):
            value = evaluate(node, dot, scope)
            if not node.variables:
                parts.append(text_of(value))
        elif node.kind == "range":
            parts += _range(node, dot, scope)
        else:
            value = evaluate(node.pipeline, dot, scope)
            inside = value if node.kind == "with" else dot
            parts += _walk(node.body, inside, scope) if value else _walk(node.orelse, dot, scope)
    return parts


def _range(block: Block, dot: Any, scope: Scope) -> list[str]:
    variables = block.pipeline.variables
    value = evaluate(Pipeline(block.pipeline.calls), dot, scope)
    if isinstance(value, Mapping):
        pairs = [(key, value[key]) for key in sorted(value)]
    elif isinstance(value, int) and not isinstance(value, bool):
        pairs = [(number, number) for number in range(value)]
    elif isinstance(value, list | tuple) or value is None:
        pairs = list(enumerate(value or ()))
    else:
        raise InvalidParameter(f"template: range can't iterate over {text_of(value)}")
    if not pairs:
        return _walk(block.orelse, dot, scope)
    parts: list[str] = []
    for key, each in pairs:
        values = (key, each) if len(variables) == 2 else (each,)
        parts += _walk(block.body, each, scope | dict(zip(variables, values, strict=False)))
    return parts


def evaluate(pipeline: Pipeline, dot: Any, scope: Scope) -> Any:
    """The value of ``a | b | c``: each one's value is the next one's last argument."""
    value: tuple[Any, ...] = ()
    for call in pipeline.calls:
        value = (_call(call, dot, scope, value),)
    for name in pipeline.variables:
        scope[name] = value[0]
    return value[0]


def _call(call: Call, dot: Any, scope: Scope, piped: tuple[Any, ...]) -> Any:
    arguments = (*(_term(term, dot, scope) for term in call.arguments), *piped)
    if isinstance(call.head, str):
        if call.head not in FUNCTIONS:
            raise InvalidParameter(f'template: function "{call.head}" not defined')
        return FUNCTIONS[call.head](*arguments)
    value = _term(call.head, dot, scope, last=True)
    if callable(value):
        return value(*arguments)
    if arguments:
        raise InvalidParameter(f"template: can't give argument to non-function {call.head}")
    return value


def _term(term: Term, dot: Any, scope: Scope, last: bool = False) -> Any:
    if isinstance(term, Literal):
        return term.value
    if isinstance(term, Pipeline):
        return evaluate(term, dot, scope)
    if isinstance(term, Word):
        return _call(Call(term.name), dot, scope, ())
    if isinstance(term, Variable):
        if term.name not in scope:
            raise InvalidParameter(f'template: undefined variable "{term.name}"')
        value = scope[term.name]
    else:
        assert isinstance(term, Field)
        value = dot if term.base is None else evaluate(term.base, dot, scope)
    for name in term.names:
        value = _member(value, name)
    return value() if callable(value) and not last else value


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        raise InvalidParameter(f'template: map has no entry for key "{name}"')
    raise InvalidParameter(f"template: can't evaluate field {name} in {text_of(value)[:40]}")


def text_of(value: Any) -> str:
    """How Go prints a value (fmt, verb %v)."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(_inner, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None else text_of(value)


def to_json(value: Any) -> str:
    """Compact, as Go's encoder writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif value is None:
            raise InvalidParameter("template: error calling index: index of untyped nil")
        else:
            value = value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    import re

    left = list(values)

    def verb(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if not left:
            return f"%!{match[2]}(MISSING)"
        value = left.pop(0)
        if match[2] == "q":
            return ("%" + match[1] + "s") % json.dumps(text_of(value), ensure_ascii=False)
        if match[2] in "vs":
            return ("%" + match[1] + "s") % text_of(value)
        return str(("%" + match[1] + match[2]) % value)

    return re.sub(r"%([-+# 0]*\d*(?:\.\d+)?)([a-zA-Z%])", verb, form)


def _equal(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


def _truncate(text: str, length: int) -> str:
    return text[:length]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "eq": _equal,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "index": _index,
    "join": lambda values, separator: separator.join(map(text_of, values or ())),
    "json": to_json,
    "le": lambda a, b: a <= b,
    "len": lambda value: len(value or ()),
    "lower": lambda text: str(text).lower(),
    "lt": lambda a, b: a < b,
    "ne": lambda a, b: a != b,
    "not": lambda value: not value,
    "or": _or,
    "pad": lambda text, before, after: " " * before + text + " " * after if text else text,
    "print": lambda *values: "".join(map(text_of, values)),
    "printf": _printf,
    "println": lambda *values: " ".join(map(text_of, values)) + "\n",
    "slice": lambda value, *bounds: (
        value[slice(*bounds)] if len(bounds) > 1 else value[bounds[0] :]
    ),
    "split": lambda text, separator: str(text).split(separator),
    "title": lambda text: str(text).title(),
    "truncate": _truncate,
    "upper": lambda text: str(text).upper(),
}
