"""The leak guard: what a kernel test left on the machine, by name.

``Machine.look()`` takes a picture before a test and ``Machine.leaks(after)``
names what is new in the second one.  Other test runs, and a user's own
engines, may share the machine; so a thing counts only when this process could
have made it:

- mounts, files and sockets of ours: under this run's temporary folder, or
  naming the default roots ``/run/minidocker`` and ``/var/lib/minidocker``;
- processes: descendants of this process, or with a path of this run's
  temporary folder (or a mark that an engine fixture registered) on their
  command line: a monitor that was adopted by PID 1 is still found by it;
- cgroups: below one named ``minidocker*``, unless somebody else's processes
  live there;
- veth interfaces, named network namespaces, nft tables, and the descriptors
  of this process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from minidocker.networks.network import own_names
from tests.support.netns import interfaces

DEFAULT_ROOTS = ("/run/minidocker", "/var/lib/minidocker")
CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """The things a container engine can leave behind, as sets of names."""

    mounts: frozenset[str]
    cgroups: frozenset[str]
    veths: frozenset[str]
    netns: frozenset[str]
    tables: frozenset[str]
    processes: frozenset[str]
    descriptors: frozenset[str]
    files: frozenset[str]

    @classmethod
    def look(cls, marks: Iterable[str]) -> Machine:
        """``marks``: paths that only this run uses; what names them is this run's."""
        marks = tuple(marks)
        ours = processes(marks)
        return cls(
            mounts=mounts((*marks, *DEFAULT_ROOTS)),
            cgroups=cgroups(ours),
            veths=veths(),
            netns=listing("/run/netns"),
            tables=nft_tables(ours.values()),
            processes=frozenset(f"{pid} {line}" for pid, line in ours.items()),
            descriptors=descriptors(),
            files=frozenset().union(*(listing(root) for root in DEFAULT_ROOTS)),
        )

    def leaks(self, after: Machine) -> list[str]:
        """One line for each thing that ``after`` has and this does not."""
        return [
            f"{field.name}: {name}"
            for field in fields(self)
            for name in sorted(getattr(after, field.name) - getattr(self, field.name))
        ]


def settle(
    before: Machine, look: Callable[[], Machine], *, patience: float = 3.0, step: float = 0.02
) -> list[str]:
    """The leaks that stay for ``patience`` seconds.

    A killed process is gone only when it is reaped, a veth dies some
    milliseconds after its namespace, a cgroup after its last zombie: the guard
    looks again until nothing is left, and waits only when something is.  What
    comes and goes meanwhile is another run's, so a leak must be in every look.
    """
    deadline = time.monotonic() + patience
    leaks = before.leaks(look())
    while leaks and time.monotonic() < deadline:
        time.sleep(step)
        still = set(before.leaks(look()))
        leaks = [leak for leak in leaks if leak in still]
    return leaks


def mounts(marks: tuple[str, ...]) -> frozenset[str]:
    """Mount points in the host's table whose line names one of ``marks`` (proc(5), mountinfo)."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return frozenset(
        f"{line.split()[4]} ({line.partition(' - ')[2]})"
        for line in lines
        if any(mark in line for mark in marks)
    )


def cgroups(ours: dict[int, str]) -> frozenset[str]:
    """Cgroups below ``minidocker*`` in every hierarchy that are empty or hold a process of ours."""
    hierarchies = [CGROUP_ROOT, *(path for path in children(CGROUP_ROOT) if path.is_dir())]
    tops = [top for one in hierarchies for top in one.glob("minidocker*") if top.is_dir()]
    below = {folder for top in tops for folder, _, _ in os.walk(top)} - {str(top) for top in tops}
    found = set()
    for folder in below:
        try:
            pids = {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
        except OSError:
            continue  # removed while we looked
        if not pids or pids & ours.keys():
            found.add(folder)
    return frozenset(found)


def veths() -> frozenset[str]:
    """Ends of cables in this network namespace."""
    return frozenset(
        name for name in interfaces() if not name.startswith(("lo", "br-", "mini", "docker0"))
    )


def nft_tables(living: Iterable[str]) -> frozenset[str]:
    """The nftables tables whose name begins with ``minidocker``, and whose daemon has ended.

    ``living``: command lines.  A daemon keeps its table as long as it has a bridge.
    """
    roots = [line.partition("--data-root ")[2].partition(" ")[0] for line in living]
    known = {own_names(root)[1] for root in roots if root}
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None or os.geteuid() != 0:
        return frozenset()
    answer = subprocess.run([nft, "-j", "list", "tables"], capture_output=True, check=False)
    if answer.returncode != 0:
        return frozenset()
    tables = [item["table"] for item in json.loads(answer.stdout)["nftables"] if "table" in item]
    return frozenset(
        f"{table['family']} {table['name']}"
        for table in tables
        if table["name"].startswith("minidocker") and table["name"] not in known
    )


def processes(marks: tuple[str, ...]) -> dict[int, str]:
    """Descendants of this process, and whatever has one of ``marks`` on its command line."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            # The name in parentheses may hold spaces: the fields begin after the last ")".
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        parents[pid] = int(stat[1])
        lines[pid] = line.strip() or f"[{stat[0]}]"  # a zombie has no command line, only a state

    def descends(pid: int) -> bool:
        while pid := parents.get(pid, 0):
            if pid == os.getpid():
                return True
        return False

    return {
        pid: line[:200]
        for pid, line in lines.items()
        if pid != os.getpid() and (descends(pid) or any(mark in line for mark in marks))
    }


def descriptors() -> frozenset[str]:
    """This process's open descriptors, each as ``number -> what``."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{entry} -> {os.readlink(f'/proc/self/fd/{entry}')}")
        except OSError:
            continue  # the one that listed the folder
    return frozenset(found)


def listing(folder: str) -> frozenset[str]:
    """The names in a folder, as paths; none when it does not exist."""
    return frozenset(str(path) for path in children(Path(folder)))


def children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
