"""Device rules: one meaning, in v1's lists and in v2's program.

Both are held against ``allowed`` by models of the kernel: an interpreter of
the few BPF instructions that we use, and v1's default with exceptions as
security/device_cgroup.c keeps it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups import DeviceRule
from minidocker.cgroups.devices import (
    ACCESS,
    KINDS,
    AllowDevices,
    AttachDeviceProgram,
    allowed,
    assemble,
    check_rules,
    lines_for,
)
from minidocker.containers.devices import DEFAULT_RULES
from minidocker.errors import InvalidParameter, Refused
from tests.cgroups.strategies import access, device_rules

kinds = st.sampled_from("bc")
numbers = st.integers(0, 4)


# The model of v2: a processor with five registers


def interpret(program: bytes, kind: str, major: int, minor: int, wanted: str) -> bool:
    """Run the program on a ``struct bpf_cgroup_dev_ctx`` (linux/bpf.h).

    As the verifier wants it: no jump goes back, r0 is set before the end.
    """
    code = [struct.unpack_from("=BBhi", program, at) for at in range(0, len(program), 8)]
    bits = sum(ACCESS[letter] for letter in set(wanted))
    context = struct.pack("=III", bits << 16 | KINDS[kind], major, minor)
    registers: dict[int, int] = {1: 0}  # the context's address
    at = 0
    while True:
        opcode, both, offset, immediate = code[at]
        target, source = both & 15, both >> 4
        at += 1
        match opcode:
            case 0x61:
                assert source == 1
                assert registers[1] == 0, "r1 no longer is the context"
                [registers[target]] = struct.unpack_from("=I", context, offset)
            case 0xBF:
                registers[target] = registers[source]
            case 0xB7:
                registers[target] = immediate
            case 0x57:
                registers[target] &= immediate
            case 0x77:
                registers[target] >>= immediate
            case 0x15 | 0x55:
                assert offset >= 0
                if (registers[target] == immediate) == (opcode == 0x15):
                    at += offset
            case 0x95:
                return bool(registers[0])
            case _:
                pytest.fail(f"no such instruction: {opcode:#x}")


def reached(program: bytes) -> set[int]:
    """The instructions that the verifier reaches, whatever the registers hold."""
    code = [struct.unpack_from("=BBhi", program, at) for at in range(0, len(program), 8)]
    seen: set[int] = set()
    todo = [0]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        opcode, _, offset, _ = code[at]
        if opcode != 0x95:
            todo.append(at + 1)
        if opcode in (0x15, 0x55):
            todo.append(at + 1 + offset)
    return seen


def encode(rules: Sequence[DeviceRule]) -> bytes:
    return b"".join(each.encode() for each in assemble(rules))


@given(device_rules, kinds, numbers, numbers, access)
def test_the_program_answers_as_the_rules_say(
    rules: tuple[DeviceRule, ...], kind: str, major: int, minor: int, wanted: str
) -> None:
    assert interpret(encode(rules), kind, major, minor, wanted) == allowed(
        rules, kind, major, minor, wanted
    )


@given(device_rules)
def test_the_verifier_finds_no_dead_instruction(rules: tuple[DeviceRule, ...]) -> None:
    program = encode(rules)
    assert reached(program) == set(range(len(program) // 8))


# The model of v1


@dataclass
class V1Model:
    """devcgroup_update_access and devcgroup_check_permission, in Python."""

    allows: bool = True
    exceptions: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)

    def write(self, file: str, line: str) -> None:
        allow = file == "devices.allow"
        if line == "a":
            self.allows, self.exceptions = allow, {}
            return
        kind, numbers, letters = line.split()
        major, minor = numbers.split(":")
        key = (kind, major, minor)
        if allow == self.allows:  # dev_exception_rm: only from an equal entry
            if key in self.exceptions:
                self.exceptions[key] -= set(letters)
        else:
            self.exceptions.setdefault(key, set()).update(letters)

    def may(self, kind: str, major: int, minor: int, letter: str) -> bool:
        excepted = any(
            each[0] == kind
            and each[1] in ("*", str(major))
            and each[2] in ("*", str(minor))
            and letter in letters
            for each, letters in self.exceptions.items()
        )
        return self.allows != excepted


@given(device_rules, kinds, numbers, numbers, st.sampled_from("rwm"))
def test_v1_lines_mean_what_the_rules_say_or_are_refused(
    rules: tuple[DeviceRule, ...], kind: str, major: int, minor: int, letter: str
) -> None:
    try:
        lines = lines_for(rules)
    except Refused:
        return
    model = V1Model()
    for file, line in lines:
        model.write(file, line)
    assert model.may(kind, major, minor, letter) == allowed(rules, kind, major, minor, letter)


# What rules mean


@given(device_rules, kinds, numbers, numbers)
def test_a_device_may_be_used_for_all_that_is_wanted_or_not_at_all(
    rules: tuple[DeviceRule, ...], kind: str, major: int, minor: int
) -> None:
    each = [allowed(rules, kind, major, minor, letter) for letter in "rwm"]
    assert allowed(rules, kind, major, minor, "rwm") == all(each)


@given(device_rules, kinds, numbers, numbers, access)
def test_the_last_word_is_the_last_rule(
    rules: tuple[DeviceRule, ...], kind: str, major: int, minor: int, wanted: str
) -> None:
    assert allowed((*rules, DeviceRule(True)), kind, major, minor, wanted)
    assert not allowed((*rules, DeviceRule(False)), kind, major, minor, wanted)


def test_a_container_may_make_any_node_and_open_only_the_harmless_ones() -> None:
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, 7)):
        assert allowed(DEFAULT_RULES, "c", major, minor, "rwm")
    assert allowed(DEFAULT_RULES, "b", 8, 0, "m")
    assert not allowed(DEFAULT_RULES, "b", 8, 0, "r")
    assert not allowed(DEFAULT_RULES, "c", 1, 1, "r")  # /dev/mem
    assert lines_for(DEFAULT_RULES)[0] == ("devices.deny", "a")


def test_v1_refuses_a_hole_in_an_exception() -> None:
    rules = (DeviceRule(False), DeviceRule(True, "c", 1), DeviceRule(False, "c", 1, 3))
    with pytest.raises(Refused) as caught:
        lines_for(rules)
    assert "'c 1:3 rwm' takes a part out of 'c 1:* rwm'" in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        DeviceRule(True, "x"),
        DeviceRule(True, "c", 1, 3, ""),
        DeviceRule(True, "c", 1, 3, "x"),
        DeviceRule(True, "c", -1, 3),
        DeviceRule(True, "c", 4096, 3),
        DeviceRule(True, "b", 1, 1 << 20),
    ],
    ids=str,
)
def test_a_rule_of_no_device_is_refused(rule: DeviceRule) -> None:
    with pytest.raises(InvalidParameter, match="invalid device cgroup rule"):
        check_rules([rule])


@given(device_rules)
def test_good_rules_are_taken(rules: tuple[DeviceRule, ...]) -> None:
    check_rules(rules)


def test_both_steps_say_what_they_do() -> None:
    rules = (DeviceRule(False), DeviceRule(True, "c", 1, 3))
    assert AllowDevices("/g", rules).describe() == (
        'Say which devices may be used: write to "/g": devices.deny a, devices.allow c 1:3 rwm'
    )
    assert 'bpf(BPF_PROG_ATTACH, "/g", BPF_CGROUP_DEVICE)' in (
        AttachDeviceProgram("/g", rules).describe()
    )
