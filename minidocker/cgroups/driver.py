"""What both versions of cgroups do for a container: two small protocols.

``Driver`` makes a group; ``Cgroup`` is one that was made.  ``v1.py`` and
``v2.py`` implement them, and the suite in tests/cgroups (test_contract_life.py,
test_contract_limits.py) says what they promise.

Kernel failures stay ``OSError`` with errno and path.  All methods block, and
all but ``freeze``, ``kill`` and ``remove`` for microseconds only; those three
wait for the kernel, up to ten seconds where a process cannot be stopped, so an
event loop calls them in a thread.
"""

from __future__ import annotations

from typing import Protocol

from minidocker.cgroups.machine import Machine
from minidocker.cgroups.resources import Resources
from minidocker.cgroups.stats import Stats
from minidocker.linux.plan import Step


class Driver(Protocol):
    """Makes cgroups.  ``name``: "v1" or "v2", as ``docker info`` shows it.

    Paths are relative to the top of each tree: ``minidocker/<container id>``.
    """

    @property
    def name(self) -> str: ...

    def machine(self) -> Machine:
        """What limits this machine can keep: the second argument of ``validate``."""

    def plan(self, path: str, resources: Resources) -> list[Step]:
        """The steps that make the cgroup ``path`` with these limits, ready for its first process.

        ``resources`` come from ``validate``.  Nothing is made before the steps
        are performed; parents are made as needed.  If a step fails, what the
        ones before it made is removed by ``open(path).remove()``.  Raises
        ``InvalidParameter`` for a path outside the tree and for device rules
        that make no sense, ``Refused`` for those that this version cannot express.
        """

    def open(self, path: str) -> Cgroup:
        """The cgroup at ``path``, whether it exists or not; costs nothing."""

    def tidy(self, parent: str = "minidocker") -> None:
        """Remove the cgroup ``parent`` if nobody is in it or below it; else leave it."""


class Cgroup(Protocol):
    """One container's group, in all trees that are mounted."""

    def procs_files(self) -> list[str]:
        """The files into which a process writes "0", itself, to be in the group.

        It must have one thread: v1's ``tasks`` moves only the thread that writes.
        Order matters not; to leave one out is to be without that limit.
        """

    def pids(self) -> list[int]:
        """All its processes, also those in groups that the container made below; [] if gone."""

    def stats(self) -> Stats:
        """What it has used until now.  Raises ``FileNotFoundError`` if it is gone."""

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed for want of memory; 0 if it is gone.

        The count goes with the group: read it before ``remove``.
        """

    def freeze(self) -> None:
        """Stop all its processes where they are; returns when they have stopped.

        Idempotent.  Raises ``SystemFailure``, with the group thawed again, if
        one does not stop; ``FileNotFoundError`` if the group is gone.
        """

    def thaw(self) -> None:
        """Let them go on.  Idempotent; ``FileNotFoundError`` if the group is gone."""

    def kill(self) -> None:
        """SIGKILL to all its processes, frozen or not; returns when there are none.

        None of them can fork out of it.  Idempotent, also when it is gone; it
        is thawed afterwards.  Raises ``SystemFailure`` if one does not die.
        """

    def remove(self) -> None:
        """Remove it and the groups below it; idempotent.

        It must be empty or about to be: processes that were killed are waited
        for.  Raises ``OSError`` with EBUSY, and their pids, if some stay.
        """

    def update(self, resources: Resources) -> None:
        """Set the limits anew while it runs, each read back.

        ``resources``: the whole, from ``validate_update``.  Device rules are
        made once, by ``plan``, and stay.  Stops at the first file that the
        kernel refuses, with its ``OSError`` (EBUSY: memory in use that cannot
        be reclaimed); what was written before it stays written.
        """
