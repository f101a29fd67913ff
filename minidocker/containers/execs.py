"""Commands run inside a container that already runs (``docker exec``).

An exec has a monitor of its own, so that its streams too go past the daemon.  Known
execs are in memory only: they end with their container.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from minidocker.containers import state as life
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.exec_spec import Exec, ExecSpec
from minidocker.containers.launch import exec_request
from minidocker.containers.link import Client, Link
from minidocker.containers.names import new_id
from minidocker.errors import Conflict, MinidockerError, NotFound, StartFailed
from minidocker.linux.messages import Channel, connect_unix

__all__ = ["Exec", "ExecSpec", "Execs"]

KILLED = 137  # a monitor that was killed takes its process with it, by SIGKILL or SIGPIPE
REMEMBERED = 300.0  # seconds that an exec can be inspected after its end


@dataclass
class _Known:
    value: Exec
    link: Link | None = None
    pidfd: int = -1  # while it runs
    ended_at: float = 0.0


class Execs:
    """The event loop's thread owns it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, _Known] = {}
        core.when_forgotten.append(self.forget)

    def create(self, container: Container, spec: ExecSpec) -> str:
        """Raises ``Conflict`` unless it runs."""
        life.advance(container.state.status, life.EXEC, id=container.id, name=container.name)
        self._prune()
        made = Exec(new_id(), container.id, spec)
        self._known[made.id] = _Known(made)
        self._publish(container, f"exec_create: {shown(spec)}", made.id)
        return made.id

    def get(self, exec_id: str) -> Exec:
        """Raises ``NotFound``."""
        known = self._find(exec_id)
        # Who saw the end of the stream may ask before the loop has heard of the end itself.
        for message in known.link.heard() if known.link else ():
            self._told(known, message)
        return known.value

    def check(self, exec_id: str) -> Exec:
        """Raises ``NotFound``, ``Conflict``: what can be said before its streams are given away."""
        found = self._find(exec_id).value
        if found.running:
            raise Conflict(f"exec {exec_id} is already running")
        if found.started:
            raise Conflict(f"exec {exec_id} has already run")
        container = self._core.store.now(found.container_id)
        if container is None:
            raise NotFound(f"No such container: {found.container_id}")
        life.advance(container.state.status, life.EXEC, id=container.id, name=container.name)
        return found

    async def start(
        self, exec_id: str, client: Client | None, console_size: tuple[int, int] = (0, 0)
    ) -> None:
        """Returns when its program runs.

        Raises as ``check``, and ``StartFailed``; the client's descriptor is still the
        caller's then.
        """
        found = self.check(exec_id)
        known = self._known[exec_id]
        if any(console_size):
            spec = replace(found.spec, console_size=console_size)
            found = replace(found, spec=spec)
        container = self._core.store.get(found.container_id)
        known.value = replace(found, started=True)
        try:
            link, pid, pidfd = await self._launch(container, found, client)
        except MinidockerError as error:
            # 125 is for the container itself; dockerd says 126 of an exec.
            code = error.exit_code if isinstance(error, StartFailed) else 126
            known.value = replace(known.value, exit_code=max(code, 126))
            known.ended_at = time.monotonic()
            raise
        if client is not None:
            client.close()
        known.link, known.pidfd = link, pidfd
        known.value = replace(known.value, running=True, pid=pid)
        self._publish(container, f"exec_start: {shown(found.spec)}", exec_id)
        self._core.spawn(self._watch(known, link))

    async def _launch(
        self, container: Container, found: Exec, client: Client | None
    ) -> tuple[Link, int, int]:
        """The link to its monitor, its process's pid and pidfd."""
        core = self._core
        await core.launcher.needed()
        run, cgroup = core.running(container), core.cgroup(container)
        procs = cgroup.procs_files() if cgroup else ()
        request = exec_request(container, found.id, found.spec, core.host, core.places, procs)
        request["clients"] = [client.to_message()] if client else []
        fds = [run.pidfd] + ([client.fd] if client else [])
        try:
            channel = Channel(connect_unix(str(core.places.launcher)))
            channel.send(request, fds)
        except OSError as error:
            raise StartFailed(
                f"the launcher cannot be asked: {error}; restart the daemon"
            ) from error
        link = Link(channel.sock)
        try:
            received = await link.receive()
            if received is None:
                raise StartFailed("the monitor of the exec ended while it started it")
            event, got = received
            if event["event"] == "failed":
                raise StartFailed(event["message"], event["exit_code"])
        except BaseException:  # also when this task is cancelled
            link.close()
            raise
        return link, event["pid"], got[0]

    def kill(self, exec_id: str) -> None:
        """SIGKILL to its process; nothing happens when it has ended."""
        known = self._known.get(exec_id)
        if known is not None and known.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(known.pidfd, signal.SIGKILL)

    async def _watch(self, known: _Known, link: Link) -> None:
        try:
            while (received := await link.receive()) is not None:
                self._told(known, received[0])
                if not known.value.running:
                    break
        finally:
            link.close()
            os.close(known.pidfd)
            known.link, known.pidfd = None, -1
        self._told(known, {"event": "exited", "code": KILLED})

    def _told(self, known: _Known, message: Mapping[str, Any]) -> None:
        """One message of its monitor; its end is dealt with once."""
        if message["event"] != "exited" or not known.value.running:
            return
        code = message["code"]
        known.value = replace(known.value, running=False, exit_code=code, pid=0)
        known.ended_at = time.monotonic()
        container = self._core.store.now(known.value.container_id)
        if container is not None:
            self._publish(container, "exec_die", known.value.id, exitCode=str(code))

    def resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Raises ``NotFound``, ``Conflict`` when it does not run."""
        known = self._find(exec_id)
        if known.link is None:
            raise Conflict(f"exec {exec_id} is not running")
        self._core.spawn(known.link.resize(rows, columns))

    def of(self, container_id: str) -> list[str]:
        """The IDs of a container's execs that run or wait to run."""
        return [
            each.value.id
            for each in self._known.values()
            if each.value.container_id == container_id and each.value.exit_code is None
        ]

    def forget(self, container_id: str) -> None:
        """Its container was removed."""
        for id in [
            id for id, each in self._known.items() if each.value.container_id == container_id
        ]:
            del self._known[id]

    def _find(self, exec_id: str) -> _Known:
        known = self._known.get(exec_id)
        if known is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return known

    def _prune(self) -> None:
        limit = time.monotonic() - REMEMBERED
        for id in [id for id, each in self._known.items() if 0 < each.ended_at < limit]:
            del self._known[id]

    def _publish(self, container: Container, action: str, exec_id: str, **more: str) -> None:
        with contextlib.suppress(MinidockerError):
            self._core.publish(container, action, execID=exec_id, **more)


def shown(spec: ExecSpec) -> str:
    """The command as events have it: program, a space, arguments (also when there are none)."""
    program, *arguments = spec.command
    return f"{program} {' '.join(arguments)}"
