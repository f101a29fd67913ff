"""Starting a container: its cgroup, then a request to the launcher, then its answer.

Whatever fails, what was made until then is taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.containers.cables import has_names
from minidocker.containers.container import Container
from minidocker.containers.core import Core, Run
from minidocker.containers.files import hostname_of, write_files
from minidocker.containers.launch import AskLauncher, cgroup_path, container_request, limits
from minidocker.containers.link import Client, Link
from minidocker.containers.modes import parse_modes
from minidocker.containers.mounts import make_sources
from minidocker.containers.propagation import check_propagation
from minidocker.errors import Conflict, MinidockerError, StartFailed, SystemFailure
from minidocker.layers.snapshot import Snapshot
from minidocker.linux.messages import Channel, connect_unix
from minidocker.linux.plan import Step, StepFailed, perform, trace_entry
from minidocker.namespaces.plan import container_plan


def plan(core: Core, container: Container, snapshot: Snapshot) -> list[tuple[str, Step]]:
    """Every step of a start with the process that takes it, in order; nothing happens."""
    cgroup = core.cgroup(container)
    request = container_request(
        container, core.host, core.places, snapshot, cgroup.procs_files() if cgroup else ()
    )
    join = list(parse_modes(container.spec).joined)
    request["join"] = {kind: index for index, kind in enumerate(join)}
    own, request["network"] = core.networking.plan(container)
    if core.cgroups:
        own += core.cgroups.plan(cgroup_path(container), limits(container.spec))
    own.append(AskLauncher(str(core.places.launcher), len(join), lambda: None))
    return [("daemon", step) for step in own] + container_plan(
        request, range(3, 3 + len(join))
    ).steps()


async def launch(core: Core, container: Container) -> Run:
    """Run the container's first process.

    Clients that attached before are handed to its monitor.  Raises ``StartFailed``,
    ``Conflict`` (a container whose namespaces it shares does not run),
    ``InvalidParameter``; nothing is left then.
    """
    clients = core.arriving.pop(container.id, [])
    try:
        await core.launcher.needed()
        joined = _joined(core, container)
        make_sources(container.spec.mounts)
        check_propagation(container.spec.mounts)
        trace = core.daemon_traces[container.id] = []
        network = await core.networking.plug(container, _Steps(trace).done)
        if network:
            write_name_files(core, container)
        link = _ask(core, container, joined, clients, network)
    except OSError as error:
        await _take_back(core, container)
        raise StartFailed(f"cannot start container {container.id}: {error}") from error
    except MinidockerError:
        await _take_back(core, container)
        raise
    finally:
        for client in clients:
            client.close()  # the monitor has its own now
    return await _answer(core, container, link)


def _ask(
    core: Core,
    container: Container,
    joined: dict[str, int],
    clients: Sequence[Client],
    network: dict[str, Any],
) -> Link:
    """The daemon's own steps, each timed; the link to the new monitor."""
    places, cgroup = core.places, core.cgroup(container)
    snapshot = core.snapshots.get(container.id, container.diff_ids)
    places.exit_file(container.id).unlink(missing_ok=True)
    places.monitor(container.id).parent.mkdir(parents=True, exist_ok=True)
    places.monitor(container.id).unlink(missing_ok=True)
    request = container_request(
        container, core.host, places, snapshot, cgroup.procs_files() if cgroup else ()
    )
    request["join"] = {kind: index for index, kind in enumerate(joined)}
    request["clients"] = [client.to_message() for client in clients]
    request["network"] = network
    fds = [*joined.values(), *(client.fd for client in clients)]
    channels: list[Channel] = []

    def send() -> None:
        channels.append(Channel(connect_unix(str(places.launcher))))
        channels[0].send(request, fds)

    steps: list[Step] = []
    if core.cgroups:
        steps += core.cgroups.plan(cgroup_path(container), limits(container.spec))
    steps.append(AskLauncher(str(places.launcher), len(fds), send))
    steps_done = _Steps(core.daemon_traces[container.id])
    places.trace(container.id).unlink(missing_ok=True)
    try:
        perform(steps, steps_done.done)
    except StepFailed as failed:
        why = _explained(failed)
        steps_done.failed(failed, why)
        for channel in channels:
            channel.close()
        raise StartFailed(why) from failed
    return Link(channels[0].sock)


@dataclass(frozen=True)
class _Steps:
    """The daemon's own part of the trace."""

    trace: list[dict[str, Any]]

    def done(self, step: Step, began: int, took: int, error: str = "") -> None:
        self.trace.append(trace_entry("daemon", os.getpid(), step, began, took, error))

    def failed(self, failed: StepFailed, why: str) -> None:
        took = time.monotonic_ns() - failed.began_ns
        self.done(failed.step, failed.began_ns, took, why)


def write_name_files(core: Core, container: Container) -> None:
    """/etc/hosts and the like, with what its networks have given it.

    In place: a running container has them mounted.
    """
    cables = core.networking.cables(container)
    modes = parse_modes(container.spec)
    hostname = hostname_of(container.spec, modes, container.short_id, core.host.name)
    write_files(
        core.places.directory(container.id),
        container.spec,
        modes,
        hostname,
        core.host.files,
        core.networking.host_lines(container, hostname),
        gateway=core.networking.host_gateway(),
        named=has_names(cables),
    )


def _explained(failed: StepFailed) -> str:
    text = f"{failed.step.describe()}: {failed.error.strerror or failed.error}"
    if isinstance(failed.step, AskLauncher):
        text += "; the launcher has ended: restart the daemon"
    return text


def _joined(core: Core, container: Container) -> dict[str, int]:
    """The pidfds of the containers whose namespaces are shared."""
    found = {}
    for kind, id in parse_modes(container.spec).joined.items():
        partner = core.store.get(id)
        run = core.runs.get(partner.id)
        if run is None:
            shown = {"pid": "PID", "ipc": "IPC"}.get(kind, kind)
            raise Conflict(f"cannot join {shown} of a non running container: {partner.id}")
        found[kind] = run.pidfd
    return found


async def _answer(core: Core, container: Container, link: Link) -> Run:
    received = await link.receive()
    if received is None:
        await _take_back(core, container)
        link.close()
        raise StartFailed("the monitor of the container ended while it started it")
    event, fds = received
    if event["event"] == "failed":
        link.close()
        await _take_back(core, container)
        raise StartFailed(event["message"], event["exit_code"])
    pidfd, *sockets = fds
    await core.networking.plugged(container, pidfd, sockets)
    return Run(container.id, event["pid"], pidfd, link)


async def _take_back(core: Core, container: Container) -> None:
    cgroup = core.cgroup(container)
    if cgroup is not None:

        def clear() -> None:
            cgroup.kill()  # a monitor that was killed may have left its child
            cgroup.remove()

        with contextlib.suppress(OSError, SystemFailure):  # the next start makes it anew
            await asyncio.to_thread(clear)
    await core.networking.unplug(container)
    remove_run_directory(core, container.id)


def remove_run_directory(core: Core, id: str) -> None:
    """<exec-root>/containers/<id>, which holds the monitor's socket and nothing else."""
    shutil.rmtree(core.places.monitor(id).parent, ignore_errors=True)
