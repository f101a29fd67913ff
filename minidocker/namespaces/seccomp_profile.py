"""Docker's seccomp profile, compiled to the BPF program that the kernel runs.

The profile is a JSON list of rules, some of which hold only with a
capability, on an architecture, or from a kernel version on.  libseccomp turns
the rules that remain into a program of a few hundred instructions.  That takes
milliseconds, so the daemon does it once a profile; the container's process
loads the finished bytes (``seccomp.py``).
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

_ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "amd64"),
    "aarch64": ("SCMP_ARCH_AARCH64", "arm64"),
    "armv7l": ("SCMP_ARCH_ARM", "arm"),
    "ppc64le": ("SCMP_ARCH_PPC64LE", "ppc64le"),
    "s390x": ("SCMP_ARCH_S390X", "s390x"),
    "riscv64": ("SCMP_ARCH_RISCV64", "riscv64"),
}
_COMPARE = {
    "SCMP_CMP_NE": "NE",
    "SCMP_CMP_LT": "LT",
    "SCMP_CMP_LE": "LE",
    "SCMP_CMP_EQ": "EQ",
    "SCMP_CMP_GE": "GE",
    "SCMP_CMP_GT": "GT",
    "SCMP_CMP_MASKED_EQ": "MASKED_EQ",
}


def default_profile() -> dict[str, Any]:
    """Docker's default profile."""
    text = (Path(__file__).parent / "seccomp_default.json").read_text()
    profile: dict[str, Any] = json.loads(text)
    return profile


def applicable(
    rule: Mapping[str, Any],
    capabilities: Collection[str],
    goarch: str,
    kernel: tuple[int, int],
) -> bool:
    """Whether a rule of the profile holds here.

    ``includes`` must all be met (capabilities, one of the architectures, a minimum
    kernel), ``excludes`` must not be met at all.  ``capabilities`` is the bounding
    set, ``goarch`` Docker's name of the architecture ("amd64").
    """
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if any(cap in capabilities for cap in excludes.get("caps") or ()):
        return False
    if goarch in (excludes.get("arches") or ()):
        return False
    if excludes.get("minKernel") and kernel >= _version(excludes["minKernel"]):
        return False
    if not all(cap in capabilities for cap in includes.get("caps") or ()):
        return False
    if includes.get("arches") and goarch not in includes["arches"]:
        return False
    return not (includes.get("minKernel") and kernel < _version(includes["minKernel"]))


def _version(text: str) -> tuple[int, int]:
    """``"6.1-rc3"`` is (6, 1), as is ``"6.1.0-18-amd64"``."""
    found = re.match(r"([0-9]+)\.([0-9]+)", text)
    if found is None:
        raise ValueError(f'"{text}" is no version of a kernel: write it as 4.8')
    return int(found[1]), int(found[2])


def compile_profile(
    profile: Mapping[str, Any], capabilities: Iterable[str], machine: str | None = None
) -> bytes:
    """The profile as a BPF program (an array of ``struct sock_filter``).

    ``capabilities``: the container's bounding set, which widens the default
    profile (CAP_SYS_ADMIN allows ``mount``, ...).  Unknown system calls are passed
    over: a profile is written for many kernels.  Raises ``ValueError`` for a profile
    that cannot be understood, and ``OSError`` where libseccomp is missing.
    """
    try:
        return _compile(profile, set(capabilities), machine or platform.machine())
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the profile is not of its form: {error}") from error


def _compile(profile: Mapping[str, Any], held: Collection[str], machine: str) -> bytes:
    import pyseccomp

    architecture, goarch = _ARCHITECTURES.get(machine, ("SCMP_ARCH_NATIVE", machine))
    kernel = _version(os.uname().release)
    default = _action(
        pyseccomp, profile.get("defaultAction", ""), profile.get("defaultErrnoRet", errno.EPERM)
    )
    program = pyseccomp.SyscallFilter(default)
    for name in _sub_architectures(profile, architecture):
        program.add_arch(getattr(pyseccomp.Arch, name.removeprefix("SCMP_ARCH_")))
    for rule in profile.get("syscalls") or ():
        if applicable(rule, held, goarch, kernel):
            _add(pyseccomp, program, rule, default)
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _sub_architectures(profile: Mapping[str, Any], architecture: str) -> list[str]:
    for entry in profile.get("archMap") or ():
        if entry["architecture"] == architecture:
            return list(entry.get("subArchitectures") or ())
    return [name for name in profile.get("architectures") or () if name != architecture]


def _action(pyseccomp: Any, name: str, number: int | None) -> Any:
    if name == "SCMP_ACT_ERRNO":
        return pyseccomp.ERRNO(errno.EPERM if number is None else number)
    if name == "SCMP_ACT_TRACE":
        return pyseccomp.TRACE(number or 0)
    known = {
        "SCMP_ACT_ALLOW": "ALLOW",
        "SCMP_ACT_KILL": "KILL",
        "SCMP_ACT_KILL_THREAD": "KILL",
        "SCMP_ACT_KILL_PROCESS": "KILL_PROCESS",
        "SCMP_ACT_TRAP": "TRAP",
        "SCMP_ACT_LOG": "LOG",
    }
    if name not in known:
        raise ValueError(f'unknown seccomp action "{name}"')
    return getattr(pyseccomp, known[name])


def _add(pyseccomp: Any, program: Any, rule: Mapping[str, Any], default: Any) -> None:
    action = _action(pyseccomp, rule.get("action", ""), rule.get("errnoRet"))
    if action == default:  # libseccomp refuses a rule that says what is so anyway
        return
    arguments = [_argument(pyseccomp, each) for each in rule.get("args") or ()]
    choices = [arguments]
    if len({each["index"] for each in rule.get("args") or ()}) < len(arguments):
        # Of one argument twice, libseccomp takes no rule; runc makes a rule of each comparison.
        choices = [[each] for each in arguments]
    for name in rule.get("names") or [rule["name"]]:
        number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
        if number == -1:  # __NR_SCMP_ERROR: this libseccomp has never heard of it
            continue
        for choice in choices:
            try:
                program.add_rule(action, name, *choice)
            except OSError as error:
                if error.errno == errno.EEXIST:
                    raise ValueError(f"two rules contradict each other on {name}") from error
                # Not on this architecture, or its arguments cannot be compared there.
                if error.errno not in (errno.EDOM, errno.EINVAL, errno.EFAULT):
                    raise


def _argument(pyseccomp: Any, each: Mapping[str, Any]) -> Any:
    if each.get("op") not in _COMPARE:
        raise ValueError(f'unknown seccomp comparison "{each.get("op")}"')
    if not 0 <= each["index"] < 6:
        raise ValueError(f"a system call has no argument {each['index']}: they are 0 to 5")
    first, second = each["value"], each.get("valueTwo") or 0
    if not (0 <= first < 1 << 64 and 0 <= second < 1 << 64):
        raise ValueError(f"{first} and {second} do not fit in the 64 bits of an argument")
    operator = getattr(pyseccomp, _COMPARE[each["op"]])
    if each["op"] != "SCMP_CMP_MASKED_EQ":
        second = 0
    return pyseccomp.Arg(each["index"], operator, first, second)
