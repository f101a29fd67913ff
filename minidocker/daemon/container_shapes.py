"""A container as the API shows it: inspect and the rows of the list.  Pure.

Where Docker has ``{}``, ``[]`` or null is part of the contract: programs read it
without looking first.  Engine API, ContainerInspectResponse, ContainerSummary.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from minidocker.containers import state as life
from minidocker.containers.container import Container, State
from minidocker.containers.runtime_spec import MASKED_PATHS, READONLY_PATHS
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.create_fields import CONFIG, HOST, RESOURCES, THROTTLES
from minidocker.daemon.fields import write_fields
from minidocker.daemon.mount_fields import mount_points, write_mounts
from minidocker.daemon.network_fields import write_port_bindings
from minidocker.daemon.network_shapes import Place, endpoints, network_settings, port_rows
from minidocker.daemon.times import SECOND, human_duration, rfc3339

STORAGE_DRIVER: Final = "overlay2"


@dataclass(frozen=True)
class Around:
    """What inspect tells that the container's record does not hold.

    ``lower``: its layers' directories, topmost first.  ``size_rw``, ``size_root``:
    bytes, when asked for.  ``host_name``: the machine's.
    """

    directory: Path
    log_path: Path | None
    place: Place
    host_name: str = ""
    lower: Sequence[str] = ()
    exec_ids: Sequence[str] = ()
    size_rw: int | None = None
    size_root: int | None = None


def inspect(container: Container, around: Around) -> dict[str, Any]:
    """``GET /containers/{id}/json``."""
    directory = around.directory
    shown: dict[str, Any] = {
        "Id": container.id,
        "Created": rfc3339(container.created_ns),
        "Path": container.path,
        "Args": list(container.args[1:]),
        "State": state(container.state),
        "Image": container.image_id,
        "ResolvConfPath": str(directory / "resolv.conf"),
        "HostnamePath": str(directory / "hostname"),
        "HostsPath": str(directory / "hosts"),
        "LogPath": str(around.log_path or ""),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": STORAGE_DRIVER,
        "Platform": container.platform.partition("/")[0] or "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": list(around.exec_ids) or None,
        "HostConfig": host_config(container.spec),
        "GraphDriver": graph_driver(around),
    }
    if around.size_rw is not None:
        shown["SizeRw"] = around.size_rw
        shown["SizeRootFs"] = around.size_root
    return shown | {
        "Mounts": mount_points(container.spec.mounts),
        "Config": config(container, around.host_name),
        "NetworkSettings": network_settings(container, around.place),
    }


def graph_driver(around: Around) -> dict[str, Any]:
    """``GraphDriver``: the directories of the container's overlay."""
    upper = around.directory / "upper"
    return {
        "Name": STORAGE_DRIVER,
        "Data": {
            "LowerDir": ":".join([str(around.directory / "init"), *around.lower]),
            # Mounted in the container's own namespace: on the host there is no such place.
            "MergedDir": "",
            "UpperDir": str(upper),
            "WorkDir": str(around.directory / "work"),
        },
    }


def state(value: State) -> dict[str, Any]:
    """``State``, with ``Health`` where there is a check."""
    shown: dict[str, Any] = {
        "Status": value.status,
        "Running": value.running,
        "Paused": value.paused,
        "Restarting": value.restarting,
        "OOMKilled": value.oom_killed,
        "Dead": value.dead,
        "Pid": value.pid,
        "ExitCode": value.exit_code,
        "Error": value.error,
        "StartedAt": rfc3339(value.started_at),
        "FinishedAt": rfc3339(value.finished_at),
    }
    if value.health is not None:
        shown["Health"] = {
            "Status": value.health.status,
            "FailingStreak": value.health.failing_streak,
            "Log": [
                {
                    "Start": rfc3339(each.start),
                    "End": rfc3339(each.end),
                    "ExitCode": each.exit_code,
                    "Output": each.output,
                }
                for each in value.health.log
            ],
        }
    return shown


def config(container: Container, host_name: str = "") -> dict[str, Any]:
    """``Config``: what the container runs, image and user's wishes merged."""
    spec = container.spec
    shown = write_fields(spec, CONFIG)
    if not spec.hostname and spec.uts_mode != "host":
        shown["Hostname"] = host_name if spec.network_mode == "host" else container.short_id
    shown["Volumes"] = {path: {} for path in spec.volumes} or None
    return shown


def host_config(spec: ContainerSpec) -> dict[str, Any]:
    """``HostConfig``: what ``create_body.read_create`` reads as the same spec."""
    resources = spec.resources
    shown = write_mounts(spec.mounts) | write_fields(spec, HOST)
    shown |= write_fields(resources, RESOURCES)
    for name, attribute, key in THROTTLES:
        shown[name] = [
            {"Path": f"/dev/block/{each.major}:{each.minor}", key: each.rate}
            for each in getattr(resources, attribute)
        ]
    if not spec.privileged:
        defaults = {"MaskedPaths": MASKED_PATHS, "ReadonlyPaths": READONLY_PATHS}
        shown |= {name: list(paths) for name, paths in defaults.items() if shown[name] is None}
    return shown | {
        "IpcMode": spec.ipc_mode or "private",
        "CgroupnsMode": spec.cgroupns_mode or "private",
        "ContainerIDFile": "",
        "NetworkMode": spec.network_mode,
        "PortBindings": write_port_bindings(spec.port_bindings),
        "VolumeDriver": "",
        "VolumesFrom": None,
        "Cgroup": "",
        "Runtime": spec.runtime,
        "Isolation": spec.isolation,
        "DeviceRequests": None,
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        **dict.fromkeys(spec.unsaid),
    }


# The list


def summary(
    container: Container, image_name: str, place: Place, now_ns: int, around: Around | None = None
) -> dict[str, Any]:
    """One of ``GET /containers/json``.  ``around`` when sizes are asked for."""
    spec = container.spec
    shown: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": image_name,
        "ImageID": container.image_id,
        "Command": command_text(container),
        "Created": container.created_ns // SECOND,
        "Ports": port_rows(container, place),
        "Labels": dict(spec.labels),
        "State": container.state.status,
        "Status": status_text(container.state, now_ns),
        "HostConfig": {"NetworkMode": spec.network_mode},
        "NetworkSettings": {"Networks": endpoints(container, place)},
        "Mounts": mount_points(spec.mounts),
    }
    if around is not None:
        sizes = {"SizeRw": around.size_rw, "SizeRootFs": around.size_root}
        shown |= {name: size for name, size in sizes.items() if size}
    return shown


def command_text(container: Container) -> str:
    """The command as ``docker ps`` shows it: words with a space in them are quoted."""
    arguments = [shlex.quote(each) if " " in each else each for each in container.args[1:]]
    return " ".join([container.path, *arguments])


def status_text(value: State, now_ns: int) -> str:
    """ "Up 5 minutes (healthy)" (moby daemon/container/state.go, String)."""

    def ago(ns: int) -> str:
        return human_duration((now_ns - ns) / SECOND)

    if value.restarting:
        return f"Restarting ({value.exit_code}) {ago(value.finished_at)} ago"
    if value.paused:
        return f"Up {ago(value.started_at)} (Paused)"
    if value.running:
        up = f"Up {ago(value.started_at)}"
        if value.health is None or value.health.status == "none":
            return up
        starting = "health: " if value.health.status == "starting" else ""
        return f"{up} ({starting}{value.health.status})"
    if value.status == life.REMOVING:
        return "Removal In Progress"
    if value.dead:
        return "Dead"
    if not value.started_at:
        return "Created"
    return f"Exited ({value.exit_code}) {ago(value.finished_at)} ago" if value.finished_at else ""
