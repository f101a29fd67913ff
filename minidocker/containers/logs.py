"""Reading the json-file logs that the monitors write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogLine:
    """``time_ns``: Unix time.  ``stream``: "stdout" or "stderr".  ``data``: with its newline."""

    time_ns: int
    stream: str
    data: bytes
