"""The process that carries a container's published ports: started and ended from here.

The launcher forks it (``namespaces/port_proxy.py``).  It lives as long as the container,
whatever becomes of this daemon.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from minidocker.containers.link import Link
from minidocker.errors import SystemFailure
from minidocker.linux.messages import MAX_FDS
from minidocker.networks.ports import Listening


async def start_proxy(
    launcher: Path, place: Path, id: str, pidfd: int, ports: Sequence[tuple[Listening, str]]
) -> int:
    """Start it; its pid.

    ``launcher``: the launcher's socket.  ``place``: where the proxy's own will be, which
    must not exist.  ``id``: the container's; ``pidfd``: of its first process.  ``ports``: each
    with the container's address.  The descriptors stay the caller's.  Raises ``OSError`` when
    there is no launcher, ``SystemFailure``.
    """
    link = Link.connect(launcher)
    try:
        head = {"op": "proxy", "id": id, "socket": str(place), "ports": len(ports)}
        await link.send(head, [pidfd])
        for at in range(0, len(ports), MAX_FDS):
            some = ports[at : at + MAX_FDS]
            targets = [[address, each.container_port] for each, address in some]
            await link.send({"ports": targets}, [each.sock.fileno() for each, _ in some])
        received = await link.receive()
    finally:
        link.close()
    if received is None or received[0]["event"] != "started":
        why = received[0]["message"] if received else "the process that does it ended"
        raise SystemFailure(f"the published ports of container {id} have no proxy: {why}")
    return int(received[0]["pid"])


async def stop_proxy(place: Path) -> None:
    """End the proxy that listens at ``place``; its ports are free then.  Nothing happens when
    there is none any more."""
    with contextlib.suppress(OSError):
        link = Link.connect(place)
        try:
            await link.send({"op": "stop"})
            while await link.receive() is not None:
                pass
        finally:
            link.close()
    place.unlink(missing_ok=True)
