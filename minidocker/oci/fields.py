"""Reading JSON that others wrote: one field at a time, each of the type it must have.

A missing field and ``null`` are the same (Go writes both); a field of another
type is an error that names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from minidocker.errors import InvalidParameter

Object = Mapping[str, Any]


def load_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``data``.  Raises ``InvalidParameter``: "invalid WHAT: ..."."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"invalid {what}: it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidParameter(f"invalid {what}: a JSON object is wanted")
    return value


def text(source: Object, key: str, default: str = "") -> str:
    value = source.get(key)
    return default if value is None else _checked(value, str, key)


def flag(source: Object, key: str) -> bool:
    value = source.get(key)
    return False if value is None else _checked(value, bool, key)


def number(source: Object, key: str, default: int = 0) -> int:
    value = source.get(key)
    if isinstance(value, bool):
        raise InvalidParameter(f'"{key}" must be int, not bool')
    return default if value is None else _checked(value, int, key)


def child(source: Object, key: str) -> Object:
    """The object under ``key``; {} where there is none."""
    value = source.get(key)
    return {} if value is None else _checked(value, dict, key)


def children(source: Object, key: str) -> tuple[Object, ...]:
    """The list of objects under ``key``."""
    return tuple(_checked(each, dict, key) for each in _list(source, key))


def texts(source: Object, key: str) -> tuple[str, ...]:
    """The list of strings under ``key``."""
    return tuple(_checked(each, str, key) for each in _list(source, key))


def maybe_texts(source: Object, key: str) -> tuple[str, ...] | None:
    """As ``texts``, but None for what is missing: an empty list says something."""
    return None if source.get(key) is None else texts(source, key)


def pairs(source: Object, key: str) -> dict[str, str]:
    """The object of strings under ``key``."""
    return {name: _checked(value, str, key) for name, value in child(source, key).items()}


def _list(source: Object, key: str) -> list[Any]:
    value = source.get(key)
    checked: list[Any] = [] if value is None else _checked(value, list, key)
    return checked


def _checked(value: Any, kind: type, key: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidParameter(f'"{key}" must be {kind.__name__}, not {type(value).__name__}')
    return value
