"""``kill -9`` of the daemon, of a monitor, of the launcher: nothing is lost, nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
from pathlib import Path

import pytest

from minidocker.containers import state as life
from minidocker.containers.container import State
from minidocker.containers.reconcile import LATE_MONITORS
from minidocker.containers.spec import Mount, RestartPolicy
from minidocker.errors import MinidockerError, SystemFailure
from minidocker.namespaces.launcher_client import start_launcher
from tests.containers.harness import SLEEP, Daemon, Root, alive, until
from tests.containers.killing import end, ending, kill, killed, pid_of, record
from tests.support.processes import monitor_of

pytestmark = pytest.mark.kernel
GATE = "while [ ! -e /gate/open ]; do sleep 0.01; done"


def test_what_runs_runs_on_and_loses_no_output(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        count = "n=0; while [ ! -e /stop ]; do echo $n; n=$((n+1)); sleep 0.01; done; exit 9"
        await daemon.start("sh", "-c", count, name="it")

    async def after(daemon: Daemon) -> None:
        assert alive(daemon.state("it").pid)
        with daemon.attached("it") as stream:
            await stream.until("\n")
            assert await daemon.exec("it", "touch", "/stop") == (0, "")
            assert (await daemon.containers.wait("it")).exit_code == 9
            log = await daemon.log("it")
            assert log.endswith(await stream.read())
        lines = log.splitlines()
        assert lines == [str(n) for n in range(len(lines))]

    killed(root, before)
    root.play(after)


def test_its_streams_are_taken_over(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        script = "echo one; while read x; do echo $x; done"
        await daemon.start("sh", "-c", script, name="it", open_stdin=True)

    async def after(daemon: Daemon) -> None:
        with daemon.attached("it", stdin=True) as stream:
            await stream.write("two\n")
            await stream.until("two\n")
        await daemon.containers.kill("it")
        assert daemon.state("it").exit_code == 137
        assert await daemon.log("it") == "one\ntwo\n"

    killed(root, before)
    root.play(after)


def test_what_is_paused_stays_paused(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        await daemon.containers.pause(await daemon.ready("trap 'exit 0' TERM", name="it"))

    async def after(daemon: Daemon) -> None:
        assert daemon.state("it").status == "paused"
        await daemon.containers.unpause("it")
        assert (await daemon.exec("it", "echo", "hi")) == (0, "hi\n")
        await daemon.containers.pause("it")
        await daemon.containers.stop("it", timeout=5)
        assert daemon.state("it").exit_code == 0

    killed(root, before)
    root.play(after)


def test_the_exit_code_and_the_log_of_what_ended_meanwhile_are_there(
    root: Root, tmp_path: Path
) -> None:
    async def before(daemon: Daemon) -> None:
        script = f"echo up; {GATE}; echo last; exit 6"
        await daemon.start("sh", "-c", script, name="it", mounts=gate(tmp_path))

    async def after(daemon: Daemon) -> None:
        state = daemon.state("it")
        assert (state.status, state.exit_code, state.pid) == ("exited", 6, 0)
        assert state.started_at < state.finished_at
        assert await daemon.log("it") == "up\nlast\n"
        container = daemon.containers.get("it")
        assert daemon.left(container.id) == [daemon.containers.directory("it")]

    killed(root, before)
    with ending(pid_of(root)):
        (tmp_path / "open").touch()
    root.play(after)


def test_restarts_are_counted_on(root: Root, tmp_path: Path) -> None:
    async def before(daemon: Daemon) -> None:
        policy = RestartPolicy("on-failure", 2)
        script = f"{GATE}; exit 4"
        await daemon.start("sh", "-c", script, name="it", mounts=gate(tmp_path), restart=policy)

    async def after(daemon: Daemon) -> None:
        await until(lambda: daemon.state("it").status == "exited")
        assert (daemon.state("it").exit_code, daemon.containers.get("it").restart_count) == (4, 2)

    killed(root, before)
    with ending(pid_of(root)):
        (tmp_path / "open").touch()
    root.play(after)


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
    root: Root, policy: str, stopped: bool, again: bool
) -> None:
    async def before(daemon: Daemon) -> None:
        await daemon.start(*SLEEP, name="it", restart=RestartPolicy(policy))
        if stopped:
            await daemon.containers.kill("it")

    async def after(daemon: Daemon) -> None:
        if again:
            await until(lambda: daemon.state("it").status == "running")
        else:
            assert (daemon.state("it").status, daemon.state("it").exit_code) == ("exited", 137)
            assert "start" not in [event.action for event in daemon.events.past()]

    killed(root, before)
    if not stopped:
        end(pid_of(root))
    root.play(after)


def test_what_starts_with_the_daemon_keeps_its_monitors_socket(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        for _ in range(6):
            await daemon.containers.kill(
                await daemon.start(*SLEEP, restart=RestartPolicy("always"))
            )

    async def after(daemon: Daemon) -> None:
        await until(lambda: all(each.state.running for each in daemon.containers.all()))
        for each in daemon.containers.all():
            assert root.places.monitor(each.id).exists()

    killed(root, before)
    root.play(after)


def test_what_is_removed_at_its_end_is_gone(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        await daemon.start(*SLEEP, name="it", auto_remove=True)
        daemon.create("true", name="never-ran", auto_remove=True)

    async def after(daemon: Daemon) -> None:
        assert [each.name for each in daemon.containers.all()] == ["never-ran"]
        assert daemon.left(it.id) == []

    killed(root, before)
    it = record(root)
    end(it.state.pid)
    root.play(after)


def test_a_removal_that_was_cut_short_is_finished(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        daemon.create("true", name="it")

    async def after(daemon: Daemon) -> None:
        assert daemon.containers.all() == []
        assert daemon.left(it.id) == []

    killed(root, before)
    it = record(root, State(life.REMOVING))
    root.play(after)


def test_what_is_no_whole_container_is_removed(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        daemon.create("true", name="it")

    async def after(daemon: Daemon) -> None:
        assert daemon.state("it").status == "created"
        assert [each.name for each in root.places.root.iterdir()] == [it.id]
        assert not run.exists()

    killed(root, before)
    it = record(root)
    (root.places.root / "lost+found.txt").write_text("a stray file")
    (root.places.directory("0" * 64) / "upper" / "some").mkdir(parents=True)
    run = root.places.monitor("1" * 64).parent
    run.mkdir(parents=True)
    root.play(after)


@pytest.mark.parametrize("ended", [False, True])
def test_a_start_that_nobody_wrote_down_is_noticed(root: Root, ended: bool) -> None:
    """The daemon died after the launcher had its request, and before it heard the answer."""

    async def before(daemon: Daemon) -> None:
        await daemon.start(*SLEEP, name="it")

    async def after(daemon: Daemon) -> None:
        state = daemon.state("it")
        if ended:
            assert (state.status, state.exit_code) == ("exited", 137)
        else:
            assert (state.status, state.pid) == ("running", pid)

    killed(root, before)
    pid = pid_of(root)
    record(root, State())
    if ended:
        end(pid)
    root.play(after)


def test_such_a_start_forgets_the_run_before(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        await daemon.start(*SLEEP, name="it", restart=RestartPolicy("unless-stopped"))

    async def after(daemon: Daemon) -> None:
        state = daemon.state("it")
        assert (state.status, state.exit_code, state.stopped_by_user) == ("running", 0, False)

    killed(root, before)
    record(root, State(life.EXITED, exit_code=137, finished_at=1, stopped_by_user=True))
    root.play(after)


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_any_moment_it_is_consistent_afterwards(root: Root, seed: int) -> None:
    chance = random.Random(seed)

    async def before(daemon: Daemon) -> None:
        while True:
            id = await daemon.ready("trap 'exit 0' TERM", auto_remove=chance.random() < 0.3)
            await daemon.exec(id, "true")
            await daemon.containers.stop(id, timeout=5)
            with contextlib.suppress(MinidockerError):
                await daemon.containers.remove(id)

    async def after(daemon: Daemon) -> None:
        await asyncio.sleep(LATE_MONITORS + 0.3)
        found = daemon.containers.all()
        assert {path.name for path in root.places.root.iterdir()} == {each.id for each in found}
        for id, status in [(each.id, each.state.status) for each in found]:
            assert status in ("created", "running", "exited")
            assert root.places.monitor(id).parent.exists() == (status == "running")
            if status == "running":
                assert await daemon.exec(id, "echo", "hi") == (0, "hi\n")
                await daemon.containers.stop(id, timeout=5)
            elif status == "exited":
                assert daemon.state(id).exit_code == 0
                await daemon.containers.start(id)
                assert daemon.state(id).running

    killed(root, before, after=chance.uniform(0.0, 0.5))
    root.play(after)


async def test_a_killed_monitor_takes_no_exit_code_with_it(daemon: Daemon) -> None:
    id = await daemon.start("sh", "-c", "while [ ! -e /go ]; do sleep 0.01; done; exit 6")
    kill(monitor_of(daemon.state(id).pid))

    def streams_are_gone() -> bool:
        with contextlib.suppress(SystemFailure), daemon.attached(id):
            return False
        return True

    await until(streams_are_gone)
    with pytest.raises(SystemFailure, match="monitor"), daemon.attached(id):
        pass
    assert daemon.state(id).running
    assert await daemon.exec(id, "touch", "/go") == (0, "")
    assert (await daemon.containers.wait(id)).exit_code == 6


def test_nor_does_one_that_is_killed_once_the_daemon_is(root: Root) -> None:
    async def before(daemon: Daemon) -> None:
        await daemon.ready("trap 'exit 8' TERM", name="it")

    async def after(daemon: Daemon) -> None:
        assert daemon.state("it").status == "running"
        await daemon.containers.stop("it")
        assert daemon.state("it").exit_code == 8

    killed(root, before)
    kill(monitor_of(pid_of(root)))
    root.play(after)


def test_a_killed_launcher_is_replaced(root: Root, tmp_path: Path) -> None:
    async def story(daemon: Daemon) -> None:
        first = await daemon.ready("trap 'exit 0' TERM")
        with contextlib.closing(start_launcher(own.run)) as keeper:
            keeper.send({"op": "hello"})
            found = keeper.receive()
            assert found is not None
            pid = found[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED)
        many = await asyncio.gather(*(daemon.start(*SLEEP) for _ in range(3)))
        assert all(daemon.state(each).running for each in many)
        assert await daemon.exec(first, "echo", "hi") == (0, "hi\n")
        await daemon.containers.stop(first, timeout=5)
        assert daemon.state(first).exit_code == 0

    own = dataclasses.replace(root, run=tmp_path / "run")
    own.run.mkdir()
    own.play(story)


def gate(folder: Path) -> tuple[Mount]:
    """What ``GATE`` looks at: a file ``open`` in ``folder`` lets the program go on."""
    return (Mount("bind", str(folder), "/gate"),)
