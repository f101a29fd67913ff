"""Which code a launcher runs, so that a daemon of other code starts one of its own."""

from __future__ import annotations

import os

import minidocker


def edition() -> str:
    """Which code this is: the version, and when the newest of its files was written.

    A launcher keeps the code with which it started, also when the files change under it.
    """
    here = os.path.dirname(os.path.abspath(minidocker.__file__))
    files = [
        entry
        for package in ("namespaces", "linux")
        for entry in os.scandir(os.path.join(here, package))
        if entry.name.endswith(".py")
    ]
    return f"{minidocker.__version__} of {max(file.stat().st_mtime_ns for file in files)}"
