"""Device nodes in a container, and the rules that say which it may open."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from minidocker.cgroups.resources import DeviceRule
from minidocker.containers.spec import Device
from minidocker.errors import InvalidParameter

# What every container may open: mknod of anything, then the nodes that the runtime
# spec puts in /dev (config-linux.md, "Default Devices"), and the terminals.
DEFAULT_RULES: Final = (
    DeviceRule(False),
    DeviceRule(True, "c", None, None, "m"),
    DeviceRule(True, "b", None, None, "m"),
    DeviceRule(True, "c", 1, 3),  # null
    DeviceRule(True, "c", 1, 5),  # zero
    DeviceRule(True, "c", 1, 7),  # full
    DeviceRule(True, "c", 1, 8),  # random
    DeviceRule(True, "c", 1, 9),  # urandom
    DeviceRule(True, "c", 5, 0),  # tty
    DeviceRule(True, "c", 5, 1),  # console
    DeviceRule(True, "c", 5, 2),  # ptmx
    DeviceRule(True, "c", 136, None),  # pts/N
)
EVERYTHING: Final = (DeviceRule(True),)

_RULE: Final = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
# Of the host's /dev, what a container has of its own even when privileged.
_NOT_FOR_CONTAINERS: Final = {
    *("pts", "shm", "fd", "mqueue", "console"),
    *(".lxc", ".lxd-mounts", ".udev"),
}


@dataclass(frozen=True)
class DeviceNode:
    """``kind``: "c" or "b".  ``mode``: permission bits, as on the host."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    permissions: str = "rwm"

    def to_oci(self) -> dict[str, Any]:
        """config-linux.md, "Devices"."""
        return {
            "path": self.path,
            "type": self.kind,
            "major": self.major,
            "minor": self.minor,
            "fileMode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }


def device_rules(
    nodes: Iterable[DeviceNode], extra: Iterable[str], privileged: bool
) -> tuple[DeviceRule, ...]:
    """The rules in order, the first one being "nothing" (or, privileged, "everything").

    ``extra``: ``--device-cgroup-rule`` lines.  Raises ``InvalidParameter``.
    """
    parsed = tuple(parse_rule(line) for line in extra)
    if privileged:
        return EVERYTHING
    named = (
        DeviceRule(True, node.kind, node.major, node.minor, node.permissions) for node in nodes
    )
    return (*DEFAULT_RULES, *named, *parsed)


def parse_rule(line: str) -> DeviceRule:
    """``c 1:3 rw`` or ``a *:* rwm``.  Raises ``InvalidParameter`` with Docker's words."""
    match = _RULE.fullmatch(line)
    if match is None:
        raise InvalidParameter(f"invalid device cgroup rule format: '{line}'")
    kind, major, minor, access = match.groups()
    return DeviceRule(
        True,
        kind,
        None if major == "*" else int(major),
        None if minor == "*" else int(minor),
        access,
    )


def find_devices(devices: Iterable[Device], privileged: bool) -> tuple[DeviceNode, ...]:
    """The nodes for ``--device``, and the host's own when privileged.

    A directory stands for all the nodes in it.  Raises ``InvalidParameter`` for what is
    not there or no device.
    """
    nodes: dict[str, DeviceNode] = {}
    if privileged:
        for name in sorted(os.listdir("/dev")):
            if name not in _NOT_FOR_CONTAINERS:
                nodes.update(_by_path(_below(f"/dev/{name}", f"/dev/{name}", "rwm")))
    for device in devices:
        if not re.fullmatch("[rwm]{1,3}", device.permissions):
            raise InvalidParameter(f"invalid device mode: {device.permissions}")
        found = _by_path(
            _below(device.host_path, device.container_path or device.host_path, device.permissions)
        )
        if not found:
            raise InvalidParameter(_gathering(device.host_path, _why_not(device.host_path)))
        nodes.update(found)
    return tuple(nodes.values())


def _by_path(nodes: Iterable[DeviceNode]) -> dict[str, DeviceNode]:
    return {node.path: node for node in nodes}


def _below(path: str, target: str, permissions: str) -> Iterator[DeviceNode]:
    """The node at ``path``, or those in the directory ``path``; nothing for what is neither."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            for name in sorted(os.listdir(path)):
                if name not in _NOT_FOR_CONTAINERS and not os.path.islink(f"{path}/{name}"):
                    yield from _below(f"{path}/{name}", f"{target}/{name}", permissions)
            return
    except OSError:
        return
    kinds = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
    if kind := kinds.get(stat.S_IFMT(status.st_mode)):
        yield DeviceNode(
            path=target,
            kind=kind,
            major=os.major(status.st_rdev),
            minor=os.minor(status.st_rdev),
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            permissions=permissions,
        )


def _why_not(path: str) -> str:
    try:
        os.stat(path)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "not a device node"


def _gathering(path: str, why: str) -> str:
    return f'error gathering device information while adding custom device "{path}": {why}'
