"""``network connect`` and ``disconnect`` of a running container; its name service after a
restart of the daemon: a short-lived process enters the network namespace and does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minidocker.linux.messages import Channel
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step, StepFailed, perform
from minidocker.namespaces.interfaces import OpenNameSockets, interface_steps
from minidocker.namespaces.process import JoinNamespaces
from minidocker.namespaces.start import LaunchFailed


def rewire_steps(request: Mapping[str, Any], pidfd: int, route_fd: int, answer: int) -> list[Step]:
    """``request``: ``plug`` and ``gateways`` (as of ``interface_steps``), ``names`` (whether
    the name service's sockets are wanted)."""
    return [
        JoinNamespaces(pidfd, ("network",)),
        *interface_steps(request["plug"], request["gateways"], route_fd),
        *([OpenNameSockets(answer)] if request["names"] else ()),
    ]


def rewire(link: Channel, request: Mapping[str, Any], pidfd: int) -> None:
    """Do it, and send {"event": "rewired"} over ``link``, or the failure of a start.

    The sockets, if they are wanted, come before, as {"names": true}.
    """
    with RouteSocket() as host:
        try:
            perform(rewire_steps(request, pidfd, host.fileno(), link.fileno()))
        except StepFailed as failed:
            link.send(LaunchFailed.of(failed).answer)
            return
    link.send({"event": "rewired"})
