"""Is what was asked for possible here?  Docker's rules, minima and words.

``validate`` is pure: resources and a ``Machine`` in; resources that can be
written, and warnings, out.  Two kinds of trouble are kept apart, as dockerd
does (moby, ``daemon/daemon_unix.go``, ``verifyPlatformContainerResources``):
a value that makes no sense is an error; a good value that this kernel has no
file for is dropped, and a warning says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from minidocker.cgroups.machine import Machine, parse_list
from minidocker.cgroups.resources import Resources
from minidocker.errors import Conflict, InvalidParameter

MINIMUM_MEMORY = 6 * 1024 * 1024  # what the first program of a container needs to start


class Validated(NamedTuple):
    """``resources``: what can be written.  ``warnings``: what was dropped, in Docker's words."""

    resources: Resources
    warnings: tuple[str, ...]


class _Drop(NamedTuple):
    """A field that needs a file; without it, ``instead`` is put in place and ``warning`` said."""

    field: str
    instead: dict[str, Any]
    warning: str


_NOT_THERE = "or the cgroup is not mounted."
_DROPS = (
    _Drop(
        "memory",
        {"memory": None, "memory_swap": None},
        f"Your kernel does not support memory limit capabilities {_NOT_THERE} "
        "Limitation discarded.",
    ),
    _Drop(
        "memory_swap",
        {"memory_swap": None},
        f"Your kernel does not support swap limit capabilities {_NOT_THERE} "
        "Memory limited without swap.",
    ),
    _Drop(
        "memory_swappiness",
        {"memory_swappiness": None},
        f"Your kernel does not support memory swappiness capabilities {_NOT_THERE} "
        "Memory swappiness discarded.",
    ),
    _Drop(
        "memory_reservation",
        {"memory_reservation": None},
        f"Your kernel does not support memory soft limit capabilities {_NOT_THERE} "
        "Limitation discarded.",
    ),
    # Linux took the limit away: since 5.16 the file of v1 takes any number and
    # keeps none, and v2 never had one.  So no driver lists this field.
    _Drop(
        "kernel_memory",
        {"kernel_memory": None},
        f"Your kernel does not support kernel memory limit capabilities {_NOT_THERE} "
        "Limitation discarded.",
    ),
    _Drop(
        "oom_kill_disable",
        {"oom_kill_disable": False},
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    ),
    _Drop(
        "pids_limit",
        {"pids_limit": None},
        f"Your kernel does not support PIDs limit capabilities {_NOT_THERE} PIDs limit discarded.",
    ),
    _Drop(
        "cpu_shares",
        {"cpu_shares": None},
        "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
    ),
    _Drop(
        "cpu_quota",
        {"cpu_quota": None, "cpu_period": None},
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
    ),
    _Drop(
        "cpu_period",
        {"cpu_quota": None, "cpu_period": None},
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
    ),
    _Drop(
        "cpuset_cpus",
        {"cpuset_cpus": "", "cpuset_mems": ""},
        f"Your kernel does not support cpuset {_NOT_THERE} Cpuset discarded.",
    ),
    _Drop(
        "cpuset_mems",
        {"cpuset_cpus": "", "cpuset_mems": ""},
        f"Your kernel does not support cpuset {_NOT_THERE} Cpuset discarded.",
    ),
    _Drop(
        "blkio_weight",
        {"blkio_weight": None},
        f"Your kernel does not support Block I/O weight {_NOT_THERE} Weight discarded.",
    ),
    _Drop(
        "blkio_weight_device",
        {"blkio_weight_device": ()},
        f"Your kernel does not support Block I/O weight_device {_NOT_THERE} "
        "Weight-device discarded.",
    ),
    _Drop(
        "read_bps",
        {"read_bps": ()},
        f"Your kernel does not support BPS Block I/O read limit {_NOT_THERE} "
        "Block I/O BPS read limit discarded.",
    ),
    _Drop(
        "write_bps",
        {"write_bps": ()},
        f"Your kernel does not support BPS Block I/O write limit {_NOT_THERE} "
        "Block I/O BPS write limit discarded.",
    ),
    _Drop(
        "read_iops",
        {"read_iops": ()},
        f"Your kernel does not support IOPS Block read limit {_NOT_THERE} "
        "Block I/O IOPS read limit discarded.",
    ),
    _Drop(
        "write_iops",
        {"write_iops": ()},
        f"Your kernel does not support IOPS Block write limit {_NOT_THERE} "
        "Block I/O IOPS write limit discarded.",
    ),
)


def validate(resources: Resources, machine: Machine, *, update: bool = False) -> Validated:
    """Check ``resources`` against Docker's rules and against ``machine``.

    Returns the resources that can really be written, with Docker's defaults
    filled in (memory without memory_swap means as much swap as memory), and a
    warning for each value that had to be dropped.  Raises ``InvalidParameter``
    with Docker's own sentence for a value that is out of range or contradicts
    another.  Validating the result again does not change it.
    """
    wanted = without_zeros(resources)
    if not update and (wanted.memory or 0) > 0 and wanted.memory_swap is None:
        wanted = replace(wanted, memory_swap=2 * (wanted.memory or 0))
    check_memory(wanted, update=update)
    check_cpu(wanted, machine)
    check_block_io(wanted)
    kept, warnings = drop_unsupported(wanted, machine.supports)
    check_cpuset(kept, machine)
    if kept.oom_kill_disable and kept.memory is None and not update:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    return Validated(kept, tuple(warnings))


def validate_update(current: Resources, change: Resources, machine: Machine) -> Validated:
    """As ``validate``, for a ``change`` to a container that has ``current``.

    Returns the whole: ``current`` with the change in place.  Raises
    ``Conflict`` where the change contradicts what stays (moby,
    ``container/container_unix.go``, ``UpdateContainer``): memory, without
    memory_swap beside it, must stay below the memory_swap there is, and a
    container that has none must be given one.
    """
    change, warnings = validate(change, machine, update=True)
    total = current.memory_swap or 0
    if (
        "memory_swap" in machine.supports
        and change.memory is not None
        and change.memory_swap is None
        and 0 <= total < change.memory
    ):
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time"
        )
    for field, name in (("cpu_quota", "CPU Quota"), ("cpu_period", "CPU Period")):
        if getattr(change, field) is not None and current.nano_cpus:
            raise Conflict(
                f"Conflicting options: {name} cannot be updated as NanoCPUs has already been set"
            )
        if change.nano_cpus is not None and getattr(current, field):
            raise Conflict(
                f"Conflicting options: Nano CPUs cannot be updated as {name} has already been set"
            )
    whole = current.updated(change)
    check_memory(whole)
    return Validated(whole, warnings)


def without_zeros(resources: Resources) -> Resources:
    """The API cannot leave a number out: its 0 means "not asked for" (swappiness: -1)."""
    zero_is_none = (
        *("memory", "memory_swap", "memory_reservation", "kernel_memory", "blkio_weight"),
        *("cpu_shares", "cpu_quota", "cpu_period", "nano_cpus"),
        *("cpu_realtime_period", "cpu_realtime_runtime"),
    )
    unset: dict[str, Any] = {name: None for name in zero_is_none if not getattr(resources, name)}
    if resources.memory_swappiness == -1:
        unset["memory_swappiness"] = None
    return replace(resources, **unset)


def check_memory(wanted: Resources, *, update: bool = False) -> None:
    """Raise ``InvalidParameter`` for memory limits (bytes) that are too small or cross each other.

    ``update``: ``wanted`` is only what changes, so that memory_swap may stand alone.
    """
    memory, swap, reservation = wanted.memory, wanted.memory_swap, wanted.memory_reservation
    swappiness = wanted.memory_swappiness
    if memory is not None and memory < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if swap is not None and swap < -1:
        raise InvalidParameter(f"Invalid memory swap limit {swap}: -1 means unlimited swap")
    if memory is not None and swap is not None and 0 < swap < memory:
        raise InvalidParameter(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if memory is None and swap is not None and swap > 0 and not update:
        raise InvalidParameter(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    if swappiness is not None and not 0 <= swappiness <= 100:
        raise InvalidParameter(
            f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
        )
    if reservation is not None and reservation < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if memory is not None and reservation is not None and 0 < memory < reservation:
        raise InvalidParameter(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    if wanted.kernel_memory is not None and 0 < wanted.kernel_memory < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum kernel memory limit allowed is 6MB")


def check_cpu(wanted: Resources, machine: Machine) -> None:
    """Raise ``InvalidParameter`` for shares, times (microseconds) or a number of CPUs out of range.

    ``nano_cpus`` and a real-time runtime are not dropped where the kernel has
    no file for them, as the other fields are: Docker refuses the container.
    """
    nano, quota, period = wanted.nano_cpus, wanted.cpu_quota, wanted.cpu_period
    count = machine.cpu_count
    if nano is not None and period is not None:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano is not None and quota is not None:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if nano is not None and "nano_cpus" not in machine.supports:
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler "
            "or the cgroup is not mounted"
        )
    # The kernel's smallest quota is 1 ms in a period of 100 ms.
    if nano is not None and not 10_000_000 <= nano <= count * 1_000_000_000:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        )
    if wanted.cpu_shares is not None and wanted.cpu_shares < 0:
        raise InvalidParameter(
            f"invalid CPU shares ({wanted.cpu_shares}): value must be a positive integer"
        )
    if wanted.cpu_shares is not None and wanted.cpu_shares < 2:
        raise InvalidParameter("the minimum allowed cpu-shares is 2")
    if wanted.cpu_shares is not None and wanted.cpu_shares > 262144:
        raise InvalidParameter("the maximum allowed cpu-shares is 262144")
    if period is not None and not 1000 <= period <= 1_000_000:
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if quota is not None and quota < 1000 and quota != -1:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    realtime_runtime, realtime_period = wanted.cpu_realtime_runtime, wanted.cpu_realtime_period
    if (realtime_runtime or realtime_period) and "cpu_realtime_runtime" not in machine.supports:
        raise InvalidParameter("Your kernel does not support CPU real-time scheduler")
    if realtime_runtime and realtime_period and realtime_runtime > realtime_period:
        raise InvalidParameter("cpu real-time runtime cannot be higher than cpu real-time period")


def check_cpuset(wanted: Resources, machine: Machine) -> None:
    """Raise ``InvalidParameter`` for CPUs or memory nodes that are no list, or are not there."""
    for kind, what, asked, there in (
        ("cpus", "CPUs", wanted.cpuset_cpus, machine.cpus),
        ("mems", "memory nodes", wanted.cpuset_mems, machine.mems),
    ):
        try:
            numbers = parse_list(asked)
        except ValueError as error:
            raise InvalidParameter(f"Invalid value {asked} for cpuset {kind}: {error}") from error
        if not numbers <= parse_list(there):
            raise InvalidParameter(
                f"Requested {what} are not available - requested {asked}, available: {there}"
            )


def check_block_io(wanted: Resources) -> None:
    """Raise ``InvalidParameter`` for weights outside 10..1000 and rates that are not positive."""
    if wanted.blkio_weight is not None and not 10 <= wanted.blkio_weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    for each in wanted.blkio_weight_device:
        if not 10 <= each.rate <= 1000:
            raise InvalidParameter(
                f"Range of blkio weight is from 10 to 1000, not {each.rate} "
                f"for the device {each.major}:{each.minor}"
            )
    for name in ("read_bps", "write_bps", "read_iops", "write_iops"):
        for each in getattr(wanted, name):
            if each.rate <= 0:
                raise InvalidParameter(
                    f"Invalid rate {each.rate} for the device {each.major}:{each.minor}: "
                    "it must be a positive integer"
                )


def drop_unsupported(wanted: Resources, supports: frozenset[str]) -> tuple[Resources, list[str]]:
    """``wanted`` without what has no file here, and Docker's warning for each loss.

    "Unlimited" is dropped too, and that is no loss: there is no limit.
    """
    warnings: list[str] = []
    nothing = Resources()
    for field, instead, warning in _DROPS:
        value = getattr(wanted, field)
        if field in supports or value == getattr(nothing, field):
            continue
        wanted = replace(wanted, **instead)
        unlimited = field in ("memory", "memory_swap", "pids_limit", "cpu_quota") and value <= 0
        if not unlimited:
            warnings.append(warning)
    return wanted, warnings
