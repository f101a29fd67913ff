"""One table for both directions: a JSON field of Docker's and where it lives in our values.

A ``Field`` names a key, the attribute that holds it, and the ``Kind`` of JSON
value it is.  ``read_fields`` turns an object into keyword arguments, checked by type;
``write_fields`` turns the value back.  What is written is read as the same
value, which is what the tests hold on to.  Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from minidocker.errors import InvalidParameter

T = TypeVar("T")

OMIT: Final = object()  # as ``Field.empty``: leave the key out (Go's ``omitempty``)
OMIT_NONE: Final = object()  # the same, for a value whose zero means something
AS_IS: Final = object()  # as ``Field.empty``: an empty value is written like any other
UNSAID: Final = object()  # what a kind reads from a value that asks for nothing


@dataclass(frozen=True)
class Kind:
    """``read(value, name)`` may raise ``InvalidParameter``, or return ``UNSAID``."""

    read: Callable[[Any, str], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """``empty``: what an empty value is written as: one of the constants above, or None."""

    name: str
    attribute: str
    kind: Kind
    empty: Any = AS_IS


def read_fields(
    given: Mapping[str, Any], fields: Iterable[Field], prefix: str = ""
) -> dict[str, Any]:
    """Keyword arguments from the object ``given``, whose keys are in lower case.

    null means "not said".  ``prefix`` is for messages: "HostConfig.".
    """
    values: dict[str, Any] = {}
    for field in fields:
        raw = given.get(field.name.lower())
        if raw is None:
            continue
        value = field.kind.read(raw, prefix + field.name)
        if value is not UNSAID:
            values[field.attribute] = value
    return values


def write_fields(value: object, fields: Iterable[Field]) -> dict[str, Any]:
    """The JSON object of ``value``'s attributes."""
    written: dict[str, Any] = {}
    for field in fields:
        held = getattr(value, field.attribute)
        if held or field.empty is AS_IS or (held is not None and field.empty is OMIT_NONE):
            written[field.name] = field.kind.write(held)
        elif field.empty is None:
            written[field.name] = None
    return written


def said(
    given: Mapping[str, Any],
    name: str,
    read: Callable[[Any, str], T],
    default: Any,
    where: str = "",
) -> T:
    """The field ``name`` of an object whose keys are in lower case, checked by ``read``.

    ``default`` when it is missing or null.  ``where`` is for messages: "HostConfig.".
    """
    raw = given.get(name.lower())
    return default if raw is None else read(raw, where + name)


def lower_keys(given: Any, name: str) -> dict[str, Any]:
    """The object with its keys in lower case: Go's decoder matches them in any case.

    Raises ``InvalidParameter`` when it is no object.
    """
    return {key.lower(): value for key, value in an_object(given, name).items()}


def wrong(name: str, value: Any, wanted: str) -> InvalidParameter:
    """The error for a value of the wrong type."""
    if isinstance(value, dict | list):  # which may be deep and long
        shown = "an object" if isinstance(value, dict) else "a list"
    else:
        shown = json.dumps(value, ensure_ascii=False)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InvalidParameter(f"invalid JSON: {name} must be {wanted}, not {shown}")


# Readers: (value, name for the message) -> checked value


def an_object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(name, value, "an object")
    return value


def a_list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong(name, value, "a list")
    return value


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise wrong(name, value, "a string")
    if "\0" in value:
        raise InvalidParameter(f"{name} holds a zero byte, which ends a string: {value!r:.80}")
    return value


def flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def number(value: Any, name: str) -> int:
    """An int64, as every number of this API."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, value, "a whole number")
    if not -(1 << 63) <= value < 1 << 63:
        raise wrong(name, value, "a number of 64 bits")
    return value


def words(value: Any, name: str) -> tuple[str, ...]:
    return tuple(text(each, f"{name}[]") for each in a_list(value, name))


def command(value: Any, name: str) -> tuple[str, ...]:
    """A list of strings, or one string (older clients, moby strslice)."""
    return (value,) if isinstance(value, str) else words(value, name)


def strings(value: Any, name: str) -> dict[str, str]:
    pairs = an_object(value, name).items()
    return {text(key, f"{name}.{key}"): text(each, f"{name}.{key}") for key, each in pairs}


def names(value: Any, name: str) -> tuple[str, ...]:
    """A set, as Go writes one: ``{"80/tcp": {}}``."""
    members = an_object(value, name)
    for key, each in members.items():
        text(key, name)
        if each is not None:
            an_object(each, f"{name}.{key}")
    return tuple(members)


def _unless(absent: Callable[[int], bool]) -> Callable[[Any, str], Any]:
    def read(value: Any, name: str) -> Any:
        found = number(value, name)
        return UNSAID if absent(found) else found

    return read


def _same(value: Any) -> Any:
    return value


def _list(value: Any) -> list[Any] | None:
    return None if value is None else list(value)


TEXT: Final = Kind(text, _same)
FLAG: Final = Kind(flag, _same)
NUMBER: Final = Kind(number, _same)
WORDS: Final = Kind(words, _list)
COMMAND: Final = Kind(command, _list)
STRINGS: Final = Kind(strings, dict)
NAMES: Final = Kind(names, lambda value: {name: {} for name in value})
# Limits: 0 asks for nothing; None is written as 0.
LIMIT: Final = Kind(_unless(lambda found: found == 0), lambda value: value or 0)
# Limits where null is written for none, 0 for "unlimited again", and anything below 1 asks
# for nothing.
COUNT: Final = Kind(
    _unless(lambda found: found <= 0), lambda value: value if value is None else max(value, 0)
)
# ``MemorySwappiness``: 0 is a value, -1 asks for nothing.
SWAPPINESS: Final = Kind(_unless(lambda found: found == -1), _same)


def objects(fields: tuple[Field, ...], make: Callable[..., Any]) -> Kind:
    """A list of objects, each with ``fields``; ``make`` builds the value of one."""
    one = record(fields, make)

    def read(value: Any, name: str) -> tuple[Any, ...]:
        return tuple(one.read(each, f"{name}[]") for each in a_list(value, name))

    return Kind(read, lambda values: [one.write(each) for each in values])


def record(fields: tuple[Field, ...], make: Callable[..., Any]) -> Kind:
    """One object with ``fields``; a key that is not among them is refused by name."""
    known = {field.name.lower() for field in fields}

    def read(value: Any, name: str) -> Any:
        given = lower_keys(value, name)
        for key in given.keys() - known:
            if given[key]:
                raise InvalidParameter(f"{name}: unknown field {key!r}")
        return make(**read_fields(given, fields, f"{name}."))

    return Kind(read, lambda held: write_fields(held, fields))
