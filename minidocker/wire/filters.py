"""Filters, as they travel in a query: ``filters={"status":{"running":true}}``.

Clients before API 1.22 (and docker-py to this day) send lists instead of
maps of true; both are read, maps are written (Engine API, ContainerList).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from minidocker.errors import InvalidParameter

Filters = dict[str, tuple[str, ...]]


def encode(filters: Mapping[str, Sequence[str]]) -> str:
    """The JSON text for ``filters``; the same filters always give the same text.

    Keys and values come in order, as Go's encoder writes a map.
    """
    value = {key: dict.fromkeys(sorted(filters[key]), True) for key in sorted(filters)}
    return json.dumps(value, separators=(",", ":"))


def decode(text: str) -> Filters:
    """What ``encode`` wrote, or its older form; "" is no filter at all.

    Values come sorted and once each; a value that is mapped to false was not
    asked for.  Raises ``InvalidParameter`` for anything else.
    """
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid filters {text!r}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidParameter(f"invalid filters {text!r}: not a JSON object")
    return {key: _values(key, held) for key, held in value.items()}


def _values(key: str, held: object) -> tuple[str, ...]:
    if isinstance(held, dict) and all(isinstance(wanted, bool) for wanted in held.values()):
        return tuple(sorted(name for name, wanted in held.items() if wanted))
    if isinstance(held, list) and all(isinstance(name, str) for name in held):
        return tuple(sorted(set(held)))
    raise InvalidParameter(f"invalid filter {key!r}: {held!r} is neither a map nor a list")
