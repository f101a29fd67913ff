"""Which cgroup trees are mounted here, and the driver for them.

A machine has v2 (one tree), v1 (a tree a controller), or both (hybrid: v1
keeps the controllers, and v2 is there without them).  /proc/self/mounts says
which; ``parse_mounts`` reads it (pure), ``detect`` chooses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from minidocker.cgroups.v1 import V1
from minidocker.cgroups.v2 import V2
from minidocker.errors import SystemFailure

V1_CONTROLLERS = {
    *("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory"),
    *("misc", "net_cls", "net_prio", "perf_event", "pids", "rdma"),
}


@dataclass(frozen=True)
class Hierarchies:
    """``v1``: where each controller or named tree ("name=systemd") is mounted.

    ``unified``: where v2 is, None if nowhere.
    """

    v1: dict[str, str] = field(default_factory=dict)
    unified: str | None = None


def parse_mounts(text: str, root: str) -> Hierarchies:
    """The cgroup trees mounted at or below ``root``, from the text of /proc/self/mounts.

    A line is "source target type options 0 0"; a space in a path stands as
    ``\\040`` (proc(5)).  Of two mounts of the same tree the first counts.
    """
    v1: dict[str, str] = {}
    unified = None
    for target, kind, options in _mounts(text):
        if target != root and not target.startswith(root.rstrip("/") + "/"):
            continue
        if kind == "cgroup2":
            unified = unified or target
        elif kind == "cgroup":
            for option in options.split(","):
                if option in V1_CONTROLLERS or option.startswith("name="):
                    v1.setdefault(option, target)
    return Hierarchies(v1, unified)


def _mounts(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) >= 4:
            target = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[1])
            yield target, words[2], words[3]


def detect(
    root: Path = Path("/sys/fs/cgroup"), mounts: Path = Path("/proc/self/mounts")
) -> V1 | V2:
    """The driver for what is mounted below ``root``, according to the file ``mounts``.

    v1 if it has any controller (then v2 cannot have it), else v2.  Raises
    ``SystemFailure`` when there is neither: a container without limits and
    without a way to kill all of it would be no container.
    """
    try:
        text = mounts.read_text(errors="surrogateescape")
    except OSError as error:
        raise SystemFailure(f"cannot see what is mounted: {error}; is /proc mounted?") from error
    found = parse_mounts(text, str(root))
    if found.v1.keys() & V1_CONTROLLERS:
        # A hybrid machine's v2 tree is of use only for what v1 does not have there: to join it
        # is slow, see ``V1Cgroup.procs_files``.
        complete = {"freezer", "devices"} <= set(found.v1)
        return V1(found.v1, None if complete else found.unified)
    if found.unified is not None:
        return V2(Path(found.unified))
    raise SystemFailure(
        f"no cgroup file system is mounted at {root}, and containers cannot be limited without; "
        f"mount it with: mount -t cgroup2 none {root}"
    )
