"""Heads of answers, and what is said of requests that have none."""

from __future__ import annotations

import re
import time
from http import HTTPStatus

import h11

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def answer_head(status: int, headers: list[tuple[str, str]]) -> h11.Response:
    """With the reason phrase that belongs to ``status``."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    return h11.Response(status_code=status, headers=headers, reason=reason)


def http_date(seconds: float) -> str:
    """A Unix time as RFC 9110 writes it; ``email.utils`` would cost a megabyte for this."""
    moment = time.gmtime(seconds)
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    return time.strftime(f"{day}, %d {month} %Y %H:%M:%S GMT", moment)


def plain(error: h11.RemoteProtocolError) -> str:
    """What h11 says, without Python's way of writing bytes."""
    return re.sub(r"bytearray\(b(.*?)\)( |$)", r"\1\2", str(error))
