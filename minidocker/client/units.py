"""Sizes, durations and moments, read and written as Docker does.

Docker reads sizes in powers of 1024 whatever the suffix ("64m", "64MB",
"64MiB"), and writes decimal ones for images ("7.05MB") and binary ones for
memory ("12.5MiB").  The rules are those of its go-units package and of Go's
``time.ParseDuration``.
"""

from __future__ import annotations

import json
import math
import re

from minidocker.errors import InvalidParameter

DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")

SIZE = re.compile(r"(?P<number>.*[0-9.]) ?(?P<suffix>[^0-9. ]*)", re.DOTALL)
POWERS = {letter: 1024 ** (power + 1) for power, letter in enumerate("kmgtp")}

DURATION = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)(?P<unit>ns|us|µs|μs|ms|s|m|h)")
NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def parse_bytes(text: str) -> int:
    """Bytes: "1024", "64m", "1.5 GiB"; a unit is a power of 1024.

    Raises ``InvalidParameter`` with Docker's text.
    """
    match = SIZE.fullmatch(text)
    if not match:
        raise InvalidParameter(f"invalid size: '{text}'")
    number, suffix = match["number"], match["suffix"].lower()
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", number):
        raise InvalidParameter(f'strconv.ParseFloat: parsing "{number}": invalid syntax')
    size = float(number)
    if size < 0:
        raise InvalidParameter(f"invalid size: '{text}'")
    if not re.fullmatch(r"b?|[kmgtp](b|ib)?", suffix):
        raise InvalidParameter(f"invalid suffix: '{suffix}'")
    bytes_ = size * POWERS.get(suffix[:1], 1)
    if bytes_ >= 2**63:
        raise InvalidParameter(f"invalid size: '{text}' exceeds 8 EiB")
    return int(bytes_)


def human_size(size: float, digits: int = 4) -> str:
    """``size`` bytes in the decimal unit that keeps it below 1000: "7.05MB"."""
    return _scaled(size, digits, 1000.0, DECIMAL)


def binary_size(size: float, digits: int = 4) -> str:
    """``size`` bytes in the binary unit that keeps it below 1024: "12.5MiB"."""
    return _scaled(size, digits, 1024.0, BINARY)


def _scaled(size: float, digits: int, base: float, units: tuple[str, ...]) -> str:
    power = 0
    while size >= base and power < len(units) - 1:
        size /= base
        power += 1
    return f"{_general(size, digits)}{units[power]}"


def _general(value: float, digits: int) -> str:
    """C's ``%.<digits>g``, except that Go writes its exponents the same way."""
    return f"{value:.{digits}g}"


def parse_duration(text: str) -> int:
    """Nanoseconds: "1m30s", "1.5h", "-300ms", "0" (Go, ``time.ParseDuration``)."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, at = 0.0, 0
    exact = 0
    while match := DURATION.match(rest, at):
        whole, _, fraction = match["number"].partition(".")
        unit = NANOSECONDS[match["unit"]]
        exact += int(whole or 0) * unit
        total += float("0." + (fraction or "0")) * unit
        at = match.end()
    if at != len(rest) or not rest:
        raise InvalidParameter(f'time: invalid duration "{text}"')
    return sign * (exact + int(total))


def human_duration(seconds: float) -> str:
    """Roughly how long: "About an hour", "3 weeks" (go-units, ``HumanDuration``)."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if (minutes := whole // 60) < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if (hours := math.floor(seconds / 3600 + 0.5)) < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    steps = ((24 * 14, 24, "days"), (24 * 60, 24 * 7, "weeks"), (24 * 730, 24 * 30, "months"))
    for below, unit, name in steps:
        if hours < below:
            return f"{hours // unit} {name}"
    return f"{int(seconds / 3600) // 24 // 365} years"


def parse_moment(text: str, now: float) -> str:
    """The Engine API's timestamp for ``--since`` and ``--until``: seconds since 1970.

    ``text``: seconds already ("1700000000.5"), a duration before ``now``
    ("42m"), or a date ("2024-01-02", "2024-01-02T13:23:37.5Z"; local time
    where it names no zone).  Raises ``InvalidParameter``.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    try:
        return _stamp(int(now * 1_000_000_000) - parse_duration(text))
    except InvalidParameter:
        pass
    return _stamp(parse_time(text))


def _stamp(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time; years before 1970 are negative."""
    from datetime import datetime

    match = re.fullmatch(r"(.*?)(\.\d+)?(Z|[+-]\d\d:\d\d)?", text)
    assert match is not None
    moment, fraction, zone = match.groups()
    try:
        at = datetime.fromisoformat(moment + (zone or "").replace("Z", "+00:00"))
        at = at if at.tzinfo else at.astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidParameter(
            f"failed to parse value as time or duration: {json.dumps(text)}"
        ) from error
    whole = int(at.timestamp() // 1) * 1_000_000_000
    return whole + int((fraction or ".")[1:].ljust(9, "0")[:9] or 0)


def local_text(nanoseconds: int) -> str:
    """RFC 3339 in local time, as ``events`` and ``ps`` of the docker command write moments."""
    from datetime import datetime

    at = datetime.fromtimestamp(nanoseconds // 1_000_000_000).astimezone()
    zone = at.strftime("%z")
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}{zone}"
