"""Everything one can do with containers: the front door of this package.

The daemon's handlers call ``Containers`` and nothing else here.  What a method
does in detail lives next door: ``settle`` (create), ``lifecycle`` (start, stop,
remove), ``execs``, ``health``, ``logs``, ``reconcile``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from minidocker.cgroups.driver import Driver
from minidocker.cgroups.resources import Resources
from minidocker.cgroups.stats import Stats
from minidocker.containers import state as life
from minidocker.containers.archive import Archives
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.creating import dry_run, make_files
from minidocker.containers.events import EventBus
from minidocker.containers.execs import Exec, Execs, ExecSpec
from minidocker.containers.filesystem import ContainerFiles
from minidocker.containers.health import HealthChecks
from minidocker.containers.launch import Places, seccomp
from minidocker.containers.lifecycle import Lifecycle
from minidocker.containers.link import Client
from minidocker.containers.logs import LogLine, Wish, read_log
from minidocker.containers.merge import command_line
from minidocker.containers.names import new_id
from minidocker.containers.network_changes import connect, disconnect
from minidocker.containers.network_spec import Attachment
from minidocker.containers.networking import Networking
from minidocker.containers.reconcile import late_monitors, reconcile
from minidocker.containers.security import Security, effective_capabilities
from minidocker.containers.settle import Settled, settle
from minidocker.containers.spec import ContainerSpec, RestartPolicy
from minidocker.containers.store import ContainerStore
from minidocker.containers.top import parse_ps, run_ps
from minidocker.containers.update import update
from minidocker.containers.waits import Waiter, parse_condition
from minidocker.containers.warm import WarmLauncher
from minidocker.errors import SystemFailure, Unimplemented
from minidocker.images.store import Image
from minidocker.layers.snapshot import Snapshots
from minidocker.layers.trees import remove_tree
from minidocker.namespaces.trace import read_trace
from minidocker.networks.endpoints import EndpointStore
from minidocker.networks.firewall import Firewall
from minidocker.networks.network import Network, own_names
from minidocker.networks.store import NetworkStore

__all__ = ["Containers", "Places"]


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
        launcher: WarmLauncher | None = None,
    ) -> None:
        store = ContainerStore(db)
        bridge, table = own_names(str(places.root.parent))
        self.networking = Networking(
            NetworkStore(db), EndpointStore(db), Firewall(table), events, places, bridge, store
        )
        places.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        places.rootfs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._core = Core(
            places,
            store,
            snapshots,
            cgroups,
            events,
            launcher or WarmLauncher(places.run),
            self.networking,
        )
        self.files = ContainerFiles(self._core)
        self.archives = Archives(self._core)
        self._execs = Execs(self._core)
        self._health = HealthChecks(self._core, self._execs)
        self._lifecycle = Lifecycle(self._core, self._health)

    async def reconcile(self) -> None:
        """Take over what still runs, notice what ended, clear what is nobody's.

        Call once, after the launcher listens and before the first request.
        """
        await reconcile(self._core, self._lifecycle)
        self._core.spawn(late_monitors(self._core, self._lifecycle))
        self._core.spawn(self._warm_up())

    async def close(self) -> None:
        """Stop watching; the containers run on."""
        await self.networking.close()
        await self._core.close()

    # -- records

    def create(
        self, spec: ContainerSpec, name: str | None, image: Image, platform: str = ""
    ) -> Container:
        """A new container, not started.  ``name`` None: a random one.

        Everything that can be refused is refused here: the merged command, the name,
        capabilities, mounts, limits, modes.  Raises ``InvalidParameter``, ``Refused``,
        ``Conflict`` (name taken), ``NotFound`` (a container or network it refers to).
        """
        core = self._core
        settled = self._settle(spec, image)
        container = Container(
            id=new_id(),
            name=core.store.free_name(name),
            spec=settled.spec,
            image_id=image.id,
            diff_ids=image.config.diff_ids,
            platform=image.config.os,
            created_ns=time.time_ns(),
            args=command_line(settled.spec),
        )
        try:
            make_files(core, container, settled.modes)
            core.store.add(container)
        except BaseException:
            # Whatever it was: a container is made whole or not at all.
            remove_tree(core.places.directory(container.id))
            raise
        core.publish(container, "create")
        return container

    def warnings(self, spec: ContainerSpec, image: Image) -> list[str]:
        """What create should warn about: limits this kernel cannot keep."""
        return list(self._settle(spec, image).warnings)

    def plan(self, spec: ContainerSpec, image: Image) -> list[dict[str, str]]:
        """The steps of a start, and nothing is made: {"process", "text", "chapter"} each."""
        return dry_run(self._core, self._settle(spec, image), image)

    def get(self, ref: str) -> Container:
        """The container as it is now (a frozen value: ask again for news)."""
        return self._core.store.get(ref)

    def all(self) -> list[Container]:
        """All of them, newest first."""
        return self._core.store.all()

    def using_image(self, image_id: str) -> list[Container]:
        """The containers made from this image (for ``rmi``)."""
        return [each for each in self._core.store.all() if each.image_id == image_id]

    def rename(self, ref: str, name: str) -> None:
        """Another name.  Raises ``Conflict`` when taken, ``InvalidParameter`` when malformed."""
        container = self.get(ref)
        old = container.name
        renamed = self._core.store.rename(container, name)
        self.networking.naming.renamed(renamed)
        self._core.publish(renamed, "rename", oldName=f"/{old}")

    async def update(
        self, ref: str, change: Resources, restart: RestartPolicy | None
    ) -> tuple[str, ...]:
        """Other limits and another restart policy; warnings.  See ``update.update``."""
        return await self._core.finish(update(self._core, self.get(ref), change, restart))

    def directory(self, ref: str) -> Path:
        """<data-root>/containers/<id>: hostname, hosts, resolv.conf, upper/, logs."""
        return self._core.places.directory(self.get(ref).id)

    def log_path(self, ref: str) -> Path | None:
        """Its log file; None with another driver than json-file, whose file is its own affair."""
        container = self.get(ref)
        is_public = container.spec.log.driver == "json-file"
        return self._core.places.log(container.id) if is_public else None

    # -- life

    async def start(self, ref: str) -> None:
        """Run it.  Raises ``StartFailed`` (nothing is left then but the reason in its state)."""
        await self._core.finish(self._lifecycle.start(self.get(ref)))

    async def stop(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        """Stop signal, ``timeout`` seconds of grace (None: its own; -1: no end), KILL."""
        await self._core.finish(self._lifecycle.stop(self.get(ref), timeout, signal))

    async def kill(self, ref: str, signal: str = "KILL") -> None:
        """Send a signal: "KILL", "SIGKILL" or "9".  With KILL, returns when it is dead."""
        await self._core.finish(self._lifecycle.kill(self.get(ref), signal))

    async def restart(
        self, ref: str, timeout: int | None = None, signal: str | None = None
    ) -> None:
        """Stop (if it runs) and start."""
        container = self.get(ref)
        await self._core.finish(self._lifecycle.restart(container, timeout, signal))

    async def pause(self, ref: str) -> None:
        """Freeze every process, by the cgroup freezer."""
        await self._core.finish(self._lifecycle.pause(self.get(ref)))

    async def unpause(self, ref: str) -> None:
        """Let them go on."""
        await self._core.finish(self._lifecycle.unpause(self.get(ref)))

    async def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Forget it and delete its files; with ``force`` kill it first.

        ``volumes``: its anonymous volumes too (there are none yet).
        """
        container = self.get(ref)
        await self._core.finish(self._lifecycle.remove(container, force))
        self._execs.forget(container.id)

    def wait(self, ref: str, condition: str = "not-running") -> Waiter:
        """Register a waiter, at once; await it for a ``WaitResult(exit_code, error)``.

        ``condition``: "not-running" (or ""), "next-exit", "removed"; else ``InvalidParameter``.
        Call ``.cancel()`` on a waiter that nobody will await.
        """
        container = self.get(ref)
        state = container.state
        running = state.running
        return self._core.waits.register(
            container.id, parse_condition(condition), running, state.exit_code
        )

    # -- inside

    def attach(self, ref: str, client: Client) -> None:
        """Connect a client to its streams; before the start it is kept and misses nothing.

        On return the client's descriptor is ours (duplicated to the monitor, closed here);
        when this raises it is still the caller's.
        """
        container = self.get(ref)
        status = container.state.status
        life.advance(status, life.ATTACH, id=container.id, name=container.name)
        run = self._core.runs.get(container.id)
        if run is None or status != life.RUNNING:
            self._core.arriving.setdefault(container.id, []).append(client)
            self._core.publish(container, "attach")
            return
        if run.link is None:
            raise SystemFailure(
                f"the monitor of container {container.id} was killed, and its streams are gone "
                "with it: restart the container"
            )
        self._core.publish(container, "attach")
        self._core.spawn(self._core.hand_over(container.id, client))

    def resize(self, ref: str, rows: int, columns: int) -> None:
        """Tell the terminal its size."""
        container = self.get(ref)
        life.advance(container.state.status, life.RESIZE, id=container.id, name=container.name)
        run = self._core.running(container)
        if run.link is not None:
            self._core.spawn(run.link.resize(rows, columns))
        self._core.publish(container, "resize", height=str(rows), width=str(columns))

    async def top(self, ref: str, ps_args: str = "-ef") -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the host's ``ps``, the container's processes only."""
        container = self.get(ref)
        life.advance(container.state.status, life.TOP, id=container.id, name=container.name)
        text = await run_ps(ps_args)
        found = parse_ps(text, set(self.pids(container.id)))
        self._core.publish(container, "top")
        return found

    def stats(self, ref: str) -> Stats | None:
        """What its cgroup says now; None when it does not run."""
        container = self.get(ref)
        cgroup = self._core.cgroup(container)
        if cgroup is None or container.id not in self._core.runs:
            return None
        try:
            return cgroup.stats()
        except FileNotFoundError:  # it has just ended
            return None

    def pids(self, ref: str) -> list[int]:
        """The host's numbers of its processes; empty when it does not run."""
        container = self.get(ref)
        run, cgroup = self._core.runs.get(container.id), self._core.cgroup(container)
        if run is None:
            return []
        return cgroup.pids() if cgroup else [run.pid]

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
    ) -> AsyncIterator[list[LogLine]]:
        """Its log, some lines at a time; with ``follow``, until it has stopped and all is read.

        Raises (at once, not at the first line) ``Unimplemented`` with log driver ``none``.
        """
        container = self.get(ref)
        if container.spec.log.driver == "none":
            raise Unimplemented("configured logging driver does not support reading")
        run = self._core.runs.get(container.id)
        return read_log(
            self._core.places.log(container.id),
            Wish(stdout, stderr, since_ns, until_ns, tail),
            run.ended if run and follow else None,
            lambda: run is not None and not run.ended.is_set(),
        )

    def trace(self, ref: str) -> list[dict[str, Any]]:
        """What the last start did, step by step, with times; also of one just removed.

        [{"process", "pid", "began_ns", "took_ns", "text", "chapter"}], in order; a step
        that failed has its "error" too.
        """
        id = self._core.trace_id(ref)
        if id in self._core.old_traces:
            own, text = self._core.old_traces[id]
        else:
            own, text = self._core.daemon_traces.get(id, []), b""
            with contextlib.suppress(FileNotFoundError):
                text = self._core.places.trace(id).read_bytes()
        return [*own, *read_trace(text)]

    # -- execs

    def exec_create(self, ref: str, spec: ExecSpec) -> str:
        """Register a command to run inside; its ID.  Raises ``Conflict`` unless running."""
        return self._execs.create(self.get(ref), spec)

    async def exec_start(
        self, exec_id: str, client: Client | None = None, console_size: tuple[int, int] = (0, 0)
    ) -> None:
        """Run it; returns when its program runs.  ``client`` None: detached.

        Raises ``NotFound`` ("No such exec instance: X"), ``Conflict``, ``StartFailed`` (the exec
        then counts as ended with 126 or 127; the client's descriptor is still the caller's,
        who may write the message into it).
        """
        await self._core.finish(self._execs.start(exec_id, client, console_size))

    def exec_check(self, exec_id: str) -> Exec:
        """The exec, if it may be started: for a 404 or 409 before the connection is hijacked."""
        return self._execs.check(exec_id)

    def exec_inspect(self, exec_id: str) -> Exec:
        """How it stands.  Raises ``NotFound``."""
        return self._execs.get(exec_id)

    def exec_resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Tell its terminal the size.  Raises ``NotFound``, ``Conflict`` when it does not run."""
        self._execs.resize(exec_id, rows, columns)

    def execs_of(self, ref: str) -> list[str]:
        """IDs of its execs that run or wait to run."""
        return self._execs.of(self.get(ref).id)

    # -- networks

    async def connect(self, ref: str, attachment: Attachment) -> None:
        """Put it into one more network.  See ``network_changes.connect``."""
        await self._core.finish(connect(self._core, self.get(ref), attachment))

    async def disconnect(self, ref: str, network: Network, force: bool = False) -> None:
        """Take it out of a network.  See ``network_changes.disconnect``."""
        await self._core.finish(disconnect(self._core, self.get(ref), network, force))

    # -- within

    def _settle(self, spec: ContainerSpec, image: Image) -> Settled:
        core = self._core
        find = self.networking.networks.get
        return settle(spec, image.config.config, core.host, core.machine, self.get, find)

    async def _warm_up(self) -> None:
        """The first start should not wait for what all starts need: the default filter."""
        held = effective_capabilities((), (), False, self._core.host.capabilities)
        await asyncio.to_thread(seccomp, ContainerSpec(), Security(), held)
