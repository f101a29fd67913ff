"""What a daemon finds that is started after another one was killed with -9."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minidocker.containers import state as life
from minidocker.containers.container import State
from tests.containers.home import Engine, Home, alive, kill, read_until
from tests.support.processes import monitor_of

pytestmark = pytest.mark.kernel
SLEEP = ("sleep", "1000")
CREATED = dataclasses.asdict(State())


class Killed:
    """A daemon in a process of its own, until it is killed."""

    def __init__(self, home: Home) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.containers.forgotten", str(home.data.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def start(
        self, *command: str, start: bool = True, then: tuple[str, ...] = (), **how: Any
    ) -> str:
        """The ID of a new container, once it runs and ``then`` was done with it."""
        order = {"command": command, "start": start, "then": then, "how": how}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        id = self.process.stdout.readline().strip()
        assert id, "the daemon ended by itself"
        return id

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def daemon(home: Home) -> Iterator[Killed]:
    daemon = Killed(home)
    yield daemon
    daemon.kill()
    home.tell(nothing)


async def nothing(engine: Engine) -> None:
    """The story in which only the clearing at its end matters."""


def test_what_ran_runs_on_and_is_taken_over(home: Home, daemon: Killed) -> None:
    id = daemon.start("sh", "-c", "echo one; while read x; do echo $x; done", open_stdin=True)
    daemon.kill()

    async def story(engine: Engine) -> None:
        state = engine.state(id)
        assert state.status == "running"
        assert alive(state.pid)
        assert (await engine.exec(id, "echo", "inside")) == (0, "inside\n")
        loop = asyncio.get_running_loop()
        with engine.attach(id, stdin=True) as ours:
            await loop.sock_sendall(ours, b"two\n")
            await read_until(ours, b"two\n")
        await engine.containers.pause(id)
        await engine.containers.unpause(id)
        await engine.containers.kill(id)
        assert engine.state(id).exit_code == 137
        assert await engine.log(id) == "one\ntwo\n"

    home.tell(story)


def test_the_exit_code_and_the_log_of_what_ended_meanwhile_are_there(
    home: Home, daemon: Killed, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    mount = {"kind": "bind", "source": str(gate), "target": "/gate"}
    id = daemon.start("sh", "-c", "echo up; read x < /gate; echo last; exit 6", mounts=[mount])
    pid = pid_of(home, id)
    daemon.kill()
    with deaths(pid, monitor_of(pid)):
        gate.write_text("go\n")

    async def story(engine: Engine) -> None:
        state = engine.state(id)
        assert (state.status, state.exit_code, state.pid) == ("exited", 6, 0)
        assert state.started_at < state.finished_at
        assert await engine.log(id) == "up\nlast\n"
        assert engine.left(id) == [str(engine.containers.directory(id))]

    home.tell(story)


def test_a_paused_one_stays_paused(home: Home, daemon: Killed) -> None:
    id = daemon.start(*SLEEP, then=("pause",))
    daemon.kill()

    async def story(engine: Engine) -> None:
        assert engine.state(id).status == "paused"
        await engine.containers.unpause(id)
        assert (await engine.exec(id, "true"))[0] == 0

    home.tell(story)


def test_what_is_removed_at_its_end_is_gone(home: Home, daemon: Killed) -> None:
    id = daemon.start(*SLEEP, auto_remove=True)
    created = daemon.start("true", start=False, auto_remove=True)
    pid = pid_of(home, id)
    daemon.kill()
    end(pid)

    async def story(engine: Engine) -> None:
        # What never ran has not ended.
        assert [each.id for each in engine.containers.all()] == [created]
        assert engine.left(id) == []

    home.tell(story)


@pytest.mark.parametrize(
    ("policy", "stopped", "again"),
    [
        ("no", False, False),
        ("always", False, True),
        ("always", True, True),
        ("unless-stopped", False, True),
        ("unless-stopped", True, False),
        ("on-failure", False, True),
        ("on-failure", True, False),
    ],
)
def test_the_restart_policy_holds_across_daemons(
    home: Home, daemon: Killed, policy: str, stopped: bool, again: bool
) -> None:
    then = ("kill",) if stopped else ()
    id = daemon.start(*SLEEP, restart={"name": policy}, then=then)
    pid = pid_of(home, id)
    daemon.kill()
    if not stopped:
        end(pid)

    async def story(engine: Engine) -> None:
        if again:
            with engine.bus.subscribe(lambda event: event.action == "start", 0) as starts:
                await starts.next()
            assert engine.state(id).status == "running"
        else:
            assert (engine.state(id).status, engine.state(id).exit_code) == ("exited", 137)
            assert not [event for event in engine.bus.past() if event.action == "start"]

    home.tell(story)


def test_a_container_survives_its_monitors_death_too(home: Home, daemon: Killed) -> None:
    id = daemon.start("sh", "-c", "trap 'exit 8' TERM; while :; do sleep 0.02; done")
    pid = pid_of(home, id)
    daemon.kill()
    with deaths(monitor_of(pid)):
        kill(monitor_of(pid))

    async def story(engine: Engine) -> None:
        assert engine.state(id).status == "running"
        await engine.containers.stop(id)
        assert engine.state(id).exit_code in (8, 137)

    home.tell(story)


def test_what_is_half_made_is_removed(home: Home, daemon: Killed) -> None:
    kept = daemon.start("true", start=False)
    daemon.kill()
    half = home.data / "containers" / ("0" * 64)
    (half / "upper" / "some").mkdir(parents=True)
    run = home.run / "containers" / ("1" * 64)
    run.mkdir()

    async def story(engine: Engine) -> None:
        assert not half.exists()
        assert not run.exists()
        assert engine.state(kept).status == "created"

    home.tell(story)


def test_a_removal_that_was_cut_short_is_finished(home: Home, daemon: Killed) -> None:
    id = daemon.start("true", start=False)
    daemon.kill()
    with home.records() as (_, _, db):
        removing = json.dumps({**CREATED, "status": life.REMOVING})
        db.execute("UPDATE containers SET state = ?", (removing,))

    async def story(engine: Engine) -> None:
        assert engine.containers.all() == []
        assert engine.left(id) == []

    home.tell(story)


@pytest.mark.parametrize("ended", [False, True])
def test_a_start_that_nobody_wrote_down_is_noticed(home: Home, daemon: Killed, ended: bool) -> None:
    """The daemon died after the launcher had its request, and before it heard the answer."""
    id = daemon.start(*SLEEP)
    pid = pid_of(home, id)
    daemon.kill()
    with home.records() as (_, _, db):
        db.execute("UPDATE containers SET state = ?", (json.dumps(CREATED),))
    if ended:
        end(pid)

    async def story(engine: Engine) -> None:
        state = engine.state(id)
        if ended:
            assert (state.status, state.exit_code) == ("exited", 137)
        else:
            assert (state.status, state.pid) == ("running", pid)

    home.tell(story)


def pid_of(home: Home, id: str) -> int:
    """As the killed daemon wrote it down."""
    with home.records() as (_, _, db):
        (text,) = db.execute("SELECT state FROM containers WHERE id = ?", (id,)).fetchone()
    return int(json.loads(text)["pid"])


@contextlib.contextmanager
def deaths(*pids: int) -> Iterator[None]:
    """The block brings them about; at its end they are waited for."""
    pidfds = [os.pidfd_open(pid) for pid in pids]
    try:
        yield
        for pidfd in pidfds:
            assert select.select([pidfd], [], [], 10)[0], "it does not die"
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def end(pid: int) -> None:
    """Kill a container's first process; its monitor has written that down when this returns."""
    with deaths(pid, monitor_of(pid)):
        kill(pid)
