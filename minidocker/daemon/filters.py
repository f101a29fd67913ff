"""The ``filters`` query parameter: parsing, checking, matching.  Pure.

Clients encode it in two ways, ``{"label":{"a=b":true}}`` (the CLI) and
``{"label":["a=b"]}`` (docker-py, the older API).  Values of one key are
alternatives, different keys must all match; labels must all match too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from minidocker.errors import InvalidParameter

Filters = Mapping[str, frozenset[str]]


def parse_filters(text: str, allowed: Collection[str]) -> Filters:
    """The filters by key.  Raises ``InvalidParameter``: not JSON, or a key not in ``allowed``."""
    if not text:
        return {}
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"invalid filter: {error}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InvalidParameter("invalid filter: it must be a JSON object")
    filters = {key: _values(key, values) for key, values in raw.items()}
    for key in filters:
        if key not in allowed:
            raise InvalidParameter(f"invalid filter '{key}'")
    return {key: values for key, values in filters.items() if values}


def _values(key: str, raw: object) -> frozenset[str]:
    if raw is None:
        return frozenset()
    if isinstance(raw, dict):
        return frozenset(value for value, wanted in raw.items() if wanted)
    if isinstance(raw, list) and all(isinstance(value, str) for value in raw):
        return frozenset(raw)
    raise InvalidParameter(f"invalid filter '{key}': a list or an object of strings is needed")


def labels_match(wanted: frozenset[str], labels: Mapping[str, str]) -> bool:
    """Each of ``wanted`` ("key" or "key=value") is among ``labels``."""
    for each in wanted:
        key, equals, value = each.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def labels_pass(filters: Filters, labels: Mapping[str, str]) -> bool:
    """``label`` and ``label!`` of a prune (moby daemon/prune.go, ``matchLabels``): all of the
    first kind, and not all of the second."""
    unwanted = filters.get("label!")
    return labels_match(filters.get("label", frozenset()), labels) and not (
        unwanted and labels_match(unwanted, labels)
    )


def until_of(filters: Filters, now_ns: int) -> int | None:
    """The one moment of ``until``, in Unix nanoseconds; None is any.

    Raises ``InvalidParameter`` for more than one, or what is no time.
    """
    said = filters.get("until", frozenset())
    if len(said) > 1:
        raise InvalidParameter("more than one until filter specified")
    return parse_time(next(iter(said)), now_ns) if said else None


def any_matches(wanted: frozenset[str], source: str) -> bool:
    """One of ``wanted`` is a regular expression found in ``source``, or equals it.

    Docker's ``name`` filter (moby filters.Args.Match).
    """
    return any(pattern == source or _searches(pattern, source) for pattern in wanted)


def _searches(pattern: str, source: str) -> bool:
    try:
        return re.search(pattern, source) is not None
    except (re.error, RecursionError):
        return False


def one_flag(filters: Filters, key: str, default: bool) -> bool:
    """A filter that is a truth value: ``dangling=true``.  Raises ``InvalidParameter``."""
    values = filters.get(key)
    if values is None:
        return default
    meanings = {"true": True, "1": True, "false": False, "0": False}
    if len(values) != 1 or (text := next(iter(values)).lower()) not in meanings:
        raise InvalidParameter(f"invalid filter '{key}=[{' '.join(sorted(values))}]'")
    return meanings[text]


def parse_time(text: str, now_ns: int) -> int:
    """Unix seconds (with a fraction), RFC 3339, or a duration before ``now_ns``: in ns.

    Raises ``InvalidParameter``.
    """
    if match := re.fullmatch(r"(-?[0-9]{1,18})(?:\.([0-9]{1,9})[0-9]*)?", text):
        whole, fraction = match.groups()
        nanoseconds = int((fraction or "").ljust(9, "0"))
        return int(whole) * 10**9 + (nanoseconds if not whole.startswith("-") else -nanoseconds)
    if (duration := _parse_duration(text)) is not None:
        return now_ns - duration
    try:
        return int(datetime.fromisoformat(text).timestamp() * 10**6) * 1000
    except (ValueError, OverflowError):  # the latter: at the ends of what there are dates for
        raise InvalidParameter(f'parsing time "{text}": neither seconds nor RFC 3339') from None


_UNITS: Mapping[str, int] = {
    "h": 3600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "µs": 10**3,
    "ns": 1,
}


def _parse_duration(text: str) -> int | None:
    """Go's ``1h30m``, in ns; None when it is none."""
    if not re.fullmatch(r"([0-9]{1,18}(\.[0-9]+)?(h|ms|m|us|µs|ns|s))+", text):
        return None
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|us|µs|ns|s)", text)
    return sum(int(float(number) * _UNITS[unit]) for number, unit in parts)


def select(filters: Filters, predicates: Mapping[str, Callable[[frozenset[str]], bool]]) -> bool:
    """Whether every filter's predicate holds."""
    return all(predicates[key](values) for key, values in filters.items() if key in predicates)
