"""Start, stop, kill, pause, remove; and what happens when a container ends.

Who wants a state changed asks ``state.TRANSITIONS``.  One task a running container
listens to its monitor; ``ended`` is the one place where an end is dealt with, be it
seen now or found out after the daemon was away.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import signal as signals
import time

from minidocker.containers import state as life
from minidocker.containers.check import parse_signal
from minidocker.containers.container import Container
from minidocker.containers.core import Core, Run
from minidocker.containers.ends import UNKNOWN_EXIT, ended_within, read_exit, until_dead
from minidocker.containers.freezing import freeze_or_thaw
from minidocker.containers.health import HealthChecks, unwatched
from minidocker.containers.launch import own_pid_namespace
from minidocker.containers.merge import DEFAULT_STOP_SIGNAL, DEFAULT_STOP_TIMEOUT
from minidocker.containers.restart import Ended, next_delay, should_restart
from minidocker.containers.start import launch, remove_run_directory
from minidocker.containers.waits import WaitResult
from minidocker.errors import (
    Conflict,
    MinidockerError,
    NotFound,
    NotModified,
    StartFailed,
    SystemFailure,
)
from minidocker.layers.trees import remove_tree

log = logging.getLogger(__name__)

SURE_DEATH = 10.0  # seconds that a process may take to die of SIGKILL (disk waits)
LAUNCHERS_PATIENCE = 2.0  # seconds, for the exit code of a container whose monitor was killed


class Lifecycle:
    """All methods belong to the event loop's thread."""

    def __init__(self, core: Core, health: HealthChecks) -> None:
        self._core = core
        self._health = health
        self._delays: dict[str, float] = {}  # the last back-off before a restart, seconds
        self._restarts: dict[str, asyncio.Task[None]] = {}
        self._kept: set[str] = set()  # being restarted: their end is no reason to remove them

    # Start

    async def start(self, container: Container) -> None:
        """Raises ``StartFailed``, ``NotModified``, ``Conflict``."""
        async with self._core.lock(container.id):
            self._core.store.get(container.id).moved(life.START)  # refused, it changes nothing
            self._cancel_restart(container.id)
            self._delays.pop(container.id, None)
            await self._start(container.id, life.START)

    async def _start(self, id: str, event: str) -> None:
        core = self._core
        container = core.store.get(id)
        container.moved(event)  # refuse before anything is made
        if (before := core.runs.get(id)) is not None:
            await before.ended.wait()
        try:
            run = await launch(core, container)
        except MinidockerError as error:
            await self._start_failed(core.store.get(id), error)
            raise
        container = core.store.get(id)  # perhaps it was renamed meanwhile
        self.has_started(container, event, run.pid, time.time_ns())
        core.publish(container, "start")
        self.watch(run)
        for client in core.arriving.pop(id, ()):  # they came while it was being started
            core.spawn(core.hand_over(id, client))

    def has_started(self, container: Container, event: str, pid: int, at: int) -> None:
        """Write it down.  ``event``: START or RETRY; ``at``: Unix nanoseconds."""
        count = container.restart_count + 1 if event == life.RETRY else 0
        container = dataclasses.replace(container, restart_count=count)
        self._core.store.save(
            container.moved(
                event,
                pid=pid,
                exit_code=0,
                error="",
                oom_killed=False,
                stopped_by_user=False,
                started_at=at,
                health=self._health.first(container),
            )
        )

    async def _start_failed(self, container: Container, error: MinidockerError) -> None:
        code = error.exit_code if isinstance(error, StartFailed) else 128
        failed = container.moved(life.START_FAILED, exit_code=code, error=error.message)
        self._core.store.save(failed)
        for client in self._core.arriving.pop(container.id, ()):
            client.close()
        if container.state.restarting:
            self._core.waits.exited(container.id, WaitResult(code, error.message))
        if container.spec.auto_remove:
            with contextlib.suppress(MinidockerError):
                await self._delete(container.id)

    # While it runs

    def watch(self, run: Run) -> None:
        """Listen to its monitor until it ends."""
        self._core.runs[run.id] = run
        self._health.begin(run)
        self._core.spawn(self._watch(run))

    async def _watch(self, run: Run) -> None:
        while run.link is not None:
            received = await run.link.receive()
            if received is None:  # the monitor was killed; the container may well run on
                run.link.close()
                run.link = None
                break
            event, _ = received
            if event["event"] == "exited":
                await self.ended(run, event["code"], event["at"])
                return
            if event["event"] == "detached":
                self._core.publish(self._core.store.get(run.id), "detach")
        await until_dead(run.pidfd)
        code, at = await self._exit_file(run.id)
        await self.ended(run, code, at)

    async def _exit_file(self, id: str) -> tuple[int, int]:
        """The launcher writes it in place of a monitor that was killed."""
        deadline = time.monotonic() + LAUNCHERS_PATIENCE
        while (found := read_exit(self._core, id)) is None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return found or (UNKNOWN_EXIT, time.time_ns())

    # The end

    async def ended(self, run: Run, code: int, at: int) -> None:
        """Write it down, tell everyone, give back what it had; then restart or remove."""
        core = self._core
        self._health.stop(run.id)
        container = core.store.get(run.id)
        cgroup = core.cgroup(container)
        killed_for_memory = bool(cgroup and cgroup.oom_kills())
        at = max(at, container.state.started_at)  # a very short run ends before we hear it began
        lasted = at - container.state.started_at
        by_user = run.stopped_by_user or container.state.stopped_by_user
        again = should_restart(
            container.spec.restart,
            Ended(code, lasted / 1e9, by_user),
            container.restart_count,
        )
        container = core.store.save(
            container.moved(
                life.BACK_OFF if again else life.DIE,
                pid=0,
                exit_code=code,
                oom_killed=killed_for_memory,
                finished_at=at,
                stopped_by_user=by_user,
                health=unwatched(container.state.health),
            )
        )
        if killed_for_memory:
            core.publish(container, "oom")
        core.publish(container, "die", exitCode=str(code), execDuration=str(lasted // 10**9))
        core.waits.exited(container.id, WaitResult(code))
        await self._give_back(container)
        core.runs.pop(run.id, None)
        run.close()
        run.ended.set()
        if again:
            if core.store.get(run.id).state.restarting:  # else it was called off meanwhile
                self.restart_later(container, lasted / 1e9)
        elif container.spec.auto_remove and container.id not in self._kept:
            with contextlib.suppress(MinidockerError):  # it is in the container's state then
                await self.remove(container, force=False)

    async def _give_back(self, container: Container) -> None:
        """Its cgroup, with what still runs in it, and its run directory."""
        cgroup = self._core.cgroup(container)
        if cgroup is not None:

            def clear() -> None:
                if not own_pid_namespace(container.spec):
                    cgroup.kill()
                try:
                    cgroup.remove()
                except OSError:  # something came in from outside
                    cgroup.kill()
                    cgroup.remove()

            try:
                await asyncio.to_thread(clear)
            except (OSError, SystemFailure) as error:
                log.warning("the cgroup of container %s stays: %s", container.id, error)
        await self._core.networking.unplug(container)
        remove_run_directory(self._core, container.id)

    # Restart policy

    def restart_later(self, container: Container, lasted: float) -> None:
        """Start it again after Docker's back-off.  ``lasted``: seconds it ran."""
        delay = next_delay(self._delays.get(container.id, 0), lasted)
        self._delays[container.id] = delay
        self._restarts[container.id] = self._core.spawn(self._restart_after(container.id, delay))

    async def _restart_after(self, id: str, delay: float) -> None:
        await asyncio.sleep(delay)
        async with self._core.lock(id):
            container = self._core.store.now(id)
            self._restarts.pop(id, None)
            if container is None or container.state.status != life.RESTARTING:
                return
            try:
                await self._start(id, life.RETRY)
            except MinidockerError as error:
                log.error("container %s cannot be started again: %s", id, error)

    def _cancel_restart(self, id: str) -> None:
        task = self._restarts.pop(id, None)
        if task is not None:
            task.cancel()

    async def _call_off(self, container: Container, event: str) -> bool:
        """Between two runs there is only the next start to stop; whether that was the case."""
        if container.state.status != life.RESTARTING:
            return False
        self._cancel_restart(container.id)
        async with self._core.lock(container.id):  # a start that has begun is waited for
            container = self._core.store.get(container.id)
            if container.state.status != life.RESTARTING:
                return False
            self._cancel_restart(container.id)
            self._core.store.save(container.moved(event, stopped_by_user=True))
            self._core.waits.exited(container.id, WaitResult(container.state.exit_code))
            return True

    # Stop

    async def stop(self, container: Container, timeout: int | None, signal: str | None) -> None:
        """``timeout`` in seconds; None: the container's own; negative: wait for ever."""
        container = self._core.store.get(container.id)
        container.moved(life.STOP)
        if not await self._call_off(container, life.STOP):
            number = parse_signal(signal or container.spec.stop_signal or DEFAULT_STOP_SIGNAL)
            if timeout is None:
                timeout = container.spec.stop_timeout
            if timeout is None:
                timeout = DEFAULT_STOP_TIMEOUT
            self._core.store.get(container.id).moved(life.STOP)  # it may have ended by itself
            run = self._core.running(container)
            self._stopped_by_user(run)
            await self._signal(run, number)
            if not await ended_within(run, None if timeout < 0 else timeout):
                await self._kill(run)
        self._core.publish(container, "stop")

    async def restart(self, container: Container, timeout: int | None, signal: str | None) -> None:
        """Stop it if it runs, and start it; one with ``--rm`` is not removed in between."""
        self._kept.add(container.id)
        try:
            if container.state.running:
                with contextlib.suppress(NotModified):  # it ended by itself a moment ago
                    await self.stop(container, timeout, signal)
            await self.start(self._core.store.get(container.id))
        finally:
            self._kept.discard(container.id)
        self._core.publish(self._core.store.get(container.id), "restart")

    async def kill(self, container: Container, signal: str) -> None:
        """A signal to its first process; after SIGKILL, returns when it is dead."""
        number = parse_signal(signal)
        container = self._core.store.get(container.id)
        container.moved(life.KILL)
        if await self._call_off(container, life.KILL):
            return
        run = self._core.running(container)
        own = container.spec.stop_signal
        if number == signals.SIGKILL:
            await self._kill(run)
            return
        if not own or number == parse_signal(own):
            self._stopped_by_user(run)
        await self._signal(run, number)

    async def _kill(self, run: Run) -> None:
        self._stopped_by_user(run)
        await self._signal(run, signals.SIGKILL)
        if not await ended_within(run, SURE_DEATH):
            raise SystemFailure(
                f"container {run.id} PID {run.pid} does not die of SIGKILL: it waits for "
                "the kernel, most often for a disk or a network file system"
            )

    async def _signal(self, run: Run, number: int) -> None:
        run.signal(number)
        container = self._core.store.get(run.id)
        self._core.publish(container, "kill", signal=str(number))
        if container.state.paused and run.stopped_by_user:
            with contextlib.suppress(Conflict, NotFound):  # it died of it
                await self.unpause(container)  # a frozen process cannot act on a signal

    def _stopped_by_user(self, run: Run) -> None:
        """Written down at once: a daemon that is killed now must not restart it."""
        run.stopped_by_user = True
        container = self._core.store.get(run.id)
        state = dataclasses.replace(container.state, stopped_by_user=True)
        self._core.store.save(dataclasses.replace(container, state=state))

    # Pause

    async def pause(self, container: Container) -> None:
        """Raises ``Conflict``, ``SystemFailure``."""
        await freeze_or_thaw(self._core, container, life.PAUSE)
        self._health.stop(container.id)
        container = self._core.store.get(container.id)
        health = unwatched(container.state.health)
        self._core.store.save(container.moved(life.PAUSE, health=health))
        self._core.publish(container, "pause")

    async def unpause(self, container: Container) -> None:
        """Raises ``Conflict``, ``SystemFailure``."""
        await freeze_or_thaw(self._core, container, life.UNPAUSE)
        container = self._core.store.get(container.id)
        if life.may(container.state.status, life.UNPAUSE):  # it may have died of a signal
            self._core.store.save(container.moved(life.UNPAUSE))
            self._health.begin(self._core.running(container))
        self._core.publish(container, "unpause")

    # Remove

    async def remove(self, container: Container, force: bool) -> None:
        """Raises ``Conflict`` when it runs, unless ``force``; ``SystemFailure``."""
        core, id = self._core, container.id
        if not force:
            core.store.get(id).moved(life.REMOVE)
        while True:
            if force:
                await self._put_an_end_to(id)
            async with core.lock(id):  # also a start that has begun is waited for
                now = core.store.now(id)
                if now is None:
                    return
                if force and now.state.running:
                    continue
                now.moved(life.REMOVE)
                if (run := core.runs.get(id)) is not None:
                    await run.ended.wait()
                self._cancel_restart(id)
                await self._delete(id)
                return

    async def _put_an_end_to(self, id: str) -> None:
        """Kill it if it runs, call its next start off if it is between two runs."""
        container = self._core.store.now(id)
        if container is None or not container.state.running:
            return
        if await self._call_off(container, life.KILL):
            return
        if (run := self._core.runs.get(id)) is not None:
            await self._kill(run)
            return
        # It could not be taken over, and nobody watches it.
        if (cgroup := self._core.cgroup(container)) is not None:
            await asyncio.to_thread(cgroup.kill)
        await self.ended(Run(id, 0, -1, None), UNKNOWN_EXIT, time.time_ns())

    async def _delete(self, id: str) -> None:
        core = self._core
        core.store.save(core.store.get(id).moved(life.REMOVE))
        core.keep_trace(id)
        try:
            await asyncio.to_thread(remove_tree, core.places.directory(id))
        except OSError as error:
            reason = f"unable to remove filesystem for {id}: {error}"
            core.store.save(core.store.get(id).moved(life.REMOVE_FAILED, error=reason))
            raise SystemFailure(reason) from error
        self.forget(core.store.get(id))

    def forget(self, container: Container) -> None:
        """Its files are gone: now the record goes too."""
        core = self._core
        core.store.delete(container.id)
        core.forget(container.id)
        self._delays.pop(container.id, None)
        core.publish(container, "destroy")
        core.waits.removed(container.id, WaitResult(container.state.exit_code))
