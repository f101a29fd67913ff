"""cgroup v2: one tree, and the files that limits become in it.

``files_for`` is the mapping (pure); ``V2`` turns it into steps, and
``V2Cgroup`` looks after a container's group from then on.  The text behind
it all is the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os
from pathlib import Path

from minidocker.cgroups import files, freezer, stats
from minidocker.cgroups.devices import AttachDeviceProgram, check_rules
from minidocker.cgroups.machine import Machine
from minidocker.cgroups.resources import Resources
from minidocker.cgroups.steps import (
    EnableControllers,
    MakeCgroup,
    MoveToLeaf,
    WriteCgroupFile,
    clean_path,
    levels,
)
from minidocker.linux.plan import Step

# The controllers that a container's limits and statistics need.
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")

DEFAULT_PERIOD = 100_000  # microseconds, the kernel's own


def weight_from_shares(shares: int) -> int:
    """``cpu.weight`` (1..10000) for v1's ``cpu.shares`` (2..262144), as runc and crun map it."""
    return 1 + ((shares - 2) * 9999) // 262142


def io_weight_from_blkio(weight: int) -> int:
    """``io.weight`` (1..10000) for v1's ``blkio.weight`` (10..1000)."""
    return 1 + ((weight - 10) * 9999) // 990


def cpu_max(resources: Resources) -> str | None:
    """The content of ``cpu.max``: ``"QUOTA PERIOD"`` in microseconds; None if nothing is asked."""
    quota, period = resources.cpu_quota, resources.cpu_period
    if resources.nano_cpus is not None:
        quota = resources.nano_cpus * DEFAULT_PERIOD // 1_000_000_000
    if quota is None and period is None:
        return None
    return f"{quota if quota and quota > 0 else 'max'} {period or DEFAULT_PERIOD}"


def size(number: int) -> str:
    """A limit as v2 writes it: a negative one (the OCI's -1) is ``max``."""
    return str(number) if number >= 0 else "max"


def files_for(resources: Resources, *, bfq: bool = False) -> list[tuple[str, str]]:
    """The files of a v2 cgroup and what to write into them, in this order.

    Returns ``(name below the cgroup's directory, value)``; nothing for what was
    not asked for.  Swap is a limit of its own here, not the sum with memory
    that v1 and Docker count in.  ``bfq``: the weight goes to the BFQ
    scheduler's file, which keeps v1's range, instead of ``io.weight``.

    ``memory_swappiness``, ``oom_kill_disable``, ``kernel_memory`` and the
    real-time fields have no file in v2: ``validate`` has dropped or refused them.
    """
    wanted: list[tuple[str, str | None]] = [
        ("cpuset.cpus", resources.cpuset_cpus or None),
        ("cpuset.mems", resources.cpuset_mems or None),
        *memory_files(resources),
        (
            "cpu.weight",
            None if resources.cpu_shares is None else str(weight_from_shares(resources.cpu_shares)),
        ),
        ("cpu.max", cpu_max(resources)),
        # Docker's 0 is "unlimited" as well, where the kernel's 0 is "not one process".
        ("pids.max", None if resources.pids_limit is None else size(resources.pids_limit or -1)),
        *io_files(resources, bfq),
    ]
    return [(name, value) for name, value in wanted if value is not None]


def memory_files(resources: Resources) -> list[tuple[str, str | None]]:
    """Memory, swap and reservation in bytes; None for what is not to be written.

    Docker's ``memory_swap`` is the sum of both, so swap is what it leaves
    beyond memory.  Without a limit of memory the sum says nothing about swap.
    """
    memory, total = resources.memory, resources.memory_swap
    swap = None
    if total is not None and (total < 0 or memory is not None):
        swap = size(-1 if total < 0 or memory is None or memory < 0 else total - memory)
    reservation = resources.memory_reservation
    return [
        ("memory.max", None if memory is None else size(memory)),
        ("memory.swap.max", swap),
        ("memory.low", None if reservation is None else size(reservation)),
    ]


def io_files(resources: Resources, bfq: bool) -> list[tuple[str, str | None]]:
    """One write a device and limit: the kernel takes one line at a time.  ``bfq``: see above."""
    name = "io.bfq.weight" if bfq else "io.weight"

    def weight(number: int) -> int:
        return number if bfq else io_weight_from_blkio(number)

    lines: list[tuple[str, str | None]] = []
    if resources.blkio_weight is not None:
        lines.append((name, str(weight(resources.blkio_weight))))
    for each in resources.blkio_weight_device:
        lines.append((name, f"{each.major}:{each.minor} {weight(each.rate)}"))
    for key, throttles in (
        ("rbps", resources.read_bps),
        ("wbps", resources.write_bps),
        ("riops", resources.read_iops),
        ("wiops", resources.write_iops),
    ):
        for each in throttles:
            lines.append(("io.max", f"{each.major}:{each.minor} {key}={each.rate}"))
    return lines


class V2:
    """The driver for machines where cgroup v2 has the controllers: see ``Driver``.

    ``root``: where the tree is mounted.  Everything the engine makes is in
    directories below it that it made itself.
    """

    name = "v2"

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.controllers = tuple(
            each for each in files.read(f"{root}/cgroup.controllers").split() if each in CONTROLLERS
        )

    def machine(self) -> Machine:
        """See ``Driver.machine``; read anew each time, since CPUs come and go."""
        example = self._example()
        supports = {"nano_cpus", "cpu_quota", "cpu_period", "cpu_shares"}
        supported = {
            "cpu": supports,
            "cpuset": {"cpuset_cpus", "cpuset_mems"},
            "io": {"read_bps", "write_bps", "read_iops", "write_iops"},
            "memory": {"memory", "memory_swap", "memory_reservation"},
            "pids": {"pids_limit"},
        }
        there = set().union(*(supported[each] for each in self.controllers))
        # Which weights there are, and whether swap is counted, shows only in a
        # cgroup that is not the root.
        if self._weight_file(example) is not None:
            there |= {"blkio_weight", "blkio_weight_device"}
        if not os.path.exists(f"{example}/memory.swap.max" if example else "/proc/swaps"):
            there -= {"memory_swap"}
        available = "cpuset" in self.controllers
        return Machine(
            cpus=files.read(f"{self.root}/cpuset.cpus.effective").strip() if available else "",
            mems=files.read(f"{self.root}/cpuset.mems.effective").strip() if available else "",
            cpu_count=len(os.sched_getaffinity(0)),
            supports=frozenset(there),
        )

    def plan(self, path: str, resources: Resources) -> list[Step]:
        """See ``Driver.plan``.  Controllers are passed on from the top down; limits follow."""
        path = clean_path(path)
        leaf = f"{self.root}/{path}"
        above = [f"{self.root}/{level}".rstrip("/") for level in ("", *levels(path)[:-1])]
        steps: list[Step] = [MakeCgroup(leaf)]
        if self._is_delegated():
            # In a container or a systemd unit the top of the tree that we see
            # is an ordinary cgroup, and it holds whoever started us.
            steps.append(MoveToLeaf(self.root, f"{self.root}/init"))
        steps += [EnableControllers(each, self.controllers) for each in above if self.controllers]
        steps += [
            WriteCgroupFile(f"{leaf}/{name}", value)
            for name, value in files_for(resources, bfq=self._has_bfq())
        ]
        if resources.devices is not None:
            check_rules(resources.devices)
            steps.append(AttachDeviceProgram(leaf, resources.devices))
        return steps

    def open(self, path: str) -> V2Cgroup:
        return V2Cgroup(f"{self.root}/{clean_path(path)}", bfq=self._has_bfq())

    def tidy(self, parent: str = "minidocker") -> None:
        files.remove_empty(f"{self.root}/{level}" for level in reversed(levels(clean_path(parent))))

    def _is_delegated(self) -> bool:
        # Only cgroups that are not the machine's root have a type.
        return os.path.exists(f"{self.root}/cgroup.type")

    def _example(self) -> str | None:
        """Some cgroup below the root that has the memory or io controller's files."""
        for each in files.children(self.root):
            if os.path.exists(f"{each}/memory.max") or os.path.exists(f"{each}/io.max"):
                return each
        return None

    def _has_bfq(self) -> bool:
        return self._weight_file(self._example()) == "io.bfq.weight"

    def _weight_file(self, example: str | None) -> str | None:
        """``io.bfq.weight`` where BFQ is there, else ``io.weight`` (iocost), else None."""
        if "io" not in self.controllers:
            return None
        if example and os.path.exists(f"{example}/io.bfq.weight"):
            return "io.bfq.weight"
        return "io.weight" if os.path.exists(f"{self.root}/io.cost.qos") else None


class V2Cgroup:
    """One container's group in the v2 tree: see ``Cgroup``."""

    def __init__(self, directory: str, *, bfq: bool = False) -> None:
        self.directory = directory
        self.bfq = bfq

    def procs_files(self) -> list[str]:
        return [f"{self.directory}/cgroup.procs"]

    def pids(self) -> list[int]:
        return files.pids(self.directory)

    def stats(self) -> stats.Stats:
        os.stat(self.directory)
        return stats.from_v2(lambda name: files.read_if_there(f"{self.directory}/{name}"))

    def oom_kills(self) -> int:
        text = files.read_if_there(f"{self.directory}/memory.events")
        return stats.flat_keyed(text).get("oom_kill", 0)

    def freeze(self) -> None:
        freezer.freeze_v2(self.directory)

    def thaw(self) -> None:
        freezer.thaw_v2(self.directory)

    def kill(self) -> None:
        freezer.kill_v2(self.directory)

    def remove(self) -> None:
        files.remove_tree(self.directory)

    def update(self, resources: Resources) -> None:
        for name, value in files_for(resources, bfq=self.bfq):
            WriteCgroupFile(f"{self.directory}/{name}", value).execute()
