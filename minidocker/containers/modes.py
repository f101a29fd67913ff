"""Whose namespaces a container uses: its own, the host's, or another container's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter

PRIVATE: Final = "private"
SHAREABLE: Final = "shareable"  # private, and others may join it
HOST: Final = "host"
NONE: Final = "none"
CONTAINER: Final = "container"
BRIDGE: Final = "bridge"  # any network that has a bridge, whatever its name


@dataclass(frozen=True)
class Mode:
    """``container``: what the user called the other one, for kind "container" only."""

    kind: str = PRIVATE
    container: str = ""


@dataclass(frozen=True)
class Modes:
    """The fields are named as the OCI runtime spec names the namespaces."""

    network: Mode
    pid: Mode
    ipc: Mode
    uts: Mode
    cgroup: Mode

    @property
    def joined(self) -> dict[str, str]:
        """Namespace -> the container it is taken from, in a fixed order."""
        modes = {"pid": self.pid, "ipc": self.ipc, "network": self.network, "uts": self.uts}
        return {name: mode.container for name, mode in modes.items() if mode.kind == CONTAINER}


def parse_modes(spec: ContainerSpec) -> Modes:
    """The namespaces a spec asks for.  Raises ``InvalidParameter`` for a mode that does not
    exist."""
    if spec.userns_mode not in ("", HOST):
        raise InvalidParameter(f"invalid user namespace mode: {spec.userns_mode}")
    return Modes(
        network=network_mode(spec.network_mode),
        pid=_mode(spec.pid_mode, "PID", (HOST, CONTAINER)),
        ipc=_mode(spec.ipc_mode, "IPC", (PRIVATE, SHAREABLE, NONE, HOST, CONTAINER)),
        uts=_mode(spec.uts_mode, "UTS", (HOST,)),
        cgroup=_mode(spec.cgroupns_mode, "cgroup namespace", (PRIVATE, HOST)),
    )


def network_mode(text: str) -> Mode:
    """``none``, ``host``, ``container:X``; all else is the name of a network."""
    if text in (NONE, HOST):
        return Mode(text)
    kind, colon, container = text.partition(":")
    if kind == CONTAINER and colon:
        if not container:
            raise InvalidParameter(
                f"Container network mode requires a container: invalid network mode: {text}"
            )
        return Mode(CONTAINER, container)
    return Mode(BRIDGE)


def _mode(text: str, what: str, known: tuple[str, ...]) -> Mode:
    kind, colon, container = text.partition(":")
    if not text:
        return Mode()
    if kind not in known or bool(colon) != (kind == CONTAINER) or bool(colon) != bool(container):
        raise InvalidParameter(f"invalid {what} mode: {text}")
    return Mode(kind, container)
