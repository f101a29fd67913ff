"""What can be wrong with a spec by itself: found at create, in Docker's words.

Pure.  Limits are checked in ``cgroups/validate.py``, mounts in ``mounts.py``,
capabilities in ``security.py``, namespaces in ``modes.py``.
"""

from __future__ import annotations

import re
import resource
import signal
from typing import Final

from minidocker.containers.log_options import log_options
from minidocker.containers.modes import CONTAINER, HOST, Modes
from minidocker.containers.spec import ContainerSpec, HealthCheck, RestartPolicy
from minidocker.errors import InvalidParameter

_POLICIES: Final = ("no", "always", "unless-stopped", "on-failure")
_MILLISECOND: Final = 1_000_000  # in nanoseconds
_UNLIMITED: Final = (1 << 64) - 1  # RLIM_INFINITY as the runtime spec's uint64
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)


def check_spec(spec: ContainerSpec) -> None:
    """Raises ``InvalidParameter`` or ``Refused`` for the first thing that is wrong."""
    check_zero_bytes(spec)
    if spec.working_dir and not spec.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{spec.working_dir}' is invalid, "
            "it needs to be an absolute path"
        )
    for entry in spec.environment:
        if not entry or entry.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {entry}")
    if spec.stop_signal:
        parse_signal(spec.stop_signal)
    if not -1000 <= spec.oom_score_adj <= 1000:
        raise InvalidParameter(
            f"Invalid value {spec.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if spec.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    for mac in (spec.mac_address, *(each.mac for each in spec.attachments)):
        if mac and not _MAC.fullmatch(mac):
            raise InvalidParameter(f"address {mac}: invalid MAC address")
    check_health(spec.health)
    check_restart(spec.restart, spec.auto_remove)
    for each in spec.ulimits:
        rlimit(each.name, each.soft, each.hard)
    for name in spec.sysctls:
        check_sysctl(name)
    log_options(spec.log)


def check_zero_bytes(spec: ContainerSpec) -> None:
    """The kernel's strings end at a zero byte.  Raises ``InvalidParameter``."""
    for what, texts in (
        ("the command", (*(spec.entrypoint or ()), *(spec.command or ()))),
        ("an environment variable", spec.environment),
        ("the working directory", (spec.working_dir,)),
        ("the user", (spec.user, *spec.group_add)),
        ("the host name", (spec.hostname, spec.domainname)),
        ("a mount", [path for each in spec.mounts for path in (each.source, each.target)]),
    ):
        if any("\0" in text for text in texts):
            raise InvalidParameter(f"{what} has a zero byte in it, where the kernel's strings end")


def check_modes(spec: ContainerSpec, modes: Modes) -> None:
    """Options that contradict the namespaces asked for (moby runconfig/hostconfig_unix.go)."""
    joined = modes.network.kind == CONTAINER
    if modes.uts.kind == HOST and spec.hostname:
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    if modes.uts.kind == HOST and spec.domainname:
        raise InvalidParameter("conflicting options: domainname and the UTS mode")
    for given, what in (
        (spec.hostname, "hostname and the network mode"),
        (spec.links, "container type network can't be used with links"),
        (spec.dns, "dns and the network mode"),
        (spec.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (spec.port_bindings, "port publishing and the container type network mode"),
        (spec.publish_all, "port publishing and the container type network mode"),
    ):
        if joined and given:
            raise InvalidParameter(f"conflicting options: {what}")
    if modes.network.kind == HOST and spec.links:
        raise InvalidParameter("conflicting options: host type networking can't be used with links")
    for name in spec.sysctls:
        if name.startswith("net.") and modes.network.kind in (HOST, CONTAINER):
            raise InvalidParameter(f"sysctl '{name}' not allowed in {modes.network.kind} network")
        if _of_ipc(name) and modes.ipc.kind in (HOST, CONTAINER):
            raise InvalidParameter(f"sysctl '{name}' not allowed in {modes.ipc.kind} IPC namespace")
        if name == "kernel.domainname" and modes.uts.kind == HOST:
            raise InvalidParameter(f"sysctl '{name}' not allowed in host UTS namespace")


def parse_signal(text: str) -> int:
    """``SIGTERM``, ``term`` and ``15`` are one.  Raises ``InvalidParameter``."""
    if text.isdecimal():
        number = int(text)
        if 1 <= number <= 64:
            return number
    name = text.upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    if match := re.fullmatch(r"SIGRTM(IN|AX)(?:([+-])(\d+))?", name):
        end, sign, offset = match.groups()
        base = signal.SIGRTMIN if end == "IN" else signal.SIGRTMAX
        number = int(base) + (-1 if sign == "-" else 1) * int(offset or 0)
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    elif name in signal.Signals.__members__:
        return int(signal.Signals[name])
    raise InvalidParameter(f"invalid signal: {text}")


def check_health(health: HealthCheck | None) -> None:
    """Raises ``InvalidParameter`` (moby daemon/container.go, ``validateHealthCheck``)."""
    if health is None:
        return
    for field, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value and value < _MILLISECOND:
            raise InvalidParameter(f"{field} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    if health.test and health.test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(f"Unknown healthcheck type '{health.test[0]}' (expected 'CMD')")
    if health.test == ("CMD",):
        raise InvalidParameter("Healthcheck has the type CMD and no command: add one, or use NONE")


def check_restart(policy: RestartPolicy, auto_remove: bool) -> None:
    """Raises ``InvalidParameter`` (moby api/types/container/hostconfig.go)."""
    name, retries = policy.name or "no", policy.maximum_retries
    if name not in _POLICIES:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if retries and name != "on-failure":
        raise InvalidParameter(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )
    if retries < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if auto_remove and name != "no":
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")


def rlimit(name: str, soft: int, hard: int) -> dict[str, int | str]:
    """A ``--ulimit`` as the runtime spec has it; -1 is no limit.  Raises ``InvalidParameter``."""
    kind = f"RLIMIT_{name.upper()}"
    if not hasattr(resource, kind):
        raise InvalidParameter(f"invalid ulimit type: {name}")
    if hard != -1 and (soft == -1 or soft > hard):
        raise InvalidParameter(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return {"type": kind, "soft": soft & _UNLIMITED, "hard": hard & _UNLIMITED}


def check_sysctl(name: str) -> None:
    """Only settings that a namespace keeps apart.  Raises ``InvalidParameter``.

    runc libcontainer/configs/validate/validator.go, ``sysctl``.
    """
    known = name.startswith("net.") or _of_ipc(name) or name == "kernel.domainname"
    if not known or ".." in name or "/" in name:
        raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')


def _of_ipc(name: str) -> bool:
    return name.startswith(("kernel.msg", "kernel.shm", "fs.mqueue.")) or name == "kernel.sem"
