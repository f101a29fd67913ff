"""Changing the network of a container that runs: a process of the launcher's does it inside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minidocker.containers.link import Link
from minidocker.errors import SystemFailure


async def rewire(
    launcher: Path,
    pidfd: int,
    *,
    plug: Sequence[dict[str, Any]] = (),
    gateways: Sequence[tuple[str, str]] = (),
    names: bool = False,
) -> list[int]:
    """``plug``, ``gateways``: see ``namespaces/rewire.py``.  ``launcher``: its socket.

    With ``names``, returns the sockets of a name service, udp and tcp.  Raises ``OSError``
    when there is no launcher, ``SystemFailure``.
    """
    link = Link.connect(launcher)
    sockets: list[int] = []
    request = {
        "op": "rewire",
        "plug": list(plug),
        "gateways": [list(each) for each in gateways],
        "names": names,
    }
    try:
        await link.send(request, [pidfd])
        while (received := await link.receive()) is not None:
            message, fds = received
            sockets += fds
            if message.get("event") == "rewired":
                done, sockets = sockets, []
                return done
            if message.get("event") == "failed":
                raise SystemFailure(message["message"])
        raise SystemFailure("the process that changes a container's network ended")
    finally:
        link.close()
        for fd in sockets:
            with contextlib.suppress(OSError):
                os.close(fd)
