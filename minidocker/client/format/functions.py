"""The functions of a template: Go's own, and those that Docker adds.

Each takes the values of its arguments, and raises ``ValueError`` with Go's words for those
it cannot do anything with.  How many it takes, and which must be text, stands in
``FUNCTIONS``; Go checks both before the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from minidocker.client.format.printf import printf, shown
from minidocker.client.format.values import (
    Map,
    NilPointer,
    Struct,
    to_json,
    truth,
    type_name,
)


class Callee(NamedTuple):
    """``types``: of the arguments that may not be anything.  ``most`` None: any number."""

    call: Callable[..., Any]
    least: int
    most: int | None
    types: tuple[str, ...] = ()


def index(value: Any, *keys: Any) -> Any:
    """``index x 1 "a"``: x[1]["a"]."""
    if value is None:
        raise ValueError("index of untyped nil")
    for key in keys:
        if isinstance(value, Mapping) and not isinstance(value, Struct):
            if not isinstance(key, str):
                raise ValueError(f"value has type {type_name(key)}; should be string")
            value = value.get(key, value.zero if isinstance(value, Map) else None)
        elif isinstance(value, str | list | tuple):
            at = _place(key, len(value) - 1)
            value = value[at] if not isinstance(value, str) else value.encode()[at]
        else:
            raise ValueError(f"can't index item of type {type_name(value)}")
    return value


def _place(key: Any, last: int) -> int:
    if not isinstance(key, int) or isinstance(key, bool):
        raise ValueError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= last:
        raise ValueError(f"index out of range: {key}")
    return key


def cut(value: Any, *bounds: Any) -> Any:
    """``slice x 1 2``: x[1:2]."""
    if not isinstance(value, str | list | tuple):
        raise ValueError(f"can't slice item of type {type_name(value)}")
    return value[slice(*([_place(each, len(value)) for each in bounds] + [None])[:2])]


def length(value: Any) -> int:
    if not isinstance(value, str | list | tuple | Mapping) or isinstance(value, Struct):
        raise ValueError(f"len of type {type_name(value)}")
    return len(value.encode()) if isinstance(value, str) else len(value)


def equal(first: Any, *others: Any) -> bool:
    """Whether ``first`` is one of the others."""
    if not others:
        raise ValueError("missing argument for comparison")
    if None in (first, *others):
        return any(kind(first) == kind(other) for other in others)
    for each in (first, *others):
        if isinstance(each, Mapping | list):
            raise ValueError(f"non-comparable type {shown(each)}: {type_name(each)}")
    for other in others:
        if kind(first) != kind(other):
            raise ValueError("incompatible types for comparison")
    return first in others


def kind(value: Any) -> str:
    return "nil" if value is None or isinstance(value, NilPointer) else type_name(value)


def less(first: Any, second: Any) -> bool:
    if kind(first) != kind(second):
        raise ValueError("incompatible types for comparison")
    if isinstance(first, bool) or not isinstance(first, int | float | str):
        raise ValueError("invalid type for comparison")
    return bool(first < second)


def spaced(*values: Any) -> str:
    """``print``: a space between two of which neither is text."""
    parts: list[str] = []
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            parts.append(" ")
        parts.append(shown(value))
    return "".join(parts)


def joined(values: Any, separator: str) -> str:
    return separator.join(map(shown, values or ()))


def shortened(text: str, length: int) -> str:
    if length < 0:
        raise ValueError(f"runtime error: slice bounds out of range [:{length}]")
    return text[:length]


def padded(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else ""


def titled(text: str) -> str:
    return re.sub(r"\b\w", lambda letter: letter[0].upper(), text)


# ``and`` and ``or`` look at no more arguments than they need, so they are not in here.
FUNCTIONS: dict[str, Callee] = {
    "eq": Callee(equal, 1, None),
    "ge": Callee(lambda a, b: not less(a, b), 2, 2),
    "gt": Callee(lambda a, b: not less(a, b) and not equal(a, b), 2, 2),
    "index": Callee(index, 1, None),
    "join": Callee(joined, 2, 2, ("[]string", "string")),
    "json": Callee(to_json, 1, 1),
    "le": Callee(lambda a, b: less(a, b) or equal(a, b), 2, 2),
    "len": Callee(length, 1, 1),
    "lower": Callee(str.lower, 1, 1, ("string",)),
    "lt": Callee(less, 2, 2),
    "ne": Callee(lambda a, b: not equal(a, b), 2, 2),
    "not": Callee(lambda value: not truth(value), 1, 1),
    "pad": Callee(padded, 3, 3, ("string", "int", "int")),
    "print": Callee(spaced, 0, None),
    "printf": Callee(printf, 1, None, ("string",)),
    "println": Callee(lambda *values: " ".join(map(shown, values)) + "\n", 0, None),
    "slice": Callee(cut, 1, 3),
    "split": Callee(lambda text, separator: text.split(separator), 2, 2, ("string", "string")),
    "title": Callee(titled, 1, 1, ("string",)),
    "truncate": Callee(shortened, 2, 2, ("string", "int")),
    "upper": Callee(str.upper, 1, 1, ("string",)),
}
EITHER = Callee(lambda value: value, 1, None)
NAMES = {*FUNCTIONS, "and", "or"}
