"""The mount table as the kernel tells it: /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Mounted(NamedTuple):
    """A line.  ``point``: where; ``tags``: "shared:1", "master:2"; ``fstype``: "ext4"."""

    point: str
    tags: tuple[str, ...]
    fstype: str


def host_mounts() -> str:
    """The table of this process's mount namespace, as text."""
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        return file.read()


def parse_mountinfo(text: str) -> list[Mounted]:
    """The mounts, in the order in which they were made."""
    lines = (line.split(" ") for line in text.split("\n") if line)
    return [
        Mounted(_plain(fields[4]), tuple(fields[6 : fields.index("-")]), _type(fields))
        for fields in lines
    ]


def _type(fields: list[str]) -> str:
    return _plain(fields[fields.index("-") + 1])


def _plain(field: str) -> str:
    """A blank, a tab, a line's end and a backslash stand there as ``\\040`` and so on."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def mount_of(path: str, mounts: Iterable[Mounted]) -> Mounted:
    """The mount that ``path`` (absolute, free of links) is on: the deepest above it, the
    last of two on one place."""
    best = Mounted("/", (), "unknown")
    for mount in mounts:
        inside = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if inside and len(mount.point) >= len(best.point):
            best = mount
    return best
