"""From the flags of ``run`` to the body of the create request: one pure function.

A request holds what was said and nothing more; what is absent has the Engine
API's default.  Files that flags name are read through ``Host``, so that the
whole is a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from minidocker.client import specs
from minidocker.client.mounts import parse_volume
from minidocker.client.ports import parse_ports
from minidocker.client.run_flags import FLAGS
from minidocker.errors import InvalidParameter

Json = dict[str, Any]
Values = Mapping[str, Any]

DEFAULTS: Values = {flag.key: flag.default for flag in FLAGS}

# Flags that go into the request as they are: flag -> the field's name.
TOP = {
    "hostname": "Hostname",
    "domainname": "Domainname",
    "user": "User",
    "workdir": "WorkingDir",
    "stop_signal": "StopSignal",
    "stop_timeout": "StopTimeout",
    "tty": "Tty",
    "interactive": "OpenStdin",
}
HOST = {
    "rm": "AutoRemove",
    "cidfile": "ContainerIDFile",
    "volume_driver": "VolumeDriver",
    "volumes_from": "VolumesFrom",
    "cgroupns": "CgroupnsMode",
    "dns": "Dns",
    "dns_option": "DnsOptions",
    "dns_search": "DnsSearch",
    "add_host": "ExtraHosts",
    "group_add": "GroupAdd",
    "ipc": "IpcMode",
    "link": "Links",
    "oom_score_adj": "OomScoreAdj",
    "pid": "PidMode",
    "privileged": "Privileged",
    "publish_all": "PublishAllPorts",
    "read_only": "ReadonlyRootfs",
    "uts": "UTSMode",
    "userns": "UsernsMode",
    "shm_size": "ShmSize",
    "runtime": "Runtime",
    "isolation": "Isolation",
    "init": "Init",
    "device_cgroup_rule": "DeviceCgroupRules",
    "mount": "Mounts",
}
LIMITS = {
    "memory": "Memory",
    "memory_swap": "MemorySwap",
    "memory_reservation": "MemoryReservation",
    "memory_swappiness": "MemorySwappiness",
    "kernel_memory": "KernelMemory",
    "oom_kill_disable": "OomKillDisable",
    "cpus": "NanoCpus",
    "cpu_shares": "CpuShares",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod",
    "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpuset_cpus": "CpusetCpus",
    "cpuset_mems": "CpusetMems",
    "pids_limit": "PidsLimit",
    "blkio_weight": "BlkioWeight",
    "blkio_weight_device": "BlkioWeightDevice",
    "device_read_bps": "BlkioDeviceReadBps",
    "device_write_bps": "BlkioDeviceWriteBps",
    "device_read_iops": "BlkioDeviceReadIOps",
    "device_write_iops": "BlkioDeviceWriteIOps",
    "cgroup_parent": "CgroupParent",
}
HEALTH = {
    "health_interval": "Interval",
    "health_timeout": "Timeout",
    "health_retries": "Retries",
    "health_start_period": "StartPeriod",
    "health_start_interval": "StartInterval",
}

# Zero is a value of its own for these, and false too: said is said.
EVEN_ZERO = {"StopTimeout", "Init", "MemorySwappiness"}


class Host(NamedTuple):
    """What flags may refer to on this side: variables, the working directory, files.

    ``read`` gives a file's text, or raises ``InvalidParameter``: ``read_text`` on a real machine.
    """

    environ: Mapping[str, str]
    cwd: str
    read: Callable[[str], str]
    console: tuple[int, int] = (0, 0)  # rows, columns


def create_body(values: Values, image: str, command: Sequence[str], host: Host) -> Json:
    """The body of ``POST /containers/create`` (Engine API, ContainerCreate).

    ``values``: by ``Flag.key``, each as ``Flag.read`` gives it; what is missing has the
    flag's default.  Raises ``InvalidParameter`` with Docker's text for flags that
    contradict each other.
    """
    values = {**DEFAULTS, **values}
    _check(values)
    host_config = {**_host_config(values, host), **_named(values, LIMITS)}
    body: Json = {
        "Image": image,
        **_named(values, TOP),
        **_streams(values),
        **_program(values, command, host),
        **_health(values),
    }
    exposed, bindings = parse_ports(values["publish"], values["expose"])
    volumes = [parse_volume(volume, host.cwd) for volume in values["volume"]]
    labels = specs.parse_labels([*_label_lines(values, host), *values["label"]])
    _put(body, "Labels", labels)
    _put(body, "ExposedPorts", exposed)
    _put(body, "Volumes", {volume: {} for volume in volumes if ":" not in volume})
    _put(host_config, "Binds", [volume for volume in volumes if ":" in volume])
    _put(host_config, "PortBindings", bindings)
    body["HostConfig"] = host_config
    _put(body, "NetworkingConfig", _networking(values, host_config["NetworkMode"]))
    return body


def _named(values: Values, names: Mapping[str, str]) -> Json:
    """Those of ``values`` that were given, under the request's names."""
    found: Json = {}
    for key, name in names.items():
        value = list(values[key]) if isinstance(values[key], tuple) else values[key]
        if name in EVEN_ZERO:
            if value is not None:
                found[name] = value
        else:
            _put(found, name, value)
    return found


def _put(target: Json, name: str, value: Any) -> None:
    if value:
        target[name] = value


def _streams(values: Values) -> Json:
    """Which streams are attached: all that make sense, those of ``-a``, none with ``-d``."""
    attach, interactive = values["attach"], values["interactive"]
    if values.get("detach"):
        return {}
    wanted = set(attach) or {"stdout", "stderr"} | ({"stdin"} if interactive else set())
    body: Json = {f"Attach{name.title()}": True for name in sorted(wanted)}
    if interactive and "stdin" in wanted:
        body["StdinOnce"] = True
    return body


def _program(values: Values, command: Sequence[str], host: Host) -> Json:
    body: Json = {}
    lines: list[str] = []
    for path in values["env_file"]:
        lines += specs.parse_env_file(host.read(path), path, host.environ)
    lines += specs.parse_environment(values["env"], host.environ)
    _put(body, "Env", lines)
    _put(body, "Cmd", list(command))
    if values["entrypoint"] is not None:
        body["Entrypoint"] = [values["entrypoint"]]
    return body


def _label_lines(values: Values, host: Host) -> list[str]:
    return [
        line
        for path in values["label_file"]
        for line in specs.parse_env_file(host.read(path), path, None)
    ]


def read_text(path: str) -> str:
    """A file that a flag names.  Raises ``InvalidParameter`` with Docker's text."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidParameter(f"open {path}: {str(reason).lower()}") from error


def _health(values: Values) -> Json:
    times = _named(values, HEALTH)
    command = values["health_cmd"]
    if values["no_healthcheck"]:
        if times or command:
            raise InvalidParameter("--no-healthcheck conflicts with --health-* options")
        return {"Healthcheck": {"Test": ["NONE"]}}
    for key in HEALTH:
        if (values[key] or 0) < 0:
            raise InvalidParameter(f"--{key.replace('_', '-')} cannot be negative")
    test = {"Test": ["CMD-SHELL", command]} if command else {}
    return {"Healthcheck": {**test, **times}} if test or times else {}


def _host_config(values: Values, host: Host) -> Json:
    config = _named(values, HOST)
    config["NetworkMode"] = next(iter(values["network"]), "default")
    security, unmasked = specs.parse_security_options(values["security_opt"])
    _put(config, "SecurityOpt", [_with_profile(option, host) for option in security])
    if unmasked:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    _put(config, "CapAdd", specs.normalize_capabilities(values["cap_add"]))
    _put(config, "CapDrop", specs.normalize_capabilities(values["cap_drop"]))
    _put(config, "Devices", [specs.parse_device(device) for device in values["device"]])
    _put(config, "Ulimits", _ulimits(values["ulimit"]))
    _put(config, "Sysctls", dict(values["sysctl"]))
    _put(config, "Tmpfs", dict(specs.parse_tmpfs(text) for text in values["tmpfs"]))
    _put(config, "Annotations", specs.parse_labels(values["annotation"]))
    _put(config, "StorageOpt", _storage(values["storage_opt"]))
    _put(config, "LogConfig", _logging(values))
    if values["restart"] is not None:
        config["RestartPolicy"] = specs.parse_restart(values["restart"])
    if values["tty"] and any(host.console):
        config["ConsoleSize"] = list(host.console)
    return config


def _ulimits(ulimits: Sequence[Json]) -> list[Json]:
    by_name = {ulimit["Name"]: ulimit for ulimit in ulimits}
    return [by_name[name] for name in sorted(by_name)]


def _storage(options: Sequence[str]) -> Json:
    if any("=" not in option for option in options):
        raise InvalidParameter("invalid storage option")
    return specs.parse_labels(options)


def _logging(values: Values) -> Json:
    driver, options = values["log_driver"], values["log_opt"]
    if driver == "none" and options:
        raise InvalidParameter("invalid logging opts for driver none")
    config: Json = {"Type": driver} if driver else {}
    _put(config, "Config", dict(option.partition("=")[::2] for option in options))
    return config


def _with_profile(option: str, host: Host) -> str:
    """A seccomp profile travels in the request: the daemon may be elsewhere."""
    import json

    name, given, path = option.partition("=")
    if name != "seccomp" or not given or path in ("unconfined", "builtin"):
        return option
    try:
        profile = json.loads(host.read(path))
    except InvalidParameter as error:
        raise InvalidParameter(f"opening seccomp profile ({path}) failed: {error}") from error
    except ValueError as error:
        message = f"compacting json for seccomp profile ({path}) failed: {error}"
        raise InvalidParameter(message) from error
    return f"seccomp={json.dumps(profile, separators=(',', ':'))}"


def _networking(values: Values, mode: str) -> Json:
    endpoint: Json = {}
    _put(endpoint, "Aliases", list(values["network_alias"]))
    _put(endpoint, "MacAddress", values["mac_address"])
    addresses: Json = {}
    _put(addresses, "IPv4Address", values["ip"])
    _put(addresses, "IPv6Address", values["ip6"])
    _put(addresses, "LinkLocalIPs", list(values["link_local_ip"]))
    _put(endpoint, "IPAMConfig", addresses)
    if endpoint.get("Aliases") and mode in ("default", "bridge", "host", "none"):
        raise InvalidParameter(
            "network-scoped aliases are only supported for user-defined networks"
        )
    others: Json = {name: {} for name in values["network"][1:]}
    return {"EndpointsConfig": {mode: endpoint, **others}} if endpoint or others else {}


def _check(values: Values) -> None:
    """What no single flag can know.  The texts are Docker's."""
    if values["rm"] and values["restart"] not in (None, "", "no"):
        raise InvalidParameter("conflicting options: cannot specify both --restart and --rm")
    if "" in values["network"]:
        raise InvalidParameter("no name set for network")
    swappiness = values["memory_swappiness"]
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidParameter(
            f"invalid value: {swappiness}. Valid memory swappiness range is 0-100"
        )
    container = (values["pid"] or "").partition("container:")[2]
    if values["pid"] not in (None, "", "host") and not container:
        raise InvalidParameter("--pid: invalid PID mode")
    for key, name in (("uts", "UTS"), ("userns", "USER")):
        if values[key] not in (None, "", "host"):
            raise InvalidParameter(f"--{key}: invalid {name} mode")
    if values["cgroupns"] not in (None, "", "host", "private"):
        raise InvalidParameter("--cgroupns: invalid CGROUP mode")
