"""Which devices a container may open: rules, as v1's files and as a v2 program.

cgroup v1 has a controller with lists.  v2 has none: there the rules become a
small BPF program that the kernel runs at each open(2) and mknod(2) of a device
node.  ``allowed`` says what a list of rules means; ``assemble`` turns the same
list into that program (pure; ``bpf.py`` loads it).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from minidocker.cgroups import bpf, files
from minidocker.cgroups.bpf import Instruction
from minidocker.cgroups.resources import DeviceRule
from minidocker.cgroups.steps import CgroupStep
from minidocker.errors import InvalidParameter, Refused

# linux/bpf.h: the low half of access_type is the kind of device, the high half
# the bits of what is wanted.
KINDS = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}


def allowed(rules: Sequence[DeviceRule], kind: str, major: int, minor: int, access: str) -> bool:
    """Whether ``rules`` let a process use the device ``kind major:minor`` for all of ``access``.

    ``kind``: "b" or "c".  ``access``: one or more of "r" (open for reading),
    "w" (for writing), "m" (mknod).  Each letter is decided by the last rule
    that speaks of this device and this letter; with none, it is allowed.  A
    rule of kind "a" speaks of every device and every letter, whatever else
    stands in it (as in v1, whose parser reads no further).
    """
    wanted = set(access)
    for rule in reversed(rules):
        if rule.kind == "a":
            return rule.allow
        if rule.kind != kind or rule.major not in (None, major) or rule.minor not in (None, minor):
            continue
        if not rule.allow and wanted & set(rule.access):
            return False
        if rule.allow:
            wanted -= set(rule.access)
        if not wanted:
            return True
    return True


def check_rules(rules: Sequence[DeviceRule]) -> None:
    """Raise ``InvalidParameter`` for a rule that speaks of no device there could be.

    A kind is "a", "b" or "c", access one or more of "r", "w", "m"; a major
    number has 12 bits, a minor 20 (linux/kdev_t.h).
    """
    for rule in rules:
        if (
            rule.kind not in ("a", "b", "c")
            or not rule.access
            or not set(rule.access) <= set("rwm")
            or not 0 <= (rule.major or 0) < 1 << 12
            or not 0 <= (rule.minor or 0) < 1 << 20
        ):
            raise InvalidParameter(
                f"invalid device cgroup rule '{_line(rule)}': it must look like 'c 1:3 rwm', with "
                "a, b or c, a major number below 4096 and a minor below 1048576 or * for them, "
                "and one or more of r, w and m"
            )


def assemble(rules: Sequence[DeviceRule]) -> list[Instruction]:
    """The BPF program that answers as ``allowed`` does: 1 for yes, 0 for EPERM.

    Registers: r2 the kind, r3 the letters not yet decided, r4 major, r5 minor.
    The last rule comes first and strikes off what it allows; nothing left
    means yes.  The verifier refuses code that is never reached, so whatever
    stands before a rule of kind "a" is not translated at all.
    """
    program = [
        bpf.load_word(2, 1, 0),  # struct bpf_cgroup_dev_ctx: access_type, major, minor
        bpf.move(3, 2),
        bpf.and_immediate(2, 0xFFFF),
        bpf.shift_right(3, 16),
        bpf.load_word(4, 1, 4),
        bpf.load_word(5, 1, 8),
    ]
    for rule in reversed(rules):
        if rule.kind == "a":
            return [*program, *_answer(rule.allow)]
        program += _block(rule)
    return [*program, *_answer(True)]


def _answer(yes: bool) -> list[Instruction]:
    return [bpf.move_immediate(0, int(yes)), bpf.leave()]


def _block(rule: DeviceRule) -> list[Instruction]:
    """One rule: what does not match jumps behind the block, to the rule before it."""
    bits = sum(ACCESS[letter] for letter in set(rule.access))
    tests: list[tuple[int, int]] = [(2, KINDS[rule.kind])]
    tests += [(4, rule.major)] if rule.major is not None else []
    tests += [(5, rule.minor)] if rule.minor is not None else []
    if rule.allow:
        body = [bpf.and_immediate(3, 7 & ~bits), bpf.jump_if_not(3, 0, 2), *_answer(True)]
    else:
        body = [bpf.move(1, 3), bpf.and_immediate(1, bits), bpf.jump_if(1, 0, 2), *_answer(False)]
    jumps = [
        bpf.jump_if_not(register, value, len(tests) - 1 - place + len(body))
        for place, (register, value) in enumerate(tests)
    ]
    return [*jumps, *body]


def lines_for(rules: Sequence[DeviceRule]) -> list[tuple[str, str]]:
    """The same rules for v1: ``(file, line)`` to be written in this order.

    v1 keeps one default and a list of exceptions to it, so it cannot take a
    piece out of an exception.  Raises ``Refused`` for a rule that would: the
    kernel accepts the line and does nothing.
    """
    exceptions: list[DeviceRule] = []
    for rule in rules:
        if rule.kind == "a":
            exceptions = []
            continue
        for other in exceptions:
            if other.allow != rule.allow and _overlap(other, rule) and not _same(other, rule):
                raise Refused(
                    f"the device rule '{_line(rule)}' takes a part out of '{_line(other)}', "
                    "which cgroup v1 cannot: name the devices one by one"
                )
        exceptions.append(rule)
    return [
        (
            "devices.allow" if rule.allow else "devices.deny",
            "a" if rule.kind == "a" else _line(rule),
        )
        for rule in rules
    ]


def _line(rule: DeviceRule) -> str:
    major, minor = ("*" if each is None else each for each in (rule.major, rule.minor))
    return f"{rule.kind} {major}:{minor} {rule.access}"


def _overlap(a: DeviceRule, b: DeviceRule) -> bool:
    return (
        a.kind == b.kind
        and (None in (a.major, b.major) or a.major == b.major)
        and (None in (a.minor, b.minor) or a.minor == b.minor)
        and bool(set(a.access) & set(b.access))
    )


def _same(a: DeviceRule, b: DeviceRule) -> bool:
    return (a.kind, a.major, a.minor) == (b.kind, b.major, b.minor)


@dataclass(frozen=True)
class AllowDevices(CgroupStep):
    """Write the rules into the two files of v1's device controller."""

    directory: str
    rules: tuple[DeviceRule, ...]

    def describe(self) -> str:
        lines = ", ".join(f"{name} {line}" for name, line in lines_for(self.rules))
        return f'Say which devices may be used: write to "{self.directory}": {lines}'

    def execute(self) -> None:
        for name, line in lines_for(self.rules):
            files.write(f"{self.directory}/{name}", line)


@dataclass(frozen=True)
class AttachDeviceProgram(CgroupStep):
    """Load the rules as a BPF program and attach it to a v2 cgroup.

    The cgroup holds the program from then on; it goes with the cgroup.  More
    programs may be attached further down (ALLOW_MULTI), and a device must then
    be allowed by every one of them.
    """

    directory: str
    rules: tuple[DeviceRule, ...]

    def describe(self) -> str:
        return (
            f"Say which devices may be used: bpf(BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE, "
            f"{len(assemble(self.rules))} instructions from {len(self.rules)} rules), "
            f'bpf(BPF_PROG_ATTACH, "{self.directory}", BPF_CGROUP_DEVICE)'
        )

    def execute(self) -> None:
        program = bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, assemble(self.rules), "devices")
        try:
            directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                bpf.attach(program, directory, bpf.CGROUP_DEVICE, bpf.F_ALLOW_MULTI)
            except OSError as error:
                raise OSError(error.errno, error.strerror, self.directory) from error
            finally:
                os.close(directory)
        finally:
            os.close(program)
