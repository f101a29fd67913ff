"""Whether a bind mount can have the propagation that is asked for (mount_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Iterable

from minidocker.containers.spec import Mount
from minidocker.errors import InvalidParameter


def check_propagation(mounts: Iterable[Mount], mountinfo: str) -> None:
    """Refuse ``shared`` and ``slave`` where the source's own mount has no peers.

    ``mountinfo``: /proc/self/mountinfo (proc(5)).  Raises ``InvalidParameter`` with Docker's
    words (moby daemon/oci_linux.go, ``ensureShared``).
    """
    for mount in mounts:
        asked = {option.removeprefix("r") for option in mount.options} & {"shared", "slave"}
        if mount.kind != "bind" or not asked:
            continue
        source = os.path.realpath(mount.source)
        point, tags = mount_of(source, mountinfo)
        wanted = ("shared:",) if "shared" in asked else ("shared:", "master:")
        if not any(tag.startswith(wanted) for tag in tags):
            kind = "a shared" if "shared" in asked else "a shared or slave"
            raise InvalidParameter(
                f"path {mount.source} is mounted on {point} but it is not {kind} mount"
            )


def mount_of(path: str, mountinfo: str) -> tuple[str, list[str]]:
    """The mount point that ``path`` is on, and its optional fields ("shared:1", "master:2")."""
    best: tuple[str, list[str]] = ("/", [])
    for line in mountinfo.splitlines():
        fields = line.split()
        point = fields[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, fields[6 : fields.index("-")])
    return best
