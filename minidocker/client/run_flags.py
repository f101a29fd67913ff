"""The flags of ``run`` and ``create``, as one table: name, kind, help, and how to read it.

The commands, their help and the tests are all made from ``FLAGS``.  What the
flags mean together is in ``body.py``.
"""

from __future__ import annotations

from typing import Any

from minidocker.client import mounts, specs, units
from minidocker.client.flags import (
    PLATFORM,
    UNTRUSTED,
    Flag,
    many,
    number,
    parse_uint16,
    refused,
    string,
    switch,
)
from minidocker.errors import InvalidParameter

NO_GPUS = "this engine has no driver for GPUs: name the devices with --device"
NO_SOCKET = "a container does not get the daemon's socket by a flag: mount it with -v"


def size(name: str, help: str, short: str = "") -> Flag:
    return Flag(name, "bytes", help, short, units.parse_bytes)


def duration(name: str, help: str) -> Flag:
    return Flag(name, "duration", help, read=units.parse_duration)


def throttle(value: str) -> dict[str, Any]:
    """``/dev/sda:1mb``: a device and bytes a second."""
    path, rate = _device_value(value)
    try:
        return {"Path": path, "Rate": units.parse_bytes(rate)}
    except InvalidParameter:
        raise InvalidParameter(
            f"invalid rate for device: {value}. The correct format is "
            "<device-path>:<number>[<unit>]. Number must be a positive integer. "
            "Unit is optional and can be kb, mb, or gb"
        ) from None


def throttle_io(value: str) -> dict[str, Any]:
    """``/dev/sda:100``: a device and operations a second."""
    path, rate = _device_value(value)
    if not (rate.isascii() and rate.isdigit()):
        raise InvalidParameter(
            f"invalid rate for device: {value}. The correct format is "
            "<device-path>:<number>. Number must be a positive integer"
        )
    return {"Path": path, "Rate": int(rate)}


def weight(value: str) -> dict[str, Any]:
    """``/dev/sda:500``: a device and its share, 10 to 1000 (0: none)."""
    path, share = _device_value(value)
    if not (share.isascii() and share.isdigit()) or not (
        int(share) == 0 or 10 <= int(share) <= 1000
    ):
        raise InvalidParameter(f"invalid weight for device: {value}")
    return {"Path": path, "Weight": int(share)}


def _device_value(value: str) -> tuple[str, str]:
    path, given, rest = value.partition(":")
    if not given or not path:
        raise InvalidParameter(f"bad format: {value}")
    if not path.startswith("/dev/"):
        raise InvalidParameter(f"bad format for device path: {value}")
    return path, rest


IDENTITY = (
    string("name", "Assign a name to the container"),
    string("hostname", "Container host name", "h"),
    string("domainname", "Container NIS domain name"),
    many("label", "Set meta data on a container", "l", specs.check_label),
    many("label-file", "Read in a line delimited file of labels"),
    many("annotation", "Add an annotation to the container", kind="map"),
    string("cidfile", "Write the container ID to the file"),
    PLATFORM,
    UNTRUSTED,
    Flag(
        "pull",
        "string",
        'Pull image before running ("always", "missing", "never") (default "missing")',
        default="missing",
    ),
    switch("quiet", "Suppress the pull output", "q"),
)

PROGRAM = (
    string("entrypoint", "Overwrite the default ENTRYPOINT of the image"),
    many("env", "Set environment variables", "e", specs.check_environment),
    many("env-file", "Read in a file of environment variables"),
    string("workdir", "Working directory inside the container", "w"),
    string("user", "Username or UID (format: <name|uid>[:<group|gid>])", "u"),
    many("group-add", "Add additional groups to join"),
    switch(
        "init",
        "Run an init inside the container that forwards signals and reaps processes",
        default=None,
    ),
    string("stop-signal", "Signal to stop the container"),
    number("stop-timeout", "Timeout (in seconds) to stop a container"),
    string("restart", 'Restart policy to apply when a container exits (default "no")'),
    switch("rm", "Automatically remove the container when it exits"),
    string("runtime", "Runtime to use for this container"),
    string("health-cmd", "Command to run to check health"),
    duration("health-interval", "Time between running the check (ms|s|m|h) (default 0s)"),
    number("health-retries", "Consecutive failures needed to report unhealthy"),
    duration("health-start-interval", "Time between checks during the start period (ms|s|m|h)"),
    duration("health-start-period", "Start period before failures count (ms|s|m|h)"),
    duration("health-timeout", "Maximum time to allow one check to run (ms|s|m|h)"),
    switch("no-healthcheck", "Disable any container-specified HEALTHCHECK"),
)

STREAMS = (
    switch("interactive", "Keep STDIN open even if not attached", "i"),
    switch("tty", "Allocate a pseudo-TTY", "t"),
    many("attach", "Attach to STDIN, STDOUT or STDERR", "a", specs.parse_stream),
    string("log-driver", "Logging driver for the container"),
    many("log-opt", "Log driver options"),
)

RESOURCES = (
    size("memory", "Memory limit", "m"),
    Flag(
        "memory-swap",
        "bytes",
        "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
        read=specs.parse_memory_swap,
    ),
    size("memory-reservation", "Memory soft limit"),
    number("memory-swappiness", "Tune container memory swappiness (0 to 100) (default -1)"),
    size("kernel-memory", "Kernel memory limit"),
    switch("oom-kill-disable", "Disable OOM Killer"),
    number("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)"),
    Flag("cpus", "decimal", "Number of CPUs", read=specs.parse_cpus),
    number("cpu-shares", "CPU shares (relative weight)", "c"),
    number("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    number("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    number("cpu-rt-period", "Limit CPU real-time period in microseconds"),
    number("cpu-rt-runtime", "Limit CPU real-time runtime in microseconds"),
    string("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    string("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    number("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
    Flag(
        "blkio-weight",
        "uint16",
        "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
        read=parse_uint16,
    ),
    many("blkio-weight-device", "Block IO weight (relative device weight)", read=weight),
    many("device-read-bps", "Limit read rate (bytes per second) from a device", read=throttle),
    many("device-write-bps", "Limit write rate (bytes per second) to a device", read=throttle),
    many("device-read-iops", "Limit read rate (IO per second) from a device", read=throttle_io),
    many("device-write-iops", "Limit write rate (IO per second) to a device", read=throttle_io),
    many("ulimit", "Ulimit options", read=specs.parse_ulimit, kind="ulimit"),
    size("shm-size", "Size of /dev/shm"),
    string("cgroup-parent", "Optional parent cgroup for the container"),
)

FILES = (
    many("volume", "Bind mount a volume", "v"),
    many("mount", "Attach a filesystem mount to the container", read=mounts.parse_mount),
    many("tmpfs", "Mount a tmpfs directory"),
    many("volumes-from", "Mount volumes from the specified container(s)"),
    string("volume-driver", "Optional volume driver for the container"),
    switch("read-only", "Mount the container's root filesystem as read only"),
    many("storage-opt", "Storage driver options for the container"),
)

SECURITY = (
    switch("privileged", "Give extended privileges to this container"),
    many("cap-add", "Add Linux capabilities"),
    many("cap-drop", "Drop Linux capabilities"),
    many("security-opt", "Security Options"),
    many("device", "Add a host device to the container"),
    refused("gpus", "gpu-request", "GPU devices to add to the container", NO_GPUS),
    refused("use-api-socket", "bool", "Bind mount the API socket and credentials", NO_SOCKET),
    string("isolation", "Container isolation technology"),
    many("device-cgroup-rule", "Add a rule to the cgroup allowed devices list"),
    many("sysctl", "Sysctl options", read=specs.parse_sysctl, kind="map"),
)

NAMESPACES = (
    Flag(
        "network", "network", "Connect a container to a network", default=(), many=True, alias="net"
    ),
    string("pid", "PID namespace to use"),
    string("ipc", "IPC mode to use"),
    string("uts", "UTS namespace to use"),
    string("userns", "User namespace to use"),
    string("cgroupns", "Cgroup namespace to use (host|private)"),
    many("add-host", "Add a custom host-to-IP mapping (host:ip)", read=specs.parse_extra_host),
    many("dns", "Set custom DNS servers", read=specs.parse_address),
    many("dns-option", "Set DNS options"),
    many("dns-search", "Set custom DNS search domains"),
    many("network-alias", "Add network-scoped alias for the container"),
    string("mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    string("ip", "IPv4 address (e.g., 172.30.100.104)"),
    many("link-local-ip", "Container IPv4/IPv6 link-local addresses"),
    string("ip6", "IPv6 address (e.g., 2001:db8::33)"),
    many("link", "Add link to another container"),
    many("expose", "Expose a port or a range of ports"),
    many("publish", "Publish a container's port(s) to the host", "p"),
    switch("publish-all", "Publish all exposed ports to random ports", "P"),
)

FLAGS: tuple[Flag, ...] = tuple(
    sorted(
        IDENTITY + PROGRAM + STREAMS + RESOURCES + FILES + SECURITY + NAMESPACES,
        key=lambda flag: flag.name,
    )
)
