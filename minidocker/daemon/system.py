"""The daemon about itself: ping, version, info; and that it is in no swarm.

Engine API: SystemPing, SystemVersion, SystemInfo, SwarmLeave.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from pathlib import Path
from typing import Any, Final

from minidocker import __version__
from minidocker.containers.container import Container
from minidocker.daemon.container_shapes import STORAGE_DRIVER
from minidocker.daemon.create_body import RUNTIME, RUNTIMES
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import TEXT, Answer, Request, Response, json_response
from minidocker.daemon.times import rfc3339
from minidocker.errors import Unavailable
from minidocker.linux.mountinfo import host_mounts, mount_of, parse_mountinfo
from minidocker.oci.platform import host_platform

_PING_HEADERS: Final = (
    ("Builder-Version", "1"),  # the classic builder: not BuildKit's
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Swarm", "inactive"),
)
_PLUGINS: Final = {
    "Volume": ["local"],
    "Network": ["host", "null"],
    "Authorization": None,
    "Log": ["json-file", "local", "none"],
}
_NO_SWARM: Final = {
    "NodeID": "",
    "NodeAddr": "",
    "LocalNodeState": "inactive",
    "ControlAvailable": False,
    "Error": "",
    "RemoteManagers": None,
}


async def ping(engine: Engine, request: Request) -> Answer:
    return Response(200, b"OK", TEXT, _PING_HEADERS)


async def version(engine: Engine, request: Request) -> Answer:
    """The engine's version and the API's; where Docker names its Go, we name our Python."""
    kernel = os.uname().release
    own = {
        "ApiVersion": "1.50",
        "Arch": host_platform().architecture,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": f"python{platform.python_version()}",
        "KernelVersion": kernel,
        "MinAPIVersion": "1.24",
        "Os": "linux",
    }
    return json_response(
        {
            "Platform": {"Name": "minidocker"},
            "Components": [{"Name": "Engine", "Version": __version__, "Details": own}],
            "Version": __version__,
            **{name: value for name, value in own.items() if name not in ("Experimental",)},
        }
    )


async def info(engine: Engine, request: Request) -> Answer:
    """What ``docker info`` prints."""
    containers = engine.containers.all()
    facts = engine.facts
    return json_response(
        {
            "ID": facts.id,
            **_counts(containers),
            "Images": len(engine.images.list()),
            "Driver": STORAGE_DRIVER,
            "DriverStatus": [
                ["Backing Filesystem", filesystem_of(facts.data_root, host_mounts())],
                ["Supports d_type", "true"],
            ],
            "Plugins": _PLUGINS,
            **_limits(engine),
            "Debug": facts.debug,
            "NFd": len(os.listdir("/proc/self/fd")),
            "NGoroutines": len(asyncio.all_tasks()),
            "SystemTime": rfc3339(time.time_ns()),
            "LoggingDriver": "json-file",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": facts.cgroup_version,
            "NEventsListener": engine.events.listeners - 1,  # the engine listens itself
            **_machine(),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": registry_config(engine),
            "GenericResources": None,
            "DockerRootDir": str(facts.data_root),
            "HttpProxy": os.environ.get("HTTP_PROXY", ""),
            "HttpsProxy": os.environ.get("HTTPS_PROXY", ""),
            "NoProxy": os.environ.get("NO_PROXY", ""),
            "Labels": [],
            "ExperimentalBuild": False,
            "ServerVersion": __version__,
            "Runtimes": {name: {"path": RUNTIME} for name in RUNTIMES},
            "DefaultRuntime": RUNTIME,
            "Swarm": _NO_SWARM,
            "LiveRestoreEnabled": True,  # always: containers outlive the daemon
            "Isolation": "",
            "InitBinary": "minidocker",
            "ContainerdCommit": {"ID": ""},
            "RuncCommit": {"ID": ""},
            "InitCommit": {"ID": ""},
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
            "CDISpecDirs": [],
            "Warnings": None if forwards_ipv4() else ["WARNING: IPv4 forwarding is disabled"],
        }
    )


async def leave_swarm(engine: Engine, request: Request) -> Answer:
    """Programs leave whatever swarm there may be before they begin, and look for this answer."""
    raise Unavailable("This node is not part of a swarm")


def forwards_ipv4(setting: Path = Path("/proc/sys/net/ipv4/ip_forward")) -> bool:
    """Whether the machine passes packets on from one interface to another (ip(7))."""
    try:
        return setting.read_text().strip() == "1"
    except OSError:
        return False


def _counts(containers: list[Container]) -> dict[str, int]:
    paused = sum(each.state.paused for each in containers)
    running = sum(each.state.running for each in containers) - paused
    return {
        "Containers": len(containers),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(containers) - running - paused,
    }


def _limits(engine: Engine) -> dict[str, Any]:
    """Which limits this kernel keeps; the CLI warns of each that is false."""
    has = engine.supports
    return {
        "MemoryLimit": "memory" in has,
        "SwapLimit": "memory_swap" in has,
        "CpuCfsPeriod": "cpu_period" in has,
        "CpuCfsQuota": "cpu_quota" in has,
        "CPUShares": "cpu_shares" in has,
        "CPUSet": "cpuset_cpus" in has,
        "PidsLimit": "pids_limit" in has,
        "OomKillDisable": "oom_kill_disable" in has,
        "IPv4Forwarding": forwards_ipv4(),
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
    }


def _machine() -> dict[str, Any]:
    names = os.uname()
    release = _os_release(Path("/etc/os-release"))
    return {
        "KernelVersion": names.release,
        "OperatingSystem": release.get("PRETTY_NAME", "Linux"),
        "OSVersion": release.get("VERSION_ID", ""),
        "OSType": "linux",
        "Architecture": names.machine,
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "Name": names.nodename,
    }


def _os_release(path: Path) -> dict[str, str]:
    """os-release(5): lines of NAME="value"."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def filesystem_of(path: Path, mountinfo: str) -> str:
    """The type of the file system under ``path``, as Docker names it; from a mountinfo text."""
    kind = mount_of(str(path), parse_mountinfo(mountinfo)).fstype
    return "extfs" if kind in ("ext2", "ext3", "ext4") else kind


def registry_config(engine: Engine) -> dict[str, Any]:
    """What the daemon's flags say about registries (Engine API, RegistryServiceConfig)."""
    insecure = engine.registry.insecure
    indexes = {
        name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False}
        for name in insecure
        if "/" not in name
    }
    hub = {
        "Name": "docker.io",
        "Mirrors": [f"{url}/" for url in engine.registry.mirrors],
        "Secure": True,
        "Official": True,
    }
    return {
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", *(n for n in insecure if "/" in n)],
        "IndexConfigs": {**indexes, "docker.io": hub},
        "Mirrors": hub["Mirrors"],
    }
