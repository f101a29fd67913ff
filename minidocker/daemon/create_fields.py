"""The fields of ``Config`` and ``HostConfig``, and where each lives in a ``ContainerSpec``.

Every field of the API has a line here: one that is honoured in a table, one that
is not in ``REFUSED``, with its reason (Engine API, ContainerConfig, HostConfig,
Resources).  Mounts are in ``mount_fields.py``, networks in ``create_body.py``.
"""

from __future__ import annotations

from typing import Any, Final

from minidocker.containers.spec import Device, HealthCheck, LogConfig, RestartPolicy, Ulimit
from minidocker.daemon.fields import (
    COMMAND,
    COUNT,
    FLAG,
    LIMIT,
    NAMES,
    NUMBER,
    OMIT,
    OMIT_NONE,
    STRINGS,
    SWAPPINESS,
    TEXT,
    WORDS,
    Field,
    Kind,
    a_list,
    number,
    objects,
    record,
    wrong,
)


def _pair(value: Any, name: str) -> tuple[int, int]:
    numbers = [number(each, f"{name}[]") for each in a_list(value, name)]
    if len(numbers) != 2 or any(not 0 <= each <= 65535 for each in numbers):
        raise wrong(name, value, "two numbers, rows and columns")
    return numbers[0], numbers[1]


def _device(**given: Any) -> Device:
    """A device keeps its host's name unless another is asked for."""
    host = given.get("host_path", "")
    return Device(host, given.get("container_path") or host, given.get("permissions") or "rwm")


def _policy(**given: Any) -> RestartPolicy:
    return RestartPolicy(given.get("name") or "no", given.get("maximum_retries", 0))


def _log(**given: Any) -> LogConfig:
    return LogConfig(given.get("driver") or "json-file", given.get("options", {}))


def _ulimit(**given: Any) -> Ulimit:
    return Ulimit(given.get("name", ""), given.get("soft", 0), given.get("hard", 0))


PAIR: Final = Kind(_pair, list)
HEALTH: Final = record(
    (
        Field("Test", "test", WORDS, OMIT),
        Field("Interval", "interval", NUMBER, OMIT),
        Field("Timeout", "timeout", NUMBER, OMIT),
        Field("StartPeriod", "start_period", NUMBER, OMIT),
        Field("StartInterval", "start_interval", NUMBER, OMIT),
        Field("Retries", "retries", NUMBER, OMIT),
    ),
    HealthCheck,
)
DEVICES: Final = objects(
    (
        Field("PathOnHost", "host_path", TEXT),
        Field("PathInContainer", "container_path", TEXT),
        Field("CgroupPermissions", "permissions", TEXT),
    ),
    _device,
)
ULIMITS: Final = objects(
    (
        Field("Name", "name", TEXT),
        Field("Soft", "soft", NUMBER),
        Field("Hard", "hard", NUMBER),
    ),
    _ulimit,
)
POLICY: Final = record(
    (Field("Name", "name", TEXT), Field("MaximumRetryCount", "maximum_retries", NUMBER)), _policy
)
LOG: Final = record((Field("Type", "driver", TEXT), Field("Config", "options", STRINGS)), _log)

CONFIG: Final = (
    Field("Hostname", "hostname", TEXT),
    Field("Domainname", "domainname", TEXT),
    Field("User", "user", TEXT),
    Field("AttachStdin", "attach_stdin", FLAG),
    Field("AttachStdout", "attach_stdout", FLAG),
    Field("AttachStderr", "attach_stderr", FLAG),
    Field("ExposedPorts", "exposed_ports", NAMES, OMIT),
    Field("Tty", "tty", FLAG),
    Field("OpenStdin", "open_stdin", FLAG),
    Field("StdinOnce", "stdin_once", FLAG),
    Field("Env", "environment", WORDS),
    Field("Cmd", "command", COMMAND),
    Field("Healthcheck", "health", HEALTH, OMIT),
    Field("ArgsEscaped", "args_escaped", FLAG, OMIT),
    Field("Image", "image", TEXT),
    Field("WorkingDir", "working_dir", TEXT),
    Field("Entrypoint", "entrypoint", COMMAND),
    Field("MacAddress", "mac_address", TEXT, OMIT),
    Field("OnBuild", "on_build", WORDS, None),
    Field("Labels", "labels", STRINGS),
    Field("StopSignal", "stop_signal", TEXT, OMIT),
    Field("StopTimeout", "stop_timeout", NUMBER, OMIT_NONE),
    Field("Shell", "shell", WORDS, OMIT),
)

HOST: Final = (
    Field("LogConfig", "log", LOG),
    Field("RestartPolicy", "restart", POLICY),
    Field("AutoRemove", "auto_remove", FLAG),
    Field("ConsoleSize", "console_size", PAIR),
    Field("Annotations", "annotations", STRINGS, OMIT),
    Field("CapAdd", "cap_add", WORDS, None),
    Field("CapDrop", "cap_drop", WORDS, None),
    Field("CgroupnsMode", "cgroupns_mode", TEXT),
    Field("Dns", "dns", WORDS),
    Field("DnsOptions", "dns_options", WORDS),
    Field("DnsSearch", "dns_search", WORDS),
    Field("ExtraHosts", "extra_hosts", WORDS, None),
    Field("GroupAdd", "group_add", WORDS, None),
    Field("IpcMode", "ipc_mode", TEXT),
    Field("OomScoreAdj", "oom_score_adj", NUMBER),
    Field("PidMode", "pid_mode", TEXT),
    Field("Privileged", "privileged", FLAG),
    Field("ReadonlyRootfs", "read_only", FLAG),
    Field("SecurityOpt", "security_opt", WORDS, None),
    Field("UTSMode", "uts_mode", TEXT),
    Field("UsernsMode", "userns_mode", TEXT),
    Field("ShmSize", "shm_size", LIMIT),
    Field("Sysctls", "sysctls", STRINGS, OMIT),
    Field("CgroupParent", "cgroup_parent", TEXT),
    Field("Devices", "devices", DEVICES),
    Field("DeviceCgroupRules", "device_cgroup_rules", WORDS, None),
    Field("Ulimits", "ulimits", ULIMITS),
    Field("Init", "init", FLAG, OMIT),
    Field("PublishAllPorts", "publish_all", FLAG),
    Field("Links", "links", WORDS, None),
    Field("MaskedPaths", "masked_paths", WORDS),
    Field("ReadonlyPaths", "readonly_paths", WORDS),
)

RESOURCES: Final = (
    Field("CpuShares", "cpu_shares", LIMIT),
    Field("Memory", "memory", LIMIT),
    Field("MemorySwap", "memory_swap", LIMIT),
    Field("MemoryReservation", "memory_reservation", LIMIT),
    Field("MemorySwappiness", "memory_swappiness", SWAPPINESS),
    Field("KernelMemory", "kernel_memory", LIMIT, OMIT),
    Field("NanoCpus", "nano_cpus", LIMIT),
    Field("CpuPeriod", "cpu_period", LIMIT),
    Field("CpuQuota", "cpu_quota", LIMIT),
    Field("CpuRealtimePeriod", "cpu_realtime_period", LIMIT),
    Field("CpuRealtimeRuntime", "cpu_realtime_runtime", LIMIT),
    Field("CpusetCpus", "cpuset_cpus", TEXT),
    Field("CpusetMems", "cpuset_mems", TEXT),
    Field("OomKillDisable", "oom_kill_disable", FLAG),
    Field("PidsLimit", "pids_limit", COUNT),
    Field("BlkioWeight", "blkio_weight", LIMIT),
)

# Docker's key -> the attribute of ``Resources``, and the key of the number.
THROTTLES: Final = (
    ("BlkioWeightDevice", "blkio_weight_device", "Weight"),
    ("BlkioDeviceReadBps", "read_bps", "Rate"),
    ("BlkioDeviceWriteBps", "write_bps", "Rate"),
    ("BlkioDeviceReadIOps", "read_iops", "Rate"),
    ("BlkioDeviceWriteIOps", "write_iops", "Rate"),
)

# Empty or null in inspect, as the client had it when it made the container.
NULLABLE: Final = (
    *("PortBindings", "Dns", "DnsOptions", "DnsSearch", "Devices", "Ulimits"),
    *(name for name, _, _ in THROTTLES),
)

# Fields that this engine does not honour: said by name when they ask for something.
_WINDOWS: Final = "it exists on Windows only"
_NO_VOLUMES: Final = "this engine has no volumes yet; use a bind mount, -v /host/path:/path"
REFUSED: Final[dict[str, str]] = {
    "VolumesFrom": f"--volumes-from: {_NO_VOLUMES}",
    "StorageOpt": "--storage-opt: the overlay of a container has no size limit here",
    "DeviceRequests": "--gpus: there is no driver for device requests; use --device",
    "KernelMemoryTCP": "--kernel-memory-tcp: Linux has dropped it",
    "Cgroup": "cgroups are not shared between containers; use --cgroup-parent",
    "CpuCount": _WINDOWS,
    "CpuPercent": _WINDOWS,
    "IOMaximumIOps": _WINDOWS,
    "IOMaximumBandwidth": _WINDOWS,
}
