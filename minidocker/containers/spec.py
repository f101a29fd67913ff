"""What a container is asked to be: one frozen value, in the field's own words.

The daemon translates Docker's JSON into it and back; nothing below the
daemon knows Docker's names.  Everything the user did not say is here as the
default that Docker would use, so a reader sees what a container *is*.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from minidocker.cgroups.resources import Resources
from minidocker.containers.network_spec import Attachment, PortBinding


@dataclass(frozen=True)
class Mount:
    """A bind mount or a tmpfs.

    ``kind``: "bind" or "tmpfs".  ``source``: an absolute host path ("" for tmpfs).
    ``options``: as mount(8) writes them, e.g. ("ro", "rshared", "size=64m").
    """

    kind: str
    source: str
    target: str
    options: tuple[str, ...] = ()
    create_source: bool = False  # -v makes a missing source, --mount refuses it
    long: bool = False  # asked for by --mount, and shown in that form


@dataclass(frozen=True)
class Device:
    """``--device HOST:CONTAINER:rwm``."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True)
class Ulimit:
    name: str  # "nofile", without RLIMIT_
    soft: int
    hard: int


@dataclass(frozen=True)
class RestartPolicy:
    name: str = "no"  # no | always | unless-stopped | on-failure
    maximum_retries: int = 0


@dataclass(frozen=True)
class HealthCheck:
    """Times in nanoseconds, as the image config has them; 0 means Docker's default."""

    test: tuple[str, ...] = ()  # ("CMD", ...), ("CMD-SHELL", text), ("NONE",)
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True)
class LogConfig:
    driver: str = "json-file"  # json-file | local | none
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ContainerSpec:
    # What runs
    image: str = ""  # as the user wrote it
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str = ""  # "" means SIGTERM
    stop_timeout: int | None = None  # seconds; None means 10
    health: HealthCheck | None = None
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()  # the image's VOLUME paths and -v /path
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    args_escaped: bool = False

    # Its streams
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_size: tuple[int, int] = (0, 0)  # rows, columns

    # Names it sees
    hostname: str = ""
    domainname: str = ""
    extra_hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    mac_address: str = ""

    # Its networks; on "host", "none" and "container:ID" there are no attachments
    attachments: tuple[Attachment, ...] = ()
    port_bindings: tuple[PortBinding, ...] = ()
    publish_all: bool = False
    links: tuple[str, ...] = ()  # "NAME:ALIAS", on the default network

    # Namespaces: "" private (Docker's default), "host", "container:ID", ...
    network_mode: str = "default"
    pid_mode: str = ""
    ipc_mode: str = ""  # "" | private | shareable | none | host | container:ID
    uts_mode: str = ""
    cgroupns_mode: str = ""  # "" | private | host
    userns_mode: str = ""

    # What it may do
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    read_only: bool = False
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    masked_paths: tuple[str, ...] | None = None  # None means Docker's list
    readonly_paths: tuple[str, ...] | None = None

    # What it gets
    mounts: tuple[Mount, ...] = ()
    shm_size: int = 67108864
    ulimits: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0
    resources: Resources = Resources()
    cgroup_parent: str = ""

    # How it lives
    init: bool = False
    auto_remove: bool = False
    restart: RestartPolicy = RestartPolicy()
    log: LogConfig = LogConfig()
    runtime: str = "minidocker"
    isolation: str = ""  # as it was written: "" and "default" mean the same
    platform: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()  # lists its creator left out: inspect shows them as null

    def to_record(self) -> dict[str, Any]:
        """A JSON-able dictionary from which ``from_record`` makes the same spec."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ContainerSpec:
        """The inverse of ``to_record``, also after a trip through JSON."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
        }
        if health := record["health"]:
            plain["health"] = HealthCheck(**{**health, "test": tuple(health["test"])})
        plain["devices"] = tuple(Device(**each) for each in record["devices"])
        plain["mounts"] = tuple(
            Mount(**{**each, "options": tuple(each["options"])}) for each in record["mounts"]
        )
        plain["ulimits"] = tuple(Ulimit(**each) for each in record["ulimits"])
        plain["resources"] = Resources.from_record(record["resources"])
        plain["attachments"] = tuple(map(Attachment.from_record, record.get("attachments", ())))
        plain["port_bindings"] = tuple(
            PortBinding(**each) for each in record.get("port_bindings", ())
        )
        plain["restart"] = RestartPolicy(**record["restart"])
        plain["log"] = LogConfig(**record["log"])
        return cls(**plain)
