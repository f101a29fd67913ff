"""Which rules of a profile hold, and what the compiled filter says of each system call."""

from __future__ import annotations

import errno
import operator
import os
import platform
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.namespaces.capabilities import DEFAULT, NAMES
from minidocker.namespaces.seccomp_profile import (
    _version,
    applicable,
    compile_profile,
    default_profile,
)
from tests.namespaces import bpf
from tests.support.need import missing

CAPS = NAMES[:4]
held = st.sets(st.sampled_from(CAPS))
arches = st.sampled_from(["amd64", "arm64", "s390x"])
kernels = st.tuples(st.integers(2, 6), st.integers(0, 20))
some_caps = st.lists(st.sampled_from(CAPS), min_size=1, max_size=3, unique=True)
some_arches = st.lists(arches, min_size=1, max_size=2, unique=True)
versions = kernels.map(lambda pair: f"{pair[0]}.{pair[1]}")
conditions = (
    some_caps.map(lambda caps: {"caps": caps})
    | some_arches.map(lambda names: {"arches": names})
    | versions.map(lambda version: {"minKernel": version})
)
here = st.tuples(held, arches, kernels)
Here = tuple[set[str], str, tuple[int, int]]


def holds(place: Here, **rule: Any) -> bool:
    return applicable(rule, *place)


@given(here)
def test_a_rule_without_conditions_holds_everywhere(place: Here) -> None:
    assert holds(place)
    assert holds(place, includes={}, excludes=None)


@given(here, st.sampled_from(CAPS).map(lambda cap: {"caps": [cap]}) | conditions)
def test_what_one_condition_includes_its_exclusion_leaves_out(
    place: Here, condition: dict[str, Any]
) -> None:
    if len(condition.get("caps", ())) <= 1:
        assert holds(place, includes=condition) != holds(place, excludes=condition)


@given(here, conditions, conditions)
def test_what_is_included_and_excluded_is_both(
    place: Here, includes: dict[str, Any], excludes: dict[str, Any]
) -> None:
    assert holds(place, includes=includes, excludes=excludes) == (
        holds(place, includes=includes) and holds(place, excludes=excludes)
    )


@given(here, some_caps, some_arches)
def test_all_capabilities_are_needed_and_one_architecture(
    place: Here, caps: list[str], names: list[str]
) -> None:
    each_cap = [holds(place, includes={"caps": [cap]}) for cap in caps]
    assert holds(place, includes={"caps": caps}) == all(each_cap)
    assert holds(place, excludes={"caps": caps}) == (not any(each_cap))
    one = any(holds(place, includes={"arches": [name]}) for name in names)
    assert holds(place, includes={"arches": names}) == one


@given(here, st.sampled_from(CAPS), arches, kernels)
def test_each_condition_is_of_its_own_kind(
    place: Here, cap: str, name: str, kernel: tuple[int, int]
) -> None:
    assert holds(place, includes={"caps": [cap]}) == (cap in place[0])
    assert holds(place, includes={"arches": [name]}) == (name == place[1])
    oldest = "{}.{}".format(*kernel)
    assert holds(place, includes={"minKernel": oldest}) == (place[2] >= kernel)


@given(kernels, st.sampled_from(["", ".0", "-rc3", ".0-18-amd64", ".44-fc-v669", "+", "-12"]))
def test_a_version_is_its_first_two_numbers(kernel: tuple[int, int], rest: str) -> None:
    assert _version("{}.{}{}".format(*kernel, rest)) == kernel


@given(st.text(max_size=6) | st.sampled_from(["6", "6.", "v6.1", "six.one"]))
def test_any_text_is_a_version_or_refused(text: str) -> None:
    if text[:1].isascii() and text[:1].isdecimal() and "." in text:
        return
    with pytest.raises(ValueError, match="is no version of a kernel"):
        _version(text)


def machine() -> int:
    """The architecture as the filter sees it."""
    found = bpf.ARCHITECTURES.get(platform.machine())
    if found is None:
        missing(f"this test knows the system calls of {', '.join(bpf.ARCHITECTURES)} only")
    return found


def number_of(name: str) -> int:
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    assert number >= 0, name
    return int(number)


def verdict(program: bytes, name: str, *arguments: int) -> int:
    return bpf.run(program, machine(), number_of(name), arguments)


EPERM = bpf.ERRNO | errno.EPERM


@settings(max_examples=12, deadline=None)
@given(st.sets(st.sampled_from(NAMES)))
def test_the_default_profile_gives_with_a_capability_what_needs_it(held: set[str]) -> None:
    program = compile_profile(default_profile(), held)
    assert len(program) // 8 <= 4096, "BPF_MAXINSNS"
    assert len(program) % 8 == 0
    for name in ("read", "write", "openat", "execve", "exit_group", "futex"):
        assert verdict(program, name) == bpf.ALLOW
    for name in ("kexec_load", "add_key", "userfaultfd"):
        assert verdict(program, name) == EPERM
    for capability, name in (
        ("CAP_SYS_ADMIN", "mount"),
        ("CAP_SYS_ADMIN", "unshare"),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_SYS_CHROOT", "chroot"),
        ("CAP_SYS_MODULE", "init_module"),
        ("CAP_SYS_TIME", "settimeofday"),
    ):
        assert verdict(program, name) == (bpf.ALLOW if capability in held else EPERM)


def test_the_default_profile_looks_at_arguments() -> None:
    program = compile_profile(default_profile(), DEFAULT)
    af_inet, af_alg, af_vsock = 2, 38, 40
    assert verdict(program, "socket", af_inet) == bpf.ALLOW
    assert verdict(program, "socket", af_alg) == EPERM
    assert verdict(program, "socket", af_vsock) == EPERM
    sigchld, clone_newuser = 17, 0x10000000
    assert verdict(program, "clone", sigchld) == bpf.ALLOW
    assert verdict(program, "clone", sigchld | clone_newuser) == EPERM
    # The arguments of clone3 are out of a filter's sight: libc falls back to clone.
    assert verdict(program, "clone3") == bpf.ERRNO | errno.ENOSYS
    assert verdict(program, "personality", 0x0040000) == EPERM


def test_the_default_profile_knows_the_other_architecture_of_the_machine() -> None:
    program = compile_profile(default_profile(), DEFAULT)
    if platform.machine() == "x86_64":
        i386_write, i386_mount = 4, 21
        assert bpf.run(program, bpf.I386, i386_write) == bpf.ALLOW
        assert bpf.run(program, bpf.I386, i386_mount) == EPERM
    mips = 0x00000008
    assert bpf.run(program, mips, 0) == bpf.KILL


@settings(max_examples=5, deadline=None)
@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_more_capabilities_never_allow_less(few: set[str], more: set[str]) -> None:
    small = compile_profile(default_profile(), few)
    large = compile_profile(default_profile(), few | more)
    for number in range(480):
        if bpf.run(small, machine(), number) == bpf.ALLOW:
            assert bpf.run(large, machine(), number) == bpf.ALLOW


COMPARE: dict[str, Callable[[int, int], bool]] = {
    "SCMP_CMP_NE": operator.ne,
    "SCMP_CMP_LT": operator.lt,
    "SCMP_CMP_LE": operator.le,
    "SCMP_CMP_EQ": operator.eq,
    "SCMP_CMP_GE": operator.ge,
    "SCMP_CMP_GT": operator.gt,
}
ACTIONS = {
    ("SCMP_ACT_ALLOW", None): bpf.ALLOW,
    ("SCMP_ACT_ERRNO", None): EPERM,
    ("SCMP_ACT_ERRNO", 0): bpf.ERRNO,
    ("SCMP_ACT_ERRNO", 38): bpf.ERRNO | 38,
    ("SCMP_ACT_TRAP", None): bpf.TRAP,
    ("SCMP_ACT_LOG", None): bpf.LOG,
    ("SCMP_ACT_TRACE", 7): bpf.TRACE | 7,
    ("SCMP_ACT_KILL", None): bpf.KILL,
}
values = st.integers(0, 3) | st.sampled_from([2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1])
comparisons = st.builds(
    lambda index, op, value: {"index": index, "op": op, "value": value},
    st.integers(0, 5),
    st.sampled_from(sorted(COMPARE)),
    values,
)
masked = st.builds(
    lambda index, mask, value: {
        "index": index,
        "op": "SCMP_CMP_MASKED_EQ",
        "value": mask,
        "valueTwo": value & mask,
    },
    st.integers(0, 5),
    values,
    values,
)
several = st.lists(comparisons | masked, max_size=2, unique_by=lambda each: each["index"])
# Only of "equals": of other comparisons of one argument, libseccomp 2.5.4 makes a wrong program
# (not below 2**32, or not above 0: it traps 1).
alternatives = st.builds(
    lambda index, some: [{"index": index, "op": "SCMP_CMP_EQ", "value": value} for value in some],
    st.integers(0, 5),
    st.lists(values, min_size=2, max_size=3, unique=True),
)
rules = st.builds(
    lambda name, action, args: {
        "names": [name],
        "action": action[0],
        "errnoRet": action[1],
        "args": args,
    },
    st.sampled_from(["read", "write", "close", "mmap"]),
    st.sampled_from(sorted(ACTIONS, key=repr)),
    several | alternatives,
)


def holds_for(arguments: list[int], args: list[dict[str, Any]]) -> bool:
    """All comparisons must hold; of one argument twice, as in runc, any."""
    same = len({each["index"] for each in args}) < len(args)
    return (any if same else all)(meets(arguments, each) for each in args)


def meets(arguments: list[int], condition: dict[str, Any]) -> bool:
    value = arguments[condition["index"]]
    if condition["op"] == "SCMP_CMP_MASKED_EQ":
        return value & condition["value"] == condition["valueTwo"]
    return COMPARE[condition["op"]](value, condition["value"])


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(ACTIONS, key=repr)),
    st.lists(rules, max_size=4, unique_by=lambda rule: rule["names"][0]),
    st.lists(st.lists(values, min_size=6, max_size=6), min_size=1, max_size=8),
)
def test_the_filter_says_what_the_profile_says(
    default: tuple[str, int | None], rules: list[dict[str, Any]], calls: list[list[int]]
) -> None:
    profile = {"defaultAction": default[0], "syscalls": rules}
    if default[1] is not None:
        profile["defaultErrnoRet"] = default[1]
    program = compile_profile(profile, ())
    for arguments in calls:
        for name in ("read", "write", "close", "mmap", "dup"):
            wanted = ACTIONS[default]
            for rule in rules:
                if rule["names"] == [name] and holds_for(arguments, rule["args"]):
                    wanted = ACTIONS[rule["action"], rule["errnoRet"]]
            assert verdict(program, name, *arguments) == wanted


@pytest.mark.parametrize("op", sorted(COMPARE))
@pytest.mark.parametrize("value", [0, 1, 2**32, 2**64 - 1])
def test_a_comparison_is_of_64_bits_without_a_sign(op: str, value: int) -> None:
    args = [{"index": 2, "op": op, "value": value}]
    rule = {"names": ["read"], "action": "SCMP_ACT_TRAP", "args": args}
    program = compile_profile({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}, ())
    for given_value in {max(value - 1, 0), value, min(value + 1, 2**64 - 1)}:
        trapped = verdict(program, "read", 9, 9, given_value) == bpf.TRAP
        assert trapped == COMPARE[op](given_value, value)


def rule_with(**argument: Any) -> dict[str, Any]:
    """A profile that allows all but what ``argument`` compares."""
    args = [{"op": "SCMP_CMP_EQ", "index": 0, "value": 0, **argument}]
    rule = {"names": ["read"], "action": "SCMP_ACT_LOG", "args": args}
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"defaultAction": "SCMP_ACT_PERHAPS"},
        {"defaultAction": ["SCMP_ACT_ALLOW"]},
        {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"]}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_LOG"}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"includes": {"minKernel": "new"}}]},
        rule_with(op="~"),
        rule_with(index=6),
        rule_with(index=-1),
        rule_with(index="0"),
        rule_with(value=-1),
        rule_with(value=1 << 64),
        rule_with(op="SCMP_CMP_MASKED_EQ", valueTwo=1 << 64),
    ],
)
def test_a_profile_that_cannot_be_understood_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_profile(wrong, ())


def test_rules_that_contradict_each_other_are_refused() -> None:
    logged, trapped = rule_with(), rule_with()["syscalls"][0]
    trapped["action"] = "SCMP_ACT_TRAP"
    logged["syscalls"].append(trapped)
    with pytest.raises(ValueError, match="contradict each other on read"):
        compile_profile(logged, ())


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["SCMP_ACT_LOG", "read"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["names", "action", "args", "index", "op", "value", "includes", "caps"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["syscalls", "archMap", "architectures"]), JUNK) | JUNK)
def test_any_json_is_a_profile_or_refused(junk: Any) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", **junk} if isinstance(junk, dict) else junk
    try:
        assert compile_profile(profile, ())
    except ValueError:
        return


def test_a_system_call_that_nobody_knows_is_passed_over() -> None:
    rules = [{"names": ["no_such_call", "read"], "action": "SCMP_ACT_TRAP"}]
    program = compile_profile({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}, ())
    assert verdict(program, "read") == bpf.TRAP
    assert verdict(program, "write") == bpf.ALLOW


def test_the_running_kernel_has_a_version() -> None:
    assert "{}.{}".format(*_version(os.uname().release)) == ".".join(
        os.uname().release.split(".")[:2]
    )
