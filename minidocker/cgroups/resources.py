"""What a container may use, as one value: the input of both cgroup versions.

``None`` means "no limit asked for": nothing is written.  Names and units are
those of the OCI runtime spec (config-linux.md, "Control groups"); the files
they turn into are in ``v1.py`` and ``v2.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class DeviceRule:
    """One line of the device controller: ``kind`` is "a", "b" or "c"; None is ``*``."""

    allow: bool
    kind: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


@dataclass(frozen=True)
class DeviceThrottle:
    """A limit or weight for one block device, e.g. ``--device-read-bps``."""

    major: int
    minor: int
    rate: int


@dataclass(frozen=True)
class Resources:
    memory: int | None = None  # bytes
    memory_swap: int | None = None  # bytes of memory plus swap; -1 is unlimited
    memory_reservation: int | None = None  # bytes
    memory_swappiness: int | None = None  # 0..100, v1 only
    kernel_memory: int | None = None
    oom_kill_disable: bool = False  # v1 only
    cpu_shares: int | None = None  # 2..262144, 1024 is one share
    nano_cpus: int | None = None  # ``--cpus`` in billionths; instead of quota and period
    cpu_quota: int | None = None  # microseconds a period; -1 is none
    cpu_period: int | None = None  # microseconds
    cpu_realtime_period: int | None = None
    cpu_realtime_runtime: int | None = None
    cpuset_cpus: str = ""  # "0-1,3"
    cpuset_mems: str = ""
    pids_limit: int | None = None  # -1 is unlimited
    blkio_weight: int | None = None  # 10..1000
    blkio_weight_device: tuple[DeviceThrottle, ...] = ()
    read_bps: tuple[DeviceThrottle, ...] = ()
    write_bps: tuple[DeviceThrottle, ...] = ()
    read_iops: tuple[DeviceThrottle, ...] = ()
    write_iops: tuple[DeviceThrottle, ...] = ()
    devices: tuple[DeviceRule, ...] | None = None  # None leaves devices alone

    def updated(self, change: Resources) -> Resources:
        """These resources with everything that ``change`` asks for put in place of its own.

        What ``change`` leaves at its default stays as it is: an update can set
        a limit, also to unlimited, and cannot forget that there was one.
        """
        asked = {
            field.name: getattr(change, field.name)
            for field in fields(self)
            if getattr(change, field.name) != field.default
        }
        return replace(self, **asked)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Resources:
        """The inverse of ``dataclasses.asdict``, also after a trip through JSON."""
        throttles = ("blkio_weight_device", "read_bps", "write_bps", "read_iops", "write_iops")
        devices = record["devices"]
        return cls(
            **{
                **record,
                **{
                    name: tuple(DeviceThrottle(**each) for each in record[name])
                    for name in throttles
                },
                "devices": None
                if devices is None
                else tuple(DeviceRule(**each) for each in devices),
            }
        )
