"""Times as Docker writes them: RFC 3339 with nanoseconds, and "2 minutes".  Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

NEVER: Final = "0001-01-01T00:00:00Z"  # Go's zero time
SECOND: Final = 10**9  # in nanoseconds


def rfc3339(ns: int) -> str:
    """Unix nanoseconds in UTC, without the fraction's last zeros; 0 is ``NEVER``."""
    if ns == 0:
        return NEVER
    fraction = f".{ns % SECOND:09}".rstrip("0").rstrip(".")
    return f"{_whole(ns)}{fraction}Z"


def rfc3339_fixed(ns: int) -> str:
    """The same with nine digits always, as ``docker logs --timestamps`` has it."""
    return f"{_whole(ns)}.{ns % SECOND:09}Z"


def is_rfc3339(text: str) -> bool:
    """Whether it is a time that Go would read; what it says need not be a day that there is."""
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return re.fullmatch(form, text, re.ASCII) is not None


def _whole(ns: int) -> str:
    return datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def human_duration(seconds: float) -> str:
    """ "About a minute", as ``docker ps`` says it (docker/go-units, HumanDuration)."""
    whole = int(seconds)
    minutes, hours = whole // 60, int(seconds / 3600 + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    for limit, unit, name in ((48, 1, "hours"), (336, 24, "days"), (1440, 168, "weeks")):
        if hours < limit:
            return f"{hours // unit} {name}"
    if hours < 24 * 365 * 2:
        return f"{hours // 720} months"
    return f"{whole // 3600 // 24 // 365} years"
