"""Is it well?  A command run inside at intervals, and what its answers make of the state.

A container without a health check costs nothing; one with a check has one task that
sleeps until the next is due.  ``judge`` is the rule, and pure.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import Callable
from typing import Final

from minidocker.containers.container import Container, Health, HealthResult
from minidocker.containers.core import Core, Run
from minidocker.containers.ends import is_dead
from minidocker.containers.execs import Execs, ExecSpec
from minidocker.containers.link import Client
from minidocker.containers.spec import HealthCheck
from minidocker.errors import MinidockerError

# Docker's defaults (moby daemon/health.go), in seconds.
INTERVAL: Final = 30.0
TIMEOUT: Final = 30.0
START_INTERVAL: Final = 5.0
RETRIES: Final = 3
KEPT_RESULTS: Final = 5
MAX_OUTPUT: Final = 4096
STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"


def judge(health: Health, result: HealthResult, check: HealthCheck, starting: bool) -> Health:
    """The health after one more ``result``; in the start period a failure does not count."""
    log = (*health.log, result)[-KEPT_RESULTS:]
    if result.exit_code == 0:
        return Health(HEALTHY, 0, log)
    if starting and health.status == STARTING:
        return Health(STARTING, health.failing_streak, log)
    streak = health.failing_streak + 1
    status = UNHEALTHY if streak >= (check.retries or RETRIES) else health.status
    return Health(status, streak, log)


def unwatched(health: Health | None) -> Health | None:
    """The health of one that is not checked any more: it counts as bad until it is well again
    (moby daemon/container/health.go, ``CloseMonitorChannel``)."""
    return health and dataclasses.replace(health, status=UNHEALTHY)


def wanted(check: HealthCheck | None) -> HealthCheck | None:
    """The check, if there is one and it is not ``NONE``."""
    return check if check is not None and check.test and check.test[0] != "NONE" else None


def command(check: HealthCheck, shell: tuple[str, ...]) -> tuple[str, ...]:
    """``CMD`` is run as it is, ``CMD-SHELL`` by the image's shell."""
    kind, *words = check.test
    return tuple(words) if kind == "CMD" else (*(shell or ("/bin/sh", "-c")), *words)


def pause(check: HealthCheck, starting: bool) -> float:
    """Seconds until the next check."""
    if starting and check.start_period:
        return seconds(check.start_interval, START_INTERVAL)
    return seconds(check.interval, INTERVAL)


def seconds(nanoseconds: int, default: float) -> float:
    return nanoseconds / 1e9 if nanoseconds else default


class HealthChecks:
    """One task for each running container that has a check."""

    def __init__(self, core: Core, execs: Execs) -> None:
        self._core, self._execs = core, execs
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @staticmethod
    def first(container: Container) -> Health | None:
        """The health of one that starts now; None where nothing is checked."""
        return Health(STARTING) if wanted(container.spec.health) else None

    def begin(self, run: Run) -> None:
        """Check from now on, if there is a check."""
        container = self._core.store.get(run.id)
        check = wanted(container.spec.health)
        if check is not None and not container.state.paused:
            self._tasks[run.id] = self._core.spawn(self._keep_checking(run, check))

    def stop(self, id: str) -> None:
        """It has ended, or is paused."""
        task = self._tasks.pop(id, None)
        if task is not None:
            task.cancel()

    async def _keep_checking(self, run: Run, check: HealthCheck) -> None:
        while True:
            container = self._core.store.get(run.id)
            age = (time.time_ns() - container.state.started_at) / 1e9
            starting = age < check.start_period / 1e9 and (
                container.state.health is None or container.state.health.status == STARTING
            )
            await asyncio.sleep(pause(check, starting))
            result = await self._probe(run, check)
            if is_dead(run.pidfd):
                return  # so is the check's program: its end says nothing
            self._record(run.id, result, check)

    def _record(self, id: str, result: HealthResult, check: HealthCheck) -> None:
        container = self._core.store.get(id)
        before = container.state.health or Health(STARTING)
        age = result.start - container.state.started_at
        after = judge(before, result, check, age < check.start_period)
        state = dataclasses.replace(container.state, health=after)
        self._core.store.keep(dataclasses.replace(container, state=state))
        if after.status != before.status:
            self._core.publish(container, f"health_status: {after.status}")

    async def _probe(self, run: Run, check: HealthCheck) -> HealthResult:
        """Run the command; -1 when it could not be run or took too long."""
        container = self._core.store.get(run.id)
        began = time.time_ns()
        limit = seconds(check.timeout, TIMEOUT)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        client = Client(theirs.detach(), stdin=False, framed=False)
        try:
            spec = ExecSpec(
                command(check, container.spec.shell), attach_stdout=True, attach_stderr=True
            )
            try:
                exec_id = self._execs.create(container, spec)
                await self._execs.start(exec_id, client)
            except BaseException:  # also when this task is cancelled
                client.close()
                raise
            code, output = await self._output(exec_id, ours, limit)
        except MinidockerError as error:
            code, output = -1, error.message
        finally:
            ours.close()
        return HealthResult(began, time.time_ns(), code, output)

    async def _output(self, exec_id: str, sock: socket.socket, limit: float) -> tuple[int, str]:
        loop, pieces = asyncio.get_running_loop(), bytearray()

        async def read_all() -> None:
            while data := await loop.sock_recv(sock, 65536):
                pieces.extend(data[: MAX_OUTPUT - len(pieces)])
            await until(lambda: not self._execs.get(exec_id).running)

        try:
            await asyncio.wait_for(read_all(), limit)
        except TimeoutError:
            self._execs.kill(exec_id)
            return -1, f"Health check exceeded timeout ({limit:g}s)"
        code = self._execs.get(exec_id).exit_code
        return -1 if code is None else code, pieces.decode(errors="replace")


async def until(done: Callable[[], bool]) -> None:
    """The monitor closes the stream a moment before it tells the exit code."""
    while not done():
        await asyncio.sleep(0.005)
