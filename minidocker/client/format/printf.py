"""Go's ``printf``: verbs and flags, and what it says of values that do not fit them (fmt)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from minidocker.client.format.values import (
    NilPointer,
    Struct,
    float_text,
    inner_text,
    struct_text,
    text_of,
    type_name,
)

VERB = re.compile(r"%([-+# 0]*)(\*|\d*)(?:\.(\*|\d*))?(.|$)", re.S)


def printf(form: str, *values: Any) -> str:
    """``form`` with a value for each verb; what is wrong is said in the text, as Go does."""
    left = list(values)

    def verb(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb in ("%", ""):
            return verb or "%!(NOVERB)"
        width = str(left.pop(0)) if width == "*" and left else width
        precision = str(left.pop(0)) if precision == "*" and left else precision
        if not left:
            return f"%!{verb}(MISSING)"
        return formatted(left.pop(0), verb, flags, width, precision)

    text = VERB.sub(verb, form)
    return f"{text}%!(EXTRA {', '.join(map(told, left))})" if left else text


def told(value: Any) -> str:
    """A value that did not fit, in a complaint."""
    return "<nil>" if value is None else f"{type_name(value)}={shown(value)}"


def shown(value: Any) -> str:
    """``%v``"""
    if isinstance(value, Struct):
        return ("&" if value.pointer else "") + text_of(value)
    return inner_text(value)


def formatted(value: Any, verb: str, flags: str, width: str, precision: str | None) -> str:
    """One value by one verb."""
    if verb == "T":
        return "<nil>" if value is None else type_name(value)
    if verb == "v" and "+" in flags and isinstance(value, Struct):
        return ("&" if value.pointer else "") + struct_text(value, names=True)
    if isinstance(value, Mapping | list) and verb != "v":
        return _each(value, verb, flags, width, precision)
    text = _scalar(value, verb, flags, precision)
    if text is None:
        return f"%!{verb}({told(value)})"
    return _padded(text, flags, width, number=isinstance(value, int | float))


def _each(
    value: Mapping[str, Any] | list[Any], verb: str, flags: str, width: str, precision: str | None
) -> str:
    """A verb goes to each element."""

    def one(inner: Any) -> str:
        return formatted(inner, verb, flags, width, precision)

    if isinstance(value, list):
        return f"[{' '.join(map(one, value))}]"
    if isinstance(value, Struct):
        return ("&" if value.pointer else "") + f"{{{' '.join(map(one, value.values()))}}}"
    return f"map[{' '.join(f'{one(key)}:{one(value[key])}' for key in sorted(value))}]"


def _scalar(value: Any, verb: str, flags: str, precision: str | None) -> str | None:
    """The text without its padding; None when the verb is not for such a value."""
    if verb == "v":
        return shown(value)
    if isinstance(value, NilPointer) or value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower() if verb == "t" else None
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if isinstance(value, int):
        return _integer(value, verb, sign, "#" in flags)
    if isinstance(value, float):
        if verb not in "eEfFgG":
            return None
        if verb in "gG" and not precision:
            return float_text(value)
        return f"{value:{sign}.{int(precision or 6)}{verb}}"
    if not isinstance(value, str):
        return None
    cut = value if precision in (None, "") else value[: int(precision or 0)]
    if verb in "xX":
        return cut.encode().hex() if verb == "x" else cut.encode().hex().upper()
    return {"s": cut, "q": json.dumps(cut, ensure_ascii=False)}.get(verb)


def _integer(value: int, verb: str, sign: str, sharp: bool) -> str | None:
    if verb in "dboxX":
        return f"{value:{sign}{'#' if sharp else ''}{verb}}"
    if verb == "c":
        return chr(value)
    if verb == "q":
        return f"'{chr(value)}'"
    return f"U+{value:04X}" if verb == "U" else None


def _padded(text: str, flags: str, width: str, number: bool) -> str:
    missing = int(width or 0)
    if "-" in flags:
        return text.ljust(missing)
    return text.zfill(missing) if "0" in flags and number else text.rjust(missing)
