"""A network namespace for the whole run: what the engines under test make stays in it.

Bridges, firewall rules, published ports and the registries on loopback: none of it is
the machine's, and no two runs meet.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from minidocker.linux import flags, syscalls
from minidocker.linux.netlink import RouteSocket

_outside = -1


def enter() -> None:
    """Leave the machine's network for one that has a loopback interface only.

    Nothing happens for an ordinary user, whose tests make no networks.
    """
    global _outside
    if _outside >= 0 or os.geteuid() != 0:
        return
    outside = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(flags.CLONE_NEWNET)
    except OSError:
        os.close(outside)
        return
    _outside = outside
    with RouteSocket() as here:
        here.set_up("lo")


def outside(argv: Sequence[str]) -> list[str]:
    """The command, for a process in the machine's own network (to fetch a package)."""
    if _outside < 0:
        return list(argv)
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{_outside}", *argv]


def interfaces() -> dict[str, int]:
    """Names and numbers of this namespace's, whatever /sys shows."""
    return {name: number for number, name in socket.if_nameindex()}
