"""The request that the launcher gets: a container, or an exec, as the launch protocol has it.

Here the container's spec, the machine and the layers become one message of plain
values.  What will happen with it is ``namespaces/plan.py``'s to say.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from minidocker.cgroups.resources import Resources
from minidocker.containers.container import Container
from minidocker.containers.devices import device_rules, find_devices
from minidocker.containers.exec_spec import ExecSpec
from minidocker.containers.files import hostname_of
from minidocker.containers.log_options import log_request
from minidocker.containers.merge import merge_environment
from minidocker.containers.modes import BRIDGE, NONE, parse_modes
from minidocker.containers.runtime_spec import (
    NETWORK_SYSCTLS,
    Surroundings,
    console_size,
    process,
    runtime_spec,
)
from minidocker.containers.security import Security
from minidocker.containers.settle import Host
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter, SystemFailure
from minidocker.layers.snapshot import Snapshot
from minidocker.linux.plan import Step
from minidocker.namespaces.seccomp_profile import compile_profile, default_profile


@dataclass(frozen=True)
class Places:
    """Where things are.  ``root``: <data-root>/containers; ``run``: <exec-root>."""

    root: Path
    run: Path

    @property
    def launcher(self) -> Path:
        return self.run / "launcher.sock"

    @property
    def rootfs(self) -> Path:
        """The mount point of every container's root, each in its own mount namespace."""
        return self.run / "rootfs"

    def directory(self, id: str) -> Path:
        """What lasts as long as the container."""
        return self.root / id

    def monitor(self, id: str) -> Path:
        """The socket on which its monitor answers."""
        return self.run / "containers" / id / "monitor.sock"

    def log(self, id: str) -> Path:
        return self.root / id / f"{id}-json.log"

    def exit_file(self, id: str) -> Path:
        return self.root / id / "exit.json"

    def trace(self, id: str) -> Path:
        return self.root / id / "trace.jsonl"


@dataclass(frozen=True)
class AskLauncher(Step):
    """The last thing that the daemon does for a start: the rest happens in other processes."""

    chapter: ClassVar[str] = "daemon"
    socket: str
    descriptors: int
    send: Callable[[], None] = field(compare=False, repr=False)

    def describe(self) -> str:
        fds = f", with {self.descriptors} descriptors (SCM_RIGHTS)" if self.descriptors else ""
        return f'Ask the launcher to fork a monitor: sendmsg("{self.socket}"{fds})'

    def execute(self) -> None:
        self.send()


def cgroup_path(container: Container) -> str:
    """Relative to the top of the tree."""
    parent = (container.spec.cgroup_parent or "minidocker").strip("/")
    return f"{parent}/{container.id}".lstrip("/")  # "/" is the tree's root


def limits(spec: ContainerSpec) -> Resources:
    """Its limits with the device rules, from the devices that there are now."""
    nodes = find_devices(spec.devices, spec.privileged)
    rules = device_rules(nodes, spec.device_cgroup_rules, spec.privileged)
    return replace(spec.resources, devices=rules)


def container_request(
    container: Container,
    host: Host,
    places: Places,
    snapshot: Snapshot,
    cgroup_procs: Sequence[str],
) -> dict[str, Any]:
    """All but ``clients`` and ``join``, which go with descriptors."""
    spec = container.spec
    config = runtime_spec(spec, surroundings(container, host, places))
    log = log_request(container, config["process"]["env"])
    config["root"]["path"] = str(places.rootfs)
    return {
        "op": "container",
        "id": container.id,
        "spec": config,
        "rootfs": {
            "lower": list(snapshot.lower),
            "upper": snapshot.upper,
            "work": snapshot.work,
        },
        "seccomp": seccomp(spec, host.security(spec), host.capabilities_of(spec)),
        "cgroup_procs": list(cgroup_procs),
        "init": spec.init,
        "log": {**log, "path": str(places.log(container.id))},
        "exit_file": str(places.exit_file(container.id)),
        "socket": str(places.monitor(container.id)),
        "trace_file": str(places.trace(container.id)),
        "open_stdin": spec.open_stdin,
        "stdin_once": spec.stdin_once,
    }


def exec_request(
    container: Container,
    exec_id: str,
    spec: ExecSpec,
    host: Host,
    places: Places,
    cgroup_procs: Sequence[str],
) -> dict[str, Any]:
    """A process beside the container's first: what is not said is as there."""
    inside = container.spec
    like = replace(
        inside,
        entrypoint=None,
        command=spec.command,
        environment=merge_environment(spec.environment, inside.environment),
        working_dir=spec.working_dir or inside.working_dir,
        user=spec.user or inside.user,
        tty=spec.tty,
        console_size=spec.console_size,
        privileged=spec.privileged or inside.privileged,
    )
    held = host.capabilities_of(inside)
    described = process(like, surroundings(replace(container, spec=like), host, places))
    if spec.tty and any(spec.console_size):
        described["consoleSize"] = console_size(spec.console_size)
    return {
        "op": "exec",
        "id": exec_id,
        "container": container.id,
        "process": described,
        "seccomp": seccomp(inside, host.security(inside), held),
        "cgroup_procs": list(cgroup_procs),
        "socket": None,
        "exit_file": None,
        "open_stdin": spec.attach_stdin,
        "stdin_once": True,
    }


def surroundings(container: Container, host: Host, places: Places) -> Surroundings:
    """What the runtime spec says of the machine around the container."""
    spec = container.spec
    modes = parse_modes(spec)
    return Surroundings(
        id=container.id,
        directory=places.directory(container.id),
        hostname=hostname_of(spec, modes, container.short_id, host.name),
        modes=modes,
        security=host.security(spec),
        capabilities=host.capabilities_of(spec),
        devices=find_devices(spec.devices, spec.privileged),
        thermal=host.thermal,
        cgroup_path=cgroup_path(container),
        network_sysctls=NETWORK_SYSCTLS if modes.network.kind in (NONE, BRIDGE) else {},
    )


def seccomp(spec: ContainerSpec, security: Security, held: tuple[str, ...]) -> str | None:
    """The filter in base64; None for none at all.

    ``--privileged`` has none, unless one is asked for.  Raises ``InvalidParameter`` for a
    profile that cannot be understood.
    """
    if security.seccomp == "unconfined" or (spec.privileged and security.seccomp is None):
        return None
    return _compiled(security.seccomp, held)


@functools.lru_cache(maxsize=32)
def _compiled(profile: str | None, held: tuple[str, ...]) -> str:
    parsed = default_profile() if profile is None else json.loads(profile)
    try:
        return base64.b64encode(compile_profile(parsed, held)).decode()
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    except (OSError, ImportError) as error:
        raise SystemFailure(
            f"the seccomp filter cannot be made: {error}; install libseccomp2, or run with "
            "--security-opt seccomp=unconfined"
        ) from error


def own_pid_namespace(spec: ContainerSpec) -> bool:
    """Whether all its processes end with the first: only in a pid namespace of its own."""
    return spec.pid_mode == ""
