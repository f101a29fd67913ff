"""Whether a bind mount can have the propagation that is asked for (mount_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from minidocker.containers.spec import Mount
from minidocker.errors import InvalidParameter
from minidocker.linux.mountinfo import host_mounts, mount_of, parse_mountinfo


def check_propagation(mounts: Iterable[Mount], read: Callable[[], str] = host_mounts) -> None:
    """Refuse ``shared`` and ``slave`` where the source's own mount has no peers.

    ``read`` gives the mount table, which may be long: it is asked only when a mount wants
    peers.  Raises ``InvalidParameter`` with Docker's
    words (moby daemon/oci_linux.go, ``ensureShared``).
    """
    for mount in mounts:
        asked = {option.removeprefix("r") for option in mount.options} & {"shared", "slave"}
        if mount.kind != "bind" or not asked:
            continue
        source = os.path.realpath(mount.source)
        there = mount_of(source, parse_mountinfo(read()))
        wanted = ("shared:",) if "shared" in asked else ("shared:", "master:")
        if not any(tag.startswith(wanted) for tag in there.tags):
            kind = "a shared" if "shared" in asked else "a shared or slave"
            raise InvalidParameter(
                f"path {mount.source} is mounted on {there.point} but it is not {kind} mount"
            )
