"""Everything one can do with containers: the front door of this package.

The daemon's handlers call ``Containers`` and nothing else here.  What a method
does in detail lives next door: ``lifecycle`` (start, stop, remove), ``execs``,
``health``, ``logs``, ``reconcile``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidocker.cgroups.driver import Driver
from minidocker.cgroups.stats import Stats
from minidocker.containers.container import Container
from minidocker.containers.events import EventBus
from minidocker.containers.execs import Exec, ExecSpec
from minidocker.containers.link import Client
from minidocker.containers.logs import LogLine
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.waits import Waiter
from minidocker.images.store import Image
from minidocker.layers.snapshot import Snapshots


@dataclass(frozen=True)
class Places:
    """Where things are.  ``root``: <data-root>/containers; ``run``: <exec-root>."""

    root: Path
    run: Path

    @property
    def launcher(self) -> Path:
        return self.run / "launcher.sock"


class Containers:
    """The containers of one daemon.

    Wherever a ``ref`` is taken it may be a name, an ID or an unambiguous prefix
    of one.  Every method raises ``NotFound`` ("No such container: X") for one that
    names nothing, and what ``state.TRANSITIONS`` refuses as ``Conflict`` or
    ``NotModified``.  All of it runs in the event loop's thread.
    """

    def __init__(
        self,
        *,
        places: Places,
        db: sqlite3.Connection,
        snapshots: Snapshots,
        cgroups: Driver | None,
        events: EventBus,
    ) -> None:
        raise NotImplementedError

    async def reconcile(self) -> None:
        """Take over what still runs, notice what ended, clear what is nobody's.

        Call once, after the launcher listens and before the first request.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        raise NotImplementedError

    # -- records

    def create(
        self, spec: ContainerSpec, name: str | None, image: Image, platform: str = ""
    ) -> Container:
        """A new container, not started.  ``name`` None: a random one.

        Everything that can be refused is refused here: the merged command, the name,
        capabilities, mounts, limits, modes.  Raises ``InvalidParameter``, ``Refused``,
        ``Conflict`` (name taken), ``NotFound`` (a container or network it refers to).
        """
        raise NotImplementedError

    def warnings(self, spec: ContainerSpec) -> list[str]:
        """What create should warn about: limits this kernel cannot keep."""
        raise NotImplementedError

    def plan(self, spec: ContainerSpec, image: Image) -> list[dict[str, str]]:
        """The steps of a start, and nothing is made: {"process", "text", "chapter"} each."""
        raise NotImplementedError

    def get(self, ref: str) -> Container:
        """The container as it is now (a frozen value: ask again for news)."""
        raise NotImplementedError

    def list(self) -> list[Container]:
        """All of them, newest first."""
        raise NotImplementedError

    def using_image(self, image_id: str) -> list[Container]:
        """The containers made from this image (for ``rmi``)."""
        raise NotImplementedError

    def rename(self, ref: str, name: str) -> None:
        """Another name.  Raises ``Conflict`` when taken, ``InvalidParameter`` when malformed."""
        raise NotImplementedError

    def directory(self, ref: str) -> Path:
        """<data-root>/containers/<id>: hostname, hosts, resolv.conf, upper/, logs."""
        raise NotImplementedError

    def log_path(self, ref: str) -> Path | None:
        """Its log file, or None with log driver ``none``."""
        raise NotImplementedError

    # -- life

    async def start(self, ref: str) -> None:
        """Run it.  Raises ``StartFailed`` (nothing is left then but the reason in its state)."""
        raise NotImplementedError

    async def stop(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        """Stop signal, ``timeout`` seconds of grace (None: the container's own; -1: no end), KILL."""
        raise NotImplementedError

    async def kill(self, ref: str, signal: str = "KILL") -> None:
        """Send a signal: "KILL", "SIGKILL" or "9".  With KILL, returns when it is dead."""
        raise NotImplementedError

    async def restart(
        self, ref: str, timeout: int | None = None, signal: str | None = None
    ) -> None:
        """Stop (if it runs) and start."""
        raise NotImplementedError

    async def pause(self, ref: str) -> None:
        """Freeze every process, by the cgroup freezer."""
        raise NotImplementedError

    async def unpause(self, ref: str) -> None:
        raise NotImplementedError

    async def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Forget it and delete its files; with ``force`` kill it first.

        ``volumes``: its anonymous volumes too (there are none yet).
        """
        raise NotImplementedError

    def wait(self, ref: str, condition: str = "not-running") -> Waiter:
        """Register a waiter, at once; await it for a ``WaitResult(exit_code, error)``.

        ``condition``: "not-running" (or ""), "next-exit", "removed"; else ``InvalidParameter``.
        Call ``.cancel()`` on a waiter that nobody will await.
        """
        raise NotImplementedError

    # -- inside

    def attach(self, ref: str, client: Client) -> None:
        """Connect a client to its streams; before the start it is kept and misses nothing.

        On return the client's descriptor is ours (duplicated to the monitor, closed here);
        when this raises it is still the caller's.
        """
        raise NotImplementedError

    def resize(self, ref: str, rows: int, columns: int) -> None:
        """Tell the terminal its size."""
        raise NotImplementedError

    async def top(self, ref: str, ps_args: str = "-ef") -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the host's ``ps``, the container's processes only."""
        raise NotImplementedError

    def stats(self, ref: str) -> Stats | None:
        """What its cgroup says now; None when it does not run."""
        raise NotImplementedError

    def pids(self, ref: str) -> list[int]:
        """The host's numbers of its processes; empty when it does not run."""
        raise NotImplementedError

    def logs(
        self,
        ref: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since_ns: int = 0,
        until_ns: int | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> AsyncIterator[LogLine]:
        """Its log; with ``follow``, until it has stopped and all is read.

        Raises (at once, not at the first line) ``InvalidParameter`` with log driver ``none``.
        """
        raise NotImplementedError

    def trace(self, ref: str) -> list[dict[str, Any]]:
        """What the last start did, step by step, with times; also of one just removed.

        [{"process", "pid", "began_ns", "took_ns", "text", "chapter"}], in order.
        """
        raise NotImplementedError

    # -- execs

    def exec_create(self, ref: str, spec: ExecSpec) -> str:
        """Register a command to run inside; its ID.  Raises ``Conflict`` unless running."""
        raise NotImplementedError

    async def exec_start(
        self, exec_id: str, client: Client | None = None, console_size: tuple[int, int] = (0, 0)
    ) -> None:
        """Run it; returns when its program runs.  ``client`` None: detached.

        Raises ``NotFound`` ("No such exec instance: X"), ``Conflict``, ``StartFailed`` (the exec
        then counts as ended with 126 or 127; the client's descriptor is still the caller's,
        who may write the message into it).
        """
        raise NotImplementedError

    def exec_check(self, exec_id: str) -> Exec:
        """The exec, if it may be started: for a 404 or 409 before the connection is hijacked."""
        raise NotImplementedError

    def exec_inspect(self, exec_id: str) -> Exec:
        raise NotImplementedError

    def exec_resize(self, exec_id: str, rows: int, columns: int) -> None:
        raise NotImplementedError

    def execs_of(self, ref: str) -> list[str]:
        """IDs of its execs that run or wait to run."""
        raise NotImplementedError
