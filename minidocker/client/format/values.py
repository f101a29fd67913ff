"""Go's values as a template shows them: how they print, which are true, what they are called.

JSON's values are Python's.  What JSON does not tell is in the classes here: a ``Struct`` has
a type and its fields' order, a ``Map`` the value that a missing key has, and a nil list,
map or pointer is not the empty one, though the first two print alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple


class Member(NamedTuple):
    """A field of a struct: its name in Go and in JSON.  ``inside``: of an embedded struct's."""

    name: str
    key: str
    type: str
    omit_empty: bool = False
    inside: str = ""


class Struct(dict[str, Any]):
    """A Go struct: values by their names in Go, in order.  ``pointer``: it is held by one."""

    def __init__(
        self, type: str, members: Sequence[Member], values: Mapping[str, Any], pointer: bool = False
    ) -> None:
        super().__init__(values)
        self.type, self.members, self.pointer = type, members, pointer


class Row(Struct):
    """What a list offers a template: texts, and methods; in JSON sorted, and without methods."""

    def __init__(self, type: str, cells: Mapping[str, Any]) -> None:
        names = sorted(name for name in cells if not callable(cells[name]))
        members = [Member(name, name, "string") for name in names]
        values = {name: NilPointer("") if cell is None else cell for name, cell in cells.items()}
        super().__init__(type, members, values, pointer=True)


class Map(dict[str, Any]):
    """A Go map.  ``zero``: what ``index`` gives for a key that it does not have."""

    def __init__(self, values: Mapping[str, Any], zero: Any, nil: bool = False) -> None:
        super().__init__(values)
        self.zero, self.nil = zero, nil


class NilList(list[Any]):
    """A slice that was never made: empty, and null in JSON."""


class NilPointer:
    """Of the type ``type``; false, and null in JSON."""

    def __init__(self, type: str) -> None:
        self.type = type

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, NilPointer)

    __hash__ = None  # type: ignore[assignment]


class Duration(int):
    """Nanoseconds."""


class Moment(str):
    """A time as JSON has it, RFC 3339."""


class Limit(Struct):
    """An ulimit, which has a text of its own."""

    def __str__(self) -> str:
        return "{Name}={Soft}:{Hard}".format(**self)


def truth(value: Any) -> bool:
    """Whether ``if`` takes it: all but zero, nil and what is empty; a struct always."""
    return True if isinstance(value, Struct) else bool(value)


def text_of(value: Any) -> str:
    """How an action prints it: as ``%v``, but for nothing and for a pointer at the top."""
    if value is None:
        return "<no value>"
    if isinstance(value, Struct) and not isinstance(value, Limit):
        return struct_text(value)
    return inner_text(value)


def inner_text(value: Any, names: bool = False) -> str:
    """Go's ``%v`` of a value inside another; ``names``: ``%+v``."""
    if value is None or isinstance(value, NilPointer):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Struct) and not isinstance(value, Limit):
        return f"0x{id(value):x}" if value.pointer else struct_text(value, names)
    if isinstance(value, Mapping) and not isinstance(value, Limit):
        return f"map[{' '.join(f'{key}:{inner_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(inner_text, value))}]"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, Moment):
        return moment_text(value)
    return str(value)


def struct_text(value: Struct, names: bool = False) -> str:
    """``{a b}``; with names ``{A:a B:b}``."""
    parts = []
    for inside, members in groupby(value.members, key=lambda member: member.inside):
        texts = [(member.name, inner_text(value[member.name])) for member in members]
        text = " ".join(f"{name}:{text}" if names else text for name, text in texts)
        text = f"{{{text}}}" if inside else text
        parts.append(f"{inside}:{text}" if names and inside else text)
    return f"{{{' '.join(parts)}}}"


def float_text(value: float) -> str:
    """``%v`` of a float: with an exponent below 1e-4 and from 1e6 on."""
    from decimal import Decimal

    exact = Decimal(repr(value))
    power = exact.adjusted() if value else 0
    if -4 <= power < 6:
        plain = f"{exact:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    digits = "".join(map(str, exact.normalize().as_tuple().digits))
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{'-' if value < 0 else ''}{mantissa}e{power:+03d}"


def duration_text(nanoseconds: int) -> str:
    """``1h0m0s``, ``1.5s``, ``100ms`` (Go, ``time.Duration.String``)."""
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if 0 < left < (1000 * size):
            return f"{sign}{float_text(left / size)}{unit}"
    minutes, left = divmod(left, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{left // 1_000_000_000}.{left % 1_000_000_000:09d}".rstrip("0").rstrip(".")
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{front}{seconds}s"


def moment_text(moment: str) -> str:
    """``2024-01-02 13:23:37.5 +0000 UTC`` (Go, ``time.Time.String``)."""
    match = re.fullmatch(r"([\d-]+)T([\d:]+)(\.\d+?)?0*(Z|[+-]\d\d:\d\d)", moment)
    if match is None:
        return moment
    zone = match[4].replace(":", "")
    zone = "+0000 UTC" if zone in ("Z", "+0000") else f"{zone} {zone}"
    return f"{match[1]} {match[2]}{match[3] or ''} {zone}"


def to_json(value: Any) -> str:
    """Compact, as Go's encoder writes it; of rows, what is markup in HTML is escaped."""
    text = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
    rows = isinstance(value[0] if value and isinstance(value, list) else value, Row)
    for char in "\u2028\u2029" + ("<>&" if rows else ""):
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def plain(value: Any) -> Any:
    """JSON's part of a value; a map's keys sorted, a struct's in its own order."""
    if isinstance(value, Struct):
        return {
            member.key: plain(value[member.name])
            for member in value.members
            if not member.omit_empty or truth(value[member.name])
        }
    if isinstance(value, NilPointer | NilList) or (isinstance(value, Map) and value.nil):
        return None
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in sorted(value) if not callable(value[key])}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def type_name(value: Any) -> str:
    """What Go calls the type of a value that came from JSON or from the template."""
    if isinstance(value, Struct):
        return f"{'*' if value.pointer else ''}{value.type}"
    if isinstance(value, NilPointer):
        return value.type
    for kind, name in NAMES:
        if isinstance(value, kind):
            return name
    return "nil"


NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Duration, "time.Duration"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (Mapping, "map[string]interface {}"),
    (list, "[]interface {}"),
)
