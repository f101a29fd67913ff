"""From Docker's view of a container to the OCI runtime spec's.

The whole isolation of a container is decided here, as one plain dictionary
(config.md, config-linux.md): which namespaces, which mounts, which
capabilities, what is masked.  The launcher does what it says and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from minidocker.containers.check import rlimit
from minidocker.containers.devices import DeviceNode
from minidocker.containers.merge import command_line, effective_environment
from minidocker.containers.modes import CONTAINER, HOST, Mode, Modes
from minidocker.containers.mounts import (
    all_mounts,
    default_mounts,
    file_mounts,
    root_propagation,
)
from minidocker.containers.security import Security
from minidocker.containers.spec import ContainerSpec

OCI_VERSION: Final = "1.2.0"

# moby oci/defaults.go, release 28
MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS: Final = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)
# Safe in a network namespace of one's own: there are no others to disturb.
NETWORK_SYSCTLS: Final = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}


@dataclass(frozen=True)
class Surroundings:
    """What the runtime spec says that is not in the container's own spec.

    ``directory``: where its /etc/hosts and the like are kept.  ``hostname``: what it
    will be called, "" to leave the name alone.  ``thermal``: the files of this
    machine's processors that are masked besides ``MASKED_PATHS``.
    """

    id: str
    directory: Path
    hostname: str
    modes: Modes
    security: Security
    capabilities: tuple[str, ...]
    devices: tuple[DeviceNode, ...] = ()
    thermal: tuple[str, ...] = ()
    cgroup_path: str = ""
    network_sysctls: Mapping[str, str] = field(default_factory=dict)


def runtime_spec(spec: ContainerSpec, around: Surroundings) -> dict[str, Any]:
    """The effective ``spec`` (see ``merge``) as an OCI runtime config.json."""
    modes = around.modes
    mounts = all_mounts(
        default_mounts(modes, spec.shm_size, spec.privileged),
        file_mounts(around.directory),
        spec.mounts,
        spec.read_only,
    )
    config: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": process(spec, around),
        "root": {"path": "rootfs", "readonly": spec.read_only},
        "mounts": mounts,
        "annotations": dict(spec.annotations),
        "linux": {
            "namespaces": namespaces(modes),
            "devices": [node.to_oci() for node in around.devices],
            "sysctl": {**around.network_sysctls, **spec.sysctls},
            "rootfsPropagation": root_propagation(mounts),
            **hidden_paths(spec, around),
        },
    }
    if around.cgroup_path:
        config["linux"]["cgroupsPath"] = f"/{around.cgroup_path}"
    if modes.uts.kind != HOST:
        config["hostname"] = around.hostname
        if spec.domainname:
            config["domainname"] = spec.domainname
    return config


def process(spec: ContainerSpec, around: Surroundings) -> dict[str, Any]:
    """The container's first process (config.md, "Process")."""
    environment = effective_environment(spec.environment, around.hostname, spec.tty)
    described: dict[str, Any] = {
        "terminal": spec.tty,
        "user": user(spec.user, spec.group_add),
        "args": list(command_line(spec)),
        "env": environment,
        "cwd": spec.working_dir or "/",
        "capabilities": capability_sets(around.capabilities),
        "rlimits": [rlimit(each.name, each.soft, each.hard) for each in spec.ulimits],
        "oomScoreAdj": spec.oom_score_adj,
        "noNewPrivileges": around.security.no_new_privileges,
    }
    if around.security.apparmor:
        described["apparmorProfile"] = around.security.apparmor
    if spec.tty and any(spec.console_size):
        described["consoleSize"] = console_size(spec.console_size)
    return described


def user(name: str, extra_groups: Sequence[str] = ()) -> dict[str, Any]:
    """Resolved with the image's own files, inside: here it stays as the user wrote it."""
    described: dict[str, Any] = {"uid": 0, "gid": 0, "username": name}
    if extra_groups:
        described["additionalGroups"] = list(extra_groups)
    return described


def capability_sets(names: Sequence[str]) -> dict[str, list[str]]:
    """None inheritable, none ambient: a program run by an ordinary user starts with none
    (CVE-2022-24769)."""
    return {kind: list(names) for kind in ("bounding", "effective", "permitted")}


def console_size(size: tuple[int, int]) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


def namespaces(modes: Modes) -> list[dict[str, str]]:
    """The new ones; one that is left out is the host's or is joined by a pidfd."""
    wanted: dict[str, Mode] = {
        "mount": Mode(),
        "pid": modes.pid,
        "uts": modes.uts,
        "ipc": modes.ipc,
        "network": modes.network,
        "cgroup": modes.cgroup,
    }
    return [{"type": kind} for kind, mode in wanted.items() if mode.kind not in (HOST, CONTAINER)]


def hidden_paths(spec: ContainerSpec, around: Surroundings) -> dict[str, list[str]]:
    """What of /proc and /sys may not be seen or not be written."""
    if spec.privileged or not around.security.masked:
        return {"maskedPaths": [], "readonlyPaths": []}
    masked, readonly = spec.masked_paths, spec.readonly_paths
    return {
        "maskedPaths": list((*MASKED_PATHS, *around.thermal) if masked is None else masked),
        "readonlyPaths": list(READONLY_PATHS if readonly is None else readonly),
    }
