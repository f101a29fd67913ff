"""A container's root as a descriptor: what ``docker cp`` works on.

Of one that runs it is /proc/PID/root, with all that is mounted there.  Of one that does not,
a short-lived process mounts it with its volumes (``namespaces/roots.py``), and the
container is neither started nor removed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator

from minidocker.containers.container import Container
from minidocker.containers.core import Core, Run
from minidocker.containers.link import Link
from minidocker.containers.mounts import OciMount, file_mounts, make_sources, user_mount
from minidocker.errors import SystemFailure
from minidocker.linux.messages import Channel, connect_unix


@contextlib.asynccontextmanager
async def opened_root(core: Core, container: Container) -> AsyncIterator[int]:
    """The root, open (O_PATH), until the context ends.  Raises ``SystemFailure``, ``OSError``."""
    run = core.runs.get(container.id)
    root = _of_running(run) if run is not None else -1
    if root >= 0:
        try:
            yield root
        finally:
            os.close(root)
        return
    async with core.lock(container.id):
        run = core.runs.get(container.id)
        root = _of_running(run) if run is not None else -1
        link: Link | None = None
        if root < 0:
            link, root = await _mounted(core, core.store.get(container.id))
        try:
            yield root
        finally:
            os.close(root)
            if link is not None:
                link.close()


def _of_running(run: Run) -> int:
    """-1 when it has just ended."""
    try:
        root = os.open(f"/proc/{run.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        # It is alive, so the number above was its own.
        signal.pidfd_send_signal(run.pidfd, 0)
    except (OSError, ValueError):
        os.close(root)
        return -1
    return root


async def _mounted(core: Core, container: Container) -> tuple[Link, int]:
    await core.launcher.needed()
    make_sources(container.spec.mounts)
    snapshot = core.snapshots.get(container.id, container.diff_ids)
    channel = Channel(connect_unix(str(core.places.launcher)))
    channel.send(
        {
            "op": "root",
            "root": str(core.places.rootfs),
            "rootfs": {
                "lower": list(snapshot.lower),
                "upper": snapshot.upper,
                "work": snapshot.work,
            },
            "mounts": volumes(core, container),
        }
    )
    link = Link(channel.sock)
    received = await link.receive()
    if received is None or received[0]["event"] != "root":
        link.close()
        why = received[0]["message"] if received else "the process that does it ended"
        raise SystemFailure(f"the root of container {container.id} cannot be mounted: {why}")
    return link, received[1][0]


def volumes(core: Core, container: Container) -> list[OciMount]:
    """The bind mounts, which are there also while it does not run; parents first."""
    asked = [user_mount(each) for each in container.spec.mounts if each.kind == "bind"]
    places = {each["destination"] for each in asked}
    files = file_mounts(core.places.directory(container.id))
    mounts = [each for each in files if each["destination"] not in places] + asked
    return sorted(mounts, key=lambda mount: str(mount["destination"]).count("/"))
