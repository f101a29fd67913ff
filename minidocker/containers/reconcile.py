"""After a daemon's end, whatever it was: make the records true again.

The monitors, their sockets and their exit files say what happened meanwhile; the
records say what was meant.  Nothing here assumes that the last daemon ended well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path

from minidocker.containers import state as life
from minidocker.containers.container import Container
from minidocker.containers.core import Core, Run
from minidocker.containers.ends import UNKNOWN_EXIT, read_exit
from minidocker.containers.lifecycle import Lifecycle
from minidocker.containers.link import Link
from minidocker.containers.restart import should_start_with_daemon
from minidocker.containers.start import remove_run_directory
from minidocker.errors import MinidockerError, SystemFailure
from minidocker.layers.trees import remove_tree

log = logging.getLogger(__name__)

GREETING = 5.0  # seconds that a monitor has to answer
LATE_MONITORS = 2.0  # seconds until one that was being forked as the last daemon died listens


async def reconcile(core: Core, lifecycle: Lifecycle) -> None:
    """Take over what runs, deal with what ended, finish what was begun, remove what is nobody's."""
    living = await monitors(core)
    running = {each.id for each in core.store.all() if each.state.running}
    await core.networking.reconcile(running | living.keys())
    for container in core.store.all():
        run = living.pop(container.id, None)
        try:
            await _settle(core, lifecycle, container, run)
        except (MinidockerError, OSError) as error:  # one must not keep the others
            log.error("container %s cannot be taken over: %s", container.id, error)
    for run in living.values():  # no record: its create was never answered
        run.signal(signal.SIGKILL)
        run.close()
    await asyncio.to_thread(remove_leftovers, core)


async def late_monitors(core: Core, lifecycle: Lifecycle) -> None:
    """The last daemon may have died between asking for a start and hearing of it."""
    await asyncio.sleep(LATE_MONITORS)
    for id, run in (await monitors(core)).items():
        container = core.store.now(id)
        if container is None:
            run.signal(signal.SIGKILL)
            run.close()
        elif id not in core.runs and not core.lock(id).locked():
            await _settle(core, lifecycle, container, run)
        else:
            run.close()


async def monitors(core: Core) -> dict[str, Run]:
    """Every monitor that answers, as the run of its container."""
    found = {}
    for socket in core.places.run.glob("containers/*/monitor.sock"):
        id = socket.parent.name
        if id in core.runs:
            continue
        run = await greet(id, socket)
        if run is not None:
            found[id] = run
    return found


async def greet(id: str, socket: Path) -> Run | None:
    """Connect to a monitor; None when nobody is there."""
    try:
        link = Link.connect(socket)
    except OSError:
        return None
    with contextlib.suppress(TimeoutError):
        received = await asyncio.wait_for(link.receive(), GREETING)
        if received is not None:
            greeting, fds = received
            return Run(id, greeting["pid"], fds[0], link)
    link.close()
    return None


async def _settle(core: Core, lifecycle: Lifecycle, container: Container, run: Run | None) -> None:
    status = container.state.status
    if status in (life.REMOVING, life.DEAD):
        await asyncio.to_thread(remove_tree, core.places.directory(container.id))
        lifecycle.forget(container)
        return
    if status in (life.RUNNING, life.PAUSED):
        run = run or orphan(core, container)
        if run is not None:
            await _take_over(core, lifecycle, container, run)
        else:
            await _ended_meanwhile(core, lifecycle, container)
        return
    if run is not None:  # it was started, and the daemon died before it wrote that down
        event = life.RETRY if status == life.RESTARTING else life.START
        lifecycle.has_started(container, event, run.pid, time.time_ns())
        lifecycle.watch(run)
    elif (found := read_exit(core, container.id)) and found[1] > container.state.finished_at:
        # It was started and has ended, and the daemon was there for neither.
        event = life.RETRY if status == life.RESTARTING else life.START
        lifecycle.has_started(container, event, 0, found[1])
        await _ended_meanwhile(core, lifecycle, core.store.get(container.id))
    elif status == life.RESTARTING:
        lifecycle.restart_later(container, 0)
    else:
        await _at_rest(core, lifecycle, container)


async def _take_over(core: Core, lifecycle: Lifecycle, container: Container, run: Run) -> None:
    cgroup = core.cgroup(container)
    if cgroup is not None:
        # Killed in the middle of a pause: the record decides.
        paused = container.state.paused
        with contextlib.suppress(OSError, SystemFailure):
            await asyncio.to_thread(cgroup.freeze if paused else cgroup.thaw)
    lifecycle.watch(run)
    try:
        await core.networking.resume(container, run.pidfd)
    except (MinidockerError, OSError) as error:
        log.error("container %s has no name service: %s", container.id, error)


def orphan(core: Core, container: Container) -> Run | None:
    """The container's first process, when its monitor was killed and it runs on."""
    cgroup, pid = core.cgroup(container), container.state.pid
    if cgroup is None or pid not in cgroup.pids():
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if pid not in cgroup.pids():  # the number was given to another meanwhile
        os.close(pidfd)
        return None
    return Run(container.id, pid, pidfd, None)


async def _ended_meanwhile(core: Core, lifecycle: Lifecycle, container: Container) -> None:
    """Its exit file tells; without one the machine itself was off."""
    found = read_exit(core, container.id)
    code, at = found or (UNKNOWN_EXIT, time.time_ns())
    run = Run(container.id, 0, -1, None)
    core.runs[container.id] = run
    await lifecycle.ended(run, code, at)
    after = core.store.now(container.id)
    if after is not None and after.state.status == life.EXITED:
        await _at_rest(core, lifecycle, after)


async def _at_rest(core: Core, lifecycle: Lifecycle, container: Container) -> None:
    """One that does not run: restart it if its policy says so, remove it if it was ``--rm``."""
    cgroup, state = core.cgroup(container), container.state
    if cgroup is not None:
        with contextlib.suppress(OSError, SystemFailure):
            await asyncio.to_thread(cgroup.remove)
    remove_run_directory(core, container.id)
    if not state.started_at:
        return
    if container.spec.auto_remove:
        await lifecycle.remove(container, force=False)
    elif should_start_with_daemon(
        container.spec.restart, state.exit_code, state.stopped_by_user, container.restart_count
    ):
        core.spawn(_start(lifecycle, container))


async def _start(lifecycle: Lifecycle, container: Container) -> None:
    try:
        await lifecycle.start(container)
    except MinidockerError as error:
        log.error("container %s cannot be started: %s", container.id, error)


def remove_leftovers(core: Core) -> None:
    """Directories without a record: a create or a removal that was cut short.  Blocks."""
    for directory in core.places.root.iterdir():
        if directory.name in core.store:
            continue
        with contextlib.suppress(OSError, SystemFailure):
            if core.cgroups is not None:
                core.cgroups.open(f"minidocker/{directory.name}").remove()
        _remove(directory)
    for directory in core.places.run.glob("containers/*"):
        # That of a container on record may be in use already: restart policies are at work.
        if directory.name not in core.store:
            _remove(directory)


def _remove(path: Path) -> None:
    """What cannot be removed must not keep the daemon from its work."""
    try:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()
    except OSError as error:
        log.warning("%s is nobody's and cannot be removed: %s", path, error)
