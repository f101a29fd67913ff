"""Docker's rules: what is refused, in which words, and what is dropped with a warning."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given

from minidocker.cgroups import DeviceThrottle, Resources, v1, v2, validate, validate_update
from minidocker.cgroups.machine import Machine
from minidocker.errors import Conflict, InvalidParameter
from tests.cgroups.strategies import BIG, EVERYTHING, MIB, anything, machines, sensible

NOTHING = Machine(cpus="", mems="", cpu_count=1, supports=frozenset())

REFUSED = [
    (Resources(memory=6 * MIB - 1), "Minimum memory limit allowed is 6MB"),
    (Resources(memory=-1), "Minimum memory limit allowed is 6MB"),
    (
        Resources(memory=64 * MIB, memory_swap=63 * MIB),
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    (
        Resources(memory_swap=64 * MIB),
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    ),
    (
        Resources(memory_swappiness=101),
        "Invalid value: 101, valid memory swappiness range is 0-100",
    ),
    (Resources(memory_reservation=MIB), "Minimum memory reservation allowed is 6MB"),
    (
        Resources(memory=64 * MIB, memory_reservation=65 * MIB),
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    ),
    (Resources(kernel_memory=MIB), "Minimum kernel memory limit allowed is 6MB"),
    (
        Resources(nano_cpus=1_000_000_000, cpu_period=100_000),
        "Conflicting options: Nano CPUs and CPU Period cannot both be set",
    ),
    (
        Resources(nano_cpus=1_000_000_000, cpu_quota=100_000),
        "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
    ),
    (
        Resources(nano_cpus=9_000_000_000),
        "Range of CPUs is from 0.01 to 8.00, as there are only 8 CPUs available",
    ),
    (
        Resources(nano_cpus=9_999_999),
        "Range of CPUs is from 0.01 to 8.00, as there are only 8 CPUs available",
    ),
    (Resources(cpu_shares=1), "the minimum allowed cpu-shares is 2"),
    (Resources(cpu_shares=262145), "the maximum allowed cpu-shares is 262144"),
    (Resources(cpu_shares=-1), "invalid CPU shares (-1): value must be a positive integer"),
    (
        Resources(cpu_period=999),
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ),
    (
        Resources(cpu_period=1_000_001),
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ),
    (Resources(cpu_quota=999), "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    (
        Resources(cpuset_cpus="8"),
        "Requested CPUs are not available - requested 8, available: 0-7",
    ),
    (
        Resources(cpuset_mems="0-2"),
        "Requested memory nodes are not available - requested 0-2, available: 0-1",
    ),
    (Resources(cpuset_cpus="a"), "Invalid value a for cpuset cpus: invalid format: a"),
    (
        Resources(cpuset_cpus="0-9999999999"),
        "Invalid value 0-9999999999 for cpuset cpus: value of out range, maximum is 8192",
    ),
    (Resources(blkio_weight=5), "Range of blkio weight is from 10 to 1000"),
    (
        Resources(blkio_weight_device=(DeviceThrottle(8, 0, 1001),)),
        "Range of blkio weight is from 10 to 1000, not 1001 for the device 8:0",
    ),
    (
        Resources(read_bps=(DeviceThrottle(8, 0, 0),)),
        "Invalid rate 0 for the device 8:0: it must be a positive integer",
    ),
]


@pytest.mark.parametrize(("resources", "sentence"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_docker_refuses_is_refused_in_its_words(resources: Resources, sentence: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate(resources, BIG)
    assert str(caught.value) == sentence


DROPPED = [
    ("memory", Resources(memory=64 * MIB), "Limitation discarded."),
    ("memory_swap", Resources(memory=64 * MIB), "Memory limited without swap."),
    ("memory_swappiness", Resources(memory_swappiness=0), "Memory swappiness discarded."),
    ("memory_reservation", Resources(memory_reservation=8 * MIB), "Limitation discarded."),
    ("kernel_memory", Resources(kernel_memory=8 * MIB), "Limitation discarded."),
    ("oom_kill_disable", Resources(oom_kill_disable=True), "OomKillDisable discarded."),
    ("pids_limit", Resources(pids_limit=10), "PIDs limit discarded."),
    ("cpu_shares", Resources(cpu_shares=10), "Shares discarded."),
    ("cpu_quota", Resources(cpu_quota=5000), "CPU period/quota discarded."),
    ("cpu_period", Resources(cpu_period=5000), "CPU period/quota discarded."),
    ("cpuset_cpus", Resources(cpuset_cpus="0"), "Cpuset discarded."),
    ("cpuset_mems", Resources(cpuset_mems="0"), "Cpuset discarded."),
    ("blkio_weight", Resources(blkio_weight=10), "Weight discarded."),
    *(
        (name, Resources(**{name: (DeviceThrottle(8, 0, 100),)}), "discarded.")
        for name in ("blkio_weight_device", "read_bps", "write_bps", "read_iops", "write_iops")
    ),
]


@pytest.mark.parametrize(("field", "resources", "end"), DROPPED, ids=[each[0] for each in DROPPED])
def test_what_has_no_file_is_dropped_and_a_warning_says_so(
    field: str, resources: Resources, end: str
) -> None:
    machine = replace(BIG, supports=EVERYTHING - {field})
    kept, warnings = validate(resources, machine)
    assert getattr(kept, field) == getattr(Resources(), field)
    [warning] = [each for each in warnings if each.endswith(end)]
    assert warning.startswith("Your kernel does not support ")


@pytest.mark.parametrize(
    "resources",
    [
        Resources(pids_limit=0),
        Resources(pids_limit=-1),
        Resources(memory_swap=-1),
        Resources(cpu_quota=-1),
    ],
    ids=str,
)
def test_unlimited_is_dropped_without_a_word(resources: Resources) -> None:
    assert validate(resources, NOTHING) == (Resources(), ())


@pytest.mark.parametrize("field", ["nano_cpus", "cpu_realtime_runtime"])
def test_cpus_and_realtime_are_refused_where_there_is_no_file(field: str) -> None:
    with pytest.raises(InvalidParameter, match="our kernel does not support"):
        validate(Resources(**{field: 1_000_000_000}), NOTHING)


def test_memory_alone_means_as_much_swap() -> None:
    kept, warnings = validate(Resources(memory=64 * MIB), BIG)
    assert (kept.memory_swap, warnings) == (128 * MIB, ())


def test_a_zero_of_the_api_is_nothing_asked_for() -> None:
    zeros = Resources(
        **{
            field.name: 0
            for field in fields(Resources)
            if field.default is None and field.name not in ("pids_limit", "devices")
        }
    )
    kept, warnings = validate(replace(zeros, memory_swappiness=-1), BIG)
    assert (kept, warnings) == (Resources(), ())


def test_no_oom_killer_and_no_limit_is_warned_of() -> None:
    _, warnings = validate(Resources(oom_kill_disable=True), BIG)
    assert [each.split(",")[0] for each in warnings] == ["OOM killer is disabled for the container"]


@given(sensible())
def test_sensible_resources_are_taken_whole(resources: Resources) -> None:
    kept, warnings = validate(resources, BIG)
    swap = resources.memory_swap
    if swap is None and resources.memory is not None:
        swap = 2 * resources.memory
    assert (kept, warnings) == (replace(resources, memory_swap=swap), ())


@given(anything, machines)
def test_whatever_is_asked_is_taken_or_refused_by_name(asked: Resources, machine: Machine) -> None:
    """Never another error; and what is taken has a file in the machine, in both versions."""
    try:
        kept, warnings = validate(asked, machine)
    except InvalidParameter:
        return
    assert all(each.endswith(".") for each in warnings)
    for field in fields(Resources):
        if getattr(kept, field.name) != field.default:
            assert field.name in machine.supports | {"cpu_realtime_period"}
    for name, value in [*v1.files_for(kept), *v2.files_for(kept)]:
        assert name
        assert value


@given(anything, machines)
def test_validating_again_changes_nothing(asked: Resources, machine: Machine) -> None:
    try:
        kept, _ = validate(asked, machine)
    except InvalidParameter:
        return
    assert validate(kept, machine).resources == kept


# Updates


@given(anything, anything, machines)
def test_an_update_is_refused_by_name_or_gives_a_whole_that_is_valid(
    before: Resources, change: Resources, machine: Machine
) -> None:
    try:
        current, _ = validate(before, machine)
        whole, _ = validate_update(current, change, machine)
    except (InvalidParameter, Conflict):
        return
    validate(whole, machine)


@given(sensible())
def test_an_update_with_nothing_changes_nothing(resources: Resources) -> None:
    current, _ = validate(resources, BIG)
    assert validate_update(current, Resources(), BIG) == (current, ())


def test_memory_can_be_lowered_alone_and_raised_with_swap() -> None:
    current, _ = validate(Resources(memory=64 * MIB), BIG)
    lower, _ = validate_update(current, Resources(memory=32 * MIB), BIG)
    assert (lower.memory, lower.memory_swap) == (32 * MIB, 128 * MIB)
    higher, _ = validate_update(current, Resources(memory=256 * MIB, memory_swap=-1), BIG)
    assert (higher.memory, higher.memory_swap) == (256 * MIB, -1)


@pytest.mark.parametrize(
    "current",
    [Resources(), Resources(memory=64 * MIB, memory_swap=128 * MIB)],
    ids=["no limit", "128 MiB of memory and swap"],
)
def test_memory_above_the_swap_limit_wants_both(current: Resources) -> None:
    with pytest.raises(Conflict) as caught:
        validate_update(current, Resources(memory=129 * MIB), BIG)
    assert str(caught.value) == (
        "Memory limit should be smaller than already set memoryswap limit, "
        "update the memoryswap at the same time"
    )


def test_memory_can_be_updated_where_swap_is_not_counted() -> None:
    machine = replace(BIG, supports=EVERYTHING - {"memory_swap"})
    current, _ = validate(Resources(memory=64 * MIB), machine)
    whole, _ = validate_update(current, Resources(memory=256 * MIB), machine)
    assert (whole.memory, whole.memory_swap) == (256 * MIB, None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            Resources(memory_swap=32 * MIB),
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            Resources(memory_reservation=65 * MIB),
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
    ],
)
def test_a_change_must_fit_what_stays(change: Resources, sentence: str) -> None:
    current, _ = validate(Resources(memory=64 * MIB), BIG)
    with pytest.raises(InvalidParameter) as caught:
        validate_update(current, change, BIG)
    assert str(caught.value) == sentence


def test_swap_without_memory_is_refused_in_an_update_too() -> None:
    with pytest.raises(InvalidParameter, match="You should always set the Memory limit"):
        validate_update(Resources(), Resources(memory_swap=64 * MIB), BIG)


@pytest.mark.parametrize(
    ("current", "change", "sentence"),
    [
        (
            Resources(nano_cpus=1_000_000_000),
            Resources(cpu_quota=5000),
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            Resources(nano_cpus=1_000_000_000),
            Resources(cpu_period=5000),
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            Resources(cpu_quota=5000),
            Resources(nano_cpus=1_000_000_000),
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            Resources(cpu_period=5000),
            Resources(nano_cpus=1_000_000_000),
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
    ],
)
def test_cpus_and_a_quota_do_not_mix_in_an_update(
    current: Resources, change: Resources, sentence: str
) -> None:
    with pytest.raises(Conflict) as caught:
        validate_update(current, change, BIG)
    assert str(caught.value) == sentence
