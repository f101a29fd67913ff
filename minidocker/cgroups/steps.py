"""The steps that make a container's cgroup: each one a system call or two.

A limit that was written is read back, because a cgroup file may round, clamp,
or take a number and do nothing with it (``memory.kmem.limit_in_bytes`` since
Linux 5.16): ``kept`` says what counts as the same.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import ClassVar

from minidocker.cgroups import files
from minidocker.cgroups.machine import parse_list
from minidocker.errors import InvalidParameter
from minidocker.linux.plan import Step

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")

# The largest limit that the kernel can count to (PAGE_COUNTER_MAX pages): v1
# prints it for "unlimited", v2 prints "max".
UNLIMITED = (2**63 - 1) // PAGE_SIZE * PAGE_SIZE

SIZES = {
    *("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"),
    *("memory.max", "memory.swap.max", "memory.low", "memory.high"),
}


class CgroupStep(Step):
    chapter: ClassVar[str] = "cgroups"


def levels(path: str) -> list[str]:
    """``"a/b/c"`` -> ``["a", "a/b", "a/b/c"]``."""
    parts = path.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def clean_path(path: str) -> str:
    """A cgroup path relative to the hierarchy's root, without slashes at its ends.

    Raises ``InvalidParameter`` for one that names the root itself or leads
    out of it.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise InvalidParameter(
            f"invalid cgroup path {path!r}: it must name a cgroup below the root of the tree"
        )
    return "/".join(parts)


@dataclass(frozen=True)
class MakeCgroup(CgroupStep):
    """Make the cgroup ``directory``, and those above it that are missing.

    It is new when the step is done: what a crashed engine left under the name
    is removed first, with its old limits and device program.  One that still
    has processes stays, and the step fails with EBUSY.
    """

    directory: str

    def describe(self) -> str:
        return f'Make a cgroup: mkdir("{self.directory}")'

    def execute(self) -> None:
        for _ in range(10):
            try:
                os.makedirs(self.directory, mode=0o755)
                return
            except FileExistsError:
                files.remove_tree(self.directory)
            except FileNotFoundError:
                continue  # somebody tidied the empty parent away between the two mkdirs
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), self.directory)


@dataclass(frozen=True)
class InheritCpuset(CgroupStep):
    """Give each level of ``path`` the CPUs and memory nodes of the one above, if it has none.

    A v1 cpuset is born with neither, and takes no process until it has both
    (cgroup-v1/cpusets.rst).
    """

    root: str
    path: str

    def describe(self) -> str:
        return (
            f'Copy cpuset.cpus and cpuset.mems from each cgroup to the one below: "{self.root}", '
            f'"{self.path}"'
        )

    def execute(self) -> None:
        for name in ("cpuset.cpus", "cpuset.mems"):
            inherited = files.read(f"{self.root}/{name}")
            for level in levels(self.path):
                file = f"{self.root}/{level}/{name}"
                own = files.read(file)
                if not own.strip():
                    files.write(file, inherited.strip())
                    own = inherited
                inherited = own


@dataclass(frozen=True)
class EnableControllers(CgroupStep):
    """Let the cgroups below ``directory`` have these controllers (v2).

    A controller reaches a cgroup only if every ancestor passes it on.
    """

    directory: str
    controllers: tuple[str, ...]

    @property
    def value(self) -> str:
        return " ".join(f"+{controller}" for controller in self.controllers)

    def describe(self) -> str:
        return (
            "Pass the controllers on to the cgroups below: "
            f'write("{self.directory}/cgroup.subtree_control", "{self.value}")'
        )

    def execute(self) -> None:
        file = f"{self.directory}/cgroup.subtree_control"
        try:
            files.write(file, self.value)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            inside = files.read_if_there(f"{self.directory}/cgroup.procs").split()
            raise OSError(
                errno.EBUSY,
                "a cgroup that has processes of its own cannot pass controllers on "
                f"(processes: {', '.join(inside)}); move them to a cgroup below it first",
                file,
            ) from error


@dataclass(frozen=True)
class MoveToLeaf(CgroupStep):
    """Move the processes of ``directory`` itself into ``leaf``, a cgroup below it (v2).

    Only leaves may hold processes once controllers are passed on.  Nothing to
    do where there are no processes, as at the second container.
    """

    directory: str
    leaf: str

    def describe(self) -> str:
        return (
            "Only leaves of the cgroup tree may hold processes: move those in "
            f'"{self.directory}" to "{self.leaf}" by writing each to its cgroup.procs'
        )

    def execute(self) -> None:
        for _ in range(10):  # again, for those that were forked while we moved their parents
            pids = files.read(f"{self.directory}/cgroup.procs").split()
            if not pids:
                return
            os.makedirs(self.leaf, exist_ok=True)
            for pid in pids:
                try:
                    files.write(f"{self.leaf}/cgroup.procs", pid)
                except ProcessLookupError:
                    continue  # it has ended


@dataclass(frozen=True)
class WriteCgroupFile(CgroupStep):
    """Write one limit, and read it back.

    Raises ``OSError`` with EINVAL and the path when the kernel took the value
    and kept another.
    """

    file: str
    value: str

    def describe(self) -> str:
        return f'Set a limit and read it back: write("{self.file}", "{self.value}")'

    def execute(self) -> None:
        files.write(self.file, self.value)
        text = files.read(self.file)
        if not kept(os.path.basename(self.file), self.value, text):
            raise OSError(
                errno.EINVAL,
                f"the kernel did not keep {self.value!r}, it has {text.strip()!r}",
                self.file,
            )


def kept(name: str, asked: str, text: str) -> bool:
    """Whether ``text``, read from the cgroup file ``name``, means that it kept ``asked``.

    ``asked`` is one value as written, e.g. "6291556", "max", "0-1" or "8:0 rbps=1048576".
    Equal numbers are the same; beyond that: memory is counted in whole pages
    and rounded down, "-1" and "max" are the largest number there is, a list of
    CPUs has many spellings, and files with a line a device show all of them.
    """
    asked, lines = asked.strip(), [line.strip() for line in text.strip().splitlines()]
    first, _, rest = asked.partition(" ")
    if ":" in first:  # MAJOR:MINOR, then what was asked of that device
        mine = [line.split()[1:] for line in lines if line.split()[0] == first]
        return any(set(rest.split()) <= set(words) for words in mine)
    if name == "memory.oom_control":
        return f"oom_kill_disable {asked}" in lines
    if name in ("cpuset.cpus", "cpuset.mems"):
        return parse_list(asked) == parse_list("".join(lines))
    if name in SIZES:
        return _bytes(asked) // PAGE_SIZE == _bytes("".join(lines)) // PAGE_SIZE
    if name in ("io.weight", "io.bfq.weight"):  # "default 100", and a line a device
        return bool(lines) and lines[0].split()[-1] == asked.split()[-1]
    return asked.split() == " ".join(lines).split()


def _bytes(text: str) -> int:
    """A size as memory files write it; everything beyond what can be counted is the same."""
    return UNLIMITED if text in ("max", "-1") else min(int(text), UNLIMITED)
