"""cgroup v1: a tree for each controller, and the files that limits become there.

``files_for`` is the mapping (pure); ``V1`` turns it into steps, and
``V1Cgroup`` looks after a container's group from then on.  The text behind it
is the kernel's Documentation/admin-guide/cgroup-v1/.

On a hybrid machine there is a v2 tree as well, without these controllers.  Where
v1 has no freezer or no device controller, the container gets a group in it too:
v2's ``cgroup.kill``, ``cgroup.freeze`` and device programs need no controller.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from minidocker.cgroups import files, freezer, stats
from minidocker.cgroups.devices import (
    AllowDevices,
    AttachDeviceProgram,
    check_rules,
    lines_for,
)
from minidocker.cgroups.machine import Machine
from minidocker.cgroups.resources import DeviceRule, Resources
from minidocker.cgroups.steps import (
    UNLIMITED,
    InheritCpuset,
    MakeCgroup,
    WriteCgroupFile,
    clean_path,
    levels,
)
from minidocker.errors import SystemFailure
from minidocker.linux.plan import Step

DEFAULT_PERIOD = 100_000  # microseconds, the kernel's own

# Which file at the top of which controller's tree shows that this kernel has the
# field.  (There is no pids.max and no weight at the top: others stand for them.)
SHOWN_BY = {
    "memory": ("memory", "memory.limit_in_bytes"),
    "memory_swap": ("memory", "memory.memsw.limit_in_bytes"),
    "memory_reservation": ("memory", "memory.soft_limit_in_bytes"),
    "memory_swappiness": ("memory", "memory.swappiness"),
    "oom_kill_disable": ("memory", "memory.oom_control"),
    "cpu_shares": ("cpu", "cpu.shares"),
    "cpu_quota": ("cpu", "cpu.cfs_quota_us"),
    "cpu_period": ("cpu", "cpu.cfs_period_us"),
    "nano_cpus": ("cpu", "cpu.cfs_quota_us"),
    "cpu_realtime_period": ("cpu", "cpu.rt_period_us"),
    "cpu_realtime_runtime": ("cpu", "cpu.rt_runtime_us"),
    "cpuset_cpus": ("cpuset", "cpuset.cpus"),
    "cpuset_mems": ("cpuset", "cpuset.mems"),
    "pids_limit": ("pids", "cgroup.procs"),
    "blkio_weight": ("blkio", "blkio.bfq.io_serviced"),
    "blkio_weight_device": ("blkio", "blkio.bfq.io_serviced"),
    "read_bps": ("blkio", "blkio.throttle.read_bps_device"),
    "write_bps": ("blkio", "blkio.throttle.write_bps_device"),
    "read_iops": ("blkio", "blkio.throttle.read_iops_device"),
    "write_iops": ("blkio", "blkio.throttle.write_iops_device"),
}


def files_for(resources: Resources, *, memsw_now: int | None = None) -> list[tuple[str, str]]:
    """The files of a v1 group and what to write into them, in this order.

    Returns ``(file, value)``; the word before the file's first dot is the
    controller in whose tree it is.  Nothing for what was not asked for.
    ``memsw_now``: the bytes of memory and swap that the group is limited to
    already, None for unlimited, as a new group is.

    cpuset comes first, since no process can join without it; the weight needs
    the BFQ scheduler (CFQ's ``blkio.weight`` went away in Linux 5.0).
    """
    quota = resources.cpu_quota
    if resources.nano_cpus is not None:
        quota = resources.nano_cpus * DEFAULT_PERIOD // 1_000_000_000
    wanted: list[tuple[str, Any]] = [
        ("cpuset.cpus", resources.cpuset_cpus or None),
        ("cpuset.mems", resources.cpuset_mems or None),
        *memory_limits(resources.memory, resources.memory_swap, memsw_now),
        ("memory.soft_limit_in_bytes", resources.memory_reservation),
        ("memory.swappiness", resources.memory_swappiness),
        ("memory.oom_control", 1 if resources.oom_kill_disable else None),
        ("cpu.shares", resources.cpu_shares),
        # The period first: a quota must be a sensible part of the period that is set.
        ("cpu.cfs_period_us", DEFAULT_PERIOD if resources.nano_cpus else resources.cpu_period),
        ("cpu.cfs_quota_us", quota),
        ("cpu.rt_period_us", resources.cpu_realtime_period),
        ("cpu.rt_runtime_us", resources.cpu_realtime_runtime),
        ("pids.max", pids_max(resources.pids_limit)),
        ("blkio.bfq.weight", resources.blkio_weight),
        *device_lines(resources),
    ]
    return [(name, str(value)) for name, value in wanted if value is not None]


def memory_limits(
    memory: int | None, memory_swap: int | None, memsw_now: int | None
) -> list[tuple[str, int | None]]:
    """The limit of memory and that of memory plus swap, in an order the kernel takes.

    Memory must never be above the sum, not between the two writes either
    (EINVAL).  So the sum goes first exactly when memory is to rise above the
    sum that is set now.  -1 is unlimited.
    """
    if memory == -1 and memory_swap is None:
        memory_swap = -1
    limit = ("memory.limit_in_bytes", memory)
    total = ("memory.memsw.limit_in_bytes", memory_swap)
    now = UNLIMITED if memsw_now is None else memsw_now
    rising = memory is not None and (UNLIMITED if memory == -1 else memory) > now
    return [total, limit] if rising else [limit, total]


def pids_max(limit: int | None) -> str | None:
    """Docker's 0 is "unlimited" as well as -1, where the kernel's 0 is "not one process"."""
    return None if limit is None else str(limit) if limit > 0 else "max"


def device_lines(resources: Resources) -> list[tuple[str, str]]:
    """One write a device and limit: the kernel takes one line at a time."""
    return [
        (name, f"{each.major}:{each.minor} {each.rate}")
        for name, limits in (
            ("blkio.bfq.weight_device", resources.blkio_weight_device),
            ("blkio.throttle.read_bps_device", resources.read_bps),
            ("blkio.throttle.write_bps_device", resources.write_bps),
            ("blkio.throttle.read_iops_device", resources.read_iops),
            ("blkio.throttle.write_iops_device", resources.write_iops),
        )
        for each in limits
    ]


class V1:
    """The driver for machines where v1 has the controllers: see ``Driver``.

    ``trees``: the directory where each controller ("cpu", "memory", ...) is
    mounted, and each named tree ("name=systemd").  Controllers may share a
    tree.  ``unified``: where the v2 tree of a hybrid machine is, if there is one.

    The container goes into named trees as well: a service manager that finds
    a process in its own group there kills it with the service, and containers
    are to outlive their daemon.
    """

    name = "v1"

    def __init__(self, trees: Mapping[str, str], unified: str | None = None) -> None:
        self.trees = dict(trees)
        self.unified = unified
        self.roots = list(dict.fromkeys([*self.trees.values(), *([unified] if unified else [])]))

    def machine(self) -> Machine:
        """See ``Driver.machine``; read anew each time, since CPUs come and go."""
        cpuset = self.trees.get("cpuset")
        return Machine(
            cpus=files.read(f"{cpuset}/cpuset.cpus").strip() if cpuset else "",
            mems=files.read(f"{cpuset}/cpuset.mems").strip() if cpuset else "",
            cpu_count=len(os.sched_getaffinity(0)),
            supports=frozenset(
                field
                for field, (controller, file) in SHOWN_BY.items()
                if os.path.exists(f"{self.trees.get(controller)}/{file}")
            ),
        )

    def plan(self, path: str, resources: Resources) -> list[Step]:
        """See ``Driver.plan``.  Devices come last: from then on the group may hold a process."""
        path = clean_path(path)
        steps: list[Step] = [MakeCgroup(f"{root}/{path}") for root in self.roots]
        if "cpuset" in self.trees:
            steps.append(InheritCpuset(self.trees["cpuset"], path))
        steps += [
            WriteCgroupFile(f"{owner(self.trees, name)}/{path}/{name}", value)
            for name, value in files_for(resources)
        ]
        if resources.devices is not None:
            steps.append(self._allow_devices(path, resources.devices))
        return steps

    def open(self, path: str) -> V1Cgroup:
        path = clean_path(path)
        return V1Cgroup(
            {controller: f"{root}/{path}" for controller, root in self.trees.items()},
            f"{self.unified}/{path}" if self.unified else None,
        )

    def tidy(self, parent: str = "minidocker") -> None:
        for level in reversed(levels(clean_path(parent))):
            files.remove_empty(f"{root}/{level}" for root in self.roots)

    def _allow_devices(self, path: str, rules: tuple[DeviceRule, ...]) -> Step:
        check_rules(rules)
        if "devices" not in self.trees and self.unified:
            return AttachDeviceProgram(f"{self.unified}/{path}", rules)
        lines_for(rules)  # refuses, before anything is made, what v1 cannot express
        return AllowDevices(f"{owner(self.trees, 'devices.list')}/{path}", rules)


def owner(directories: Mapping[str, str], file: str) -> str:
    """Which of ``directories`` (controller -> directory) has ``file``: "cpu.shares" is cpu's.

    Raises ``SystemFailure`` where that controller is not mounted.
    """
    controller = file.partition(".")[0]
    try:
        return directories[controller]
    except KeyError:
        raise SystemFailure(
            f"cannot write {file}: the cgroup controller {controller} is not mounted; "
            f"mount it with: mount -t cgroup -o {controller} none /sys/fs/cgroup/{controller}"
        ) from None


class V1Cgroup:
    """One container's group, a directory in every tree: see ``Cgroup``."""

    def __init__(self, directories: Mapping[str, str], unified: str | None) -> None:
        self.by_controller = dict(directories)
        self.unified = unified
        everywhere = [*self.by_controller.values(), *([unified] if unified else [])]
        self.directories = list(dict.fromkeys(everywhere))

    def procs_files(self) -> list[str]:
        """See ``Cgroup.procs_files``.

        In v1's trees it is ``tasks``: a thread that moves only itself there (by "0") need not
        wait for all other threads of the machine, which takes 10 ms for ``cgroup.procs``
        (kernel/cgroup/cgroup.c, cgroup_procs_write_start).
        """
        v1 = [f"{directory}/tasks" for directory in self.by_controller.values()]
        return list(dict.fromkeys(v1)) + ([f"{self.unified}/cgroup.procs"] if self.unified else [])

    def pids(self) -> list[int]:
        return files.pids(self.unified or self._freezer or self.directories[0])

    def stats(self) -> stats.Stats:
        os.stat(self.directories[0])
        return stats.from_v1(self._read)

    def oom_kills(self) -> int:
        """See ``Cgroup.oom_kills``.  v1 counts where the victim was, not in the groups above."""
        memory = self.by_controller.get("memory")
        groups = files.tree(memory) if memory else []
        texts = [files.read_if_there(f"{each}/memory.oom_control") for each in groups]
        return sum(stats.flat_keyed(text).get("oom_kill", 0) for text in texts)

    def freeze(self) -> None:
        if self.unified:
            freezer.freeze_v2(self.unified)
        else:
            freezer.freeze_v1(self._need_freezer())

    def thaw(self) -> None:
        if self.unified:
            freezer.thaw_v2(self.unified)
        else:
            freezer.thaw_v1(self._need_freezer())

    def kill(self) -> None:
        if self.unified:
            freezer.kill_v2(self.unified)
        else:
            freezer.kill_v1(self._need_freezer())

    def remove(self) -> None:
        for directory in self.directories:
            files.remove_tree(directory)

    def update(self, resources: Resources) -> None:
        now = stats.number(self._read("memory.memsw.limit_in_bytes"))
        for name, value in files_for(resources, memsw_now=now):
            WriteCgroupFile(f"{owner(self.by_controller, name)}/{name}", value).execute()

    @property
    def _freezer(self) -> str | None:
        return self.by_controller.get("freezer")

    def _need_freezer(self) -> str:
        if self._freezer is None:
            raise SystemFailure(
                "cannot freeze or kill a container's processes together: neither the freezer "
                "controller nor cgroup v2 is mounted; mount one with: "
                "mount -t cgroup -o freezer none /sys/fs/cgroup/freezer"
            )
        return self._freezer

    def _read(self, name: str) -> str:
        directory = self.by_controller.get(name.partition(".")[0])
        return files.read_if_there(f"{directory}/{name}") if directory else ""
