"""Stopping all of a cgroup's processes: for a while (freeze), or for good (kill).

A process that forks faster than we can read ``cgroup.procs`` must not get
away.  v2 has one file for it, ``cgroup.kill`` (Linux 5.14); everywhere else
the group is frozen first, so that nobody can fork, then each process gets its
SIGKILL, which it dies of when the group is thawed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

from minidocker.cgroups import files, stats
from minidocker.cgroups.waiting import wait_until
from minidocker.errors import SystemFailure

# The kernel freezes in microseconds, unless a process is in an uninterruptible
# sleep (a dead NFS server, a broken disk): then nobody can stop it.
FREEZE_SECONDS = 5.0
KILL_SECONDS = 10.0


def freeze_v2(directory: str) -> None:
    files.write(f"{directory}/cgroup.freeze", "1")
    if not wait_until(lambda: event(directory, "frozen") == 1, FREEZE_SECONDS):
        files.write(f"{directory}/cgroup.freeze", "0")
        raise _cannot("freeze", directory)


def thaw_v2(directory: str) -> None:
    files.write(f"{directory}/cgroup.freeze", "0")
    if not wait_until(lambda: event(directory, "frozen") == 0, FREEZE_SECONDS):
        raise _cannot("thaw", directory)


def event(directory: str, key: str) -> int:
    """ "frozen" or "populated" in a v2 cgroup's ``cgroup.events``; 0 when the cgroup is gone."""
    return stats.flat_keyed(files.read_if_there(f"{directory}/cgroup.events")).get(key, 0)


def freeze_v1(directory: str) -> None:
    """FROZEN is a wish: FREEZING is read back until the last process has stopped.

    A process that forks meanwhile can make the kernel miss the new one, so the
    wish is repeated at each look (freezer-subsystem.rst).
    """

    def frozen() -> bool:
        files.write(f"{directory}/freezer.state", "FROZEN")
        return files.read(f"{directory}/freezer.state").strip() == "FROZEN"

    if not wait_until(frozen, FREEZE_SECONDS):
        thaw_v1(directory)
        raise _cannot("freeze", directory)


def thaw_v1(directory: str) -> None:
    files.write(f"{directory}/freezer.state", "THAWED")


def kill_v2(directory: str) -> None:
    """Kill everything in the tree below ``directory``, frozen or not; it ends thawed and empty."""
    if not os.path.isdir(directory):
        return
    try:
        files.write(f"{directory}/cgroup.kill", "1")
    except FileNotFoundError:  # Linux before 5.14
        kill_each(
            lambda: files.pids(directory),
            lambda: freeze_v2(directory),
            lambda: thaw_v2(directory),
        )
    with contextlib.suppress(FileNotFoundError):
        # cgroup.kill kills the frozen ones too, and leaves the group's wish to be frozen.
        files.write(f"{directory}/cgroup.freeze", "0")
    if not wait_until(lambda: event(directory, "populated") == 0, KILL_SECONDS):
        raise _cannot("kill", directory)


def kill_v1(directory: str) -> None:
    """As ``kill_v2``, for a directory of v1's freezer hierarchy."""
    if not os.path.isdir(directory):
        return
    kill_each(
        lambda: files.pids(directory),
        lambda: freeze_v1(directory),
        lambda: thaw_v1(directory),
    )
    if not wait_until(lambda: not files.pids(directory), KILL_SECONDS):
        raise _cannot("kill", directory)


def kill_each(
    pids: Callable[[], list[int]], freeze: Callable[[], None], thaw: Callable[[], None]
) -> None:
    """Freeze, send SIGKILL to each of ``pids()``, thaw.

    The list is read after the freezing: from then on nobody is born, nobody
    ends, and no pid can come to mean another process.
    """
    freeze()
    try:
        for pid in pids():
            with contextlib.suppress(ProcessLookupError):  # a zombie's pid, just reaped
                os.kill(pid, signal.SIGKILL)
    finally:
        thaw()


def _cannot(what: str, directory: str) -> SystemFailure:
    pids = ", ".join(map(str, files.pids(directory)))
    return SystemFailure(
        f"cannot {what} the cgroup {directory}: its processes {pids} do not react, "
        "probably they wait for a device or file server that does not answer (state D in ps)"
    )
