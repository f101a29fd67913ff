"""The life of real containers: started, stopped, killed, paused, restarted, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minidocker.containers.spec import RestartPolicy
from minidocker.errors import Conflict, NotFound, NotModified, StartFailed
from tests.containers.ground import FOREVER, STUBBORN, Stage, until

pytestmark = pytest.mark.kernel
Play = Callable[..., Any]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("kill -9 $$; sleep 1", 0),
        ("sh -c 'kill -9 $$'; exit $?", 137),
    ],
)
def test_the_exit_code_is_the_programs(play: Play, script: str, code: int) -> None:
    async def story(s: Stage) -> None:
        assert (await s.sh(script))[0] == code  # the first process is deaf to its own signals

    play(story)


@pytest.mark.parametrize(
    ("command", "code"),
    [(("nowhere",), 127), (("/etc/passwd",), 126), (("/etc/passwd/x",), 127)],
)
def test_a_program_that_cannot_be_run_leaves_nothing_behind(
    play: Play, command: tuple[str, ...], code: int
) -> None:
    async def story(s: Stage) -> None:
        made = s.create(*command)
        stream = s.attach(made)
        waiter = s.containers.wait(made.id, "next-exit")
        with pytest.raises(StartFailed) as failed:
            await s.containers.start(made.id)
        assert failed.value.exit_code == code
        assert await stream.read() == b"", "whoever waited before the start is let go"
        state = s.now(made).state
        assert (state.status, state.exit_code) == ("created", code)
        assert state.error == failed.value.message
        assert not waiter.done, "as with dockerd: a start that failed is no exit"
        waiter.cancel()
        assert not (s.ground.run / "containers" / made.id).exists()
        assert not list(Path("/sys/fs/cgroup").glob(f"*/minidocker/{made.id}"))

    play(story)


def test_a_working_directory_that_is_a_file_is_125(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = s.create("true", working_dir="/etc/passwd")
        with pytest.raises(StartFailed) as failed:
            await s.containers.start(made.id)
        assert failed.value.exit_code in (125, 126, 127)

    play(story)


def test_a_failed_start_of_a_container_to_be_removed_removes_it(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = s.create("nowhere", auto_remove=True)
        stream, waiter = s.attach(made), s.containers.wait(made.id, "removed")
        with pytest.raises(StartFailed):
            await s.containers.start(made.id)
        assert (await waiter).exit_code == 127
        assert await stream.read() == b""
        with pytest.raises(NotFound):
            s.now(made)
        assert not s.containers._core.places.directory(made.id).exists()

    play(story)


def test_stop_sends_the_stop_signal_and_waits(play: Play) -> None:
    async def story(s: Stage) -> None:
        script = "trap 'exit 7' USR1; echo up; while :; do sleep 0.05; done"
        made = s.create("sh", "-c", script, stop_signal="SIGUSR1")
        stream = s.attach(made)
        await s.containers.start(made.id)
        await stream.until(b"up")
        await s.containers.stop(made.id)
        assert s.now(made).state.exit_code == 7
        told = ["create", "attach", "start", "kill", "die", "stop"]
        assert s.actions(made) == told
        with pytest.raises(NotModified):
            await s.containers.stop(made.id)

    play(story)


def test_after_the_grace_comes_the_kill(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started(*STUBBORN)
        began = time.monotonic()
        await s.containers.stop(made.id, timeout=1)
        assert 1 <= time.monotonic() - began < 4
        assert s.now(made).state.exit_code == 137
        assert [e.attributes["signal"] for e in s.told(made) if e.action == "kill"] == ["15", "9"]

    play(story)


def test_kill_returns_when_it_is_dead(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started(*STUBBORN)
        await s.containers.kill(made.id)
        assert s.now(made).state.exit_code == 137
        with pytest.raises(Conflict, match="is not running"):
            await s.containers.kill(made.id)

    play(story)


def test_a_paused_container_does_nothing_until_it_may(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started("sh", "-c", "while :; do date +%N; sleep 0.01; done")
        await until(lambda: s.containers.log_path(made.id).stat().st_size)
        await s.containers.pause(made.id)
        size = s.containers.log_path(made.id).stat().st_size
        await asyncio.sleep(0.1)
        assert s.containers.log_path(made.id).stat().st_size == size
        with pytest.raises(Conflict):
            await s.exec(made, "true")
        with pytest.raises(Conflict):
            await s.containers.remove(made.id)
        await s.containers.unpause(made.id)
        await until(lambda: s.containers.log_path(made.id).stat().st_size > size)

    play(story)


@pytest.mark.parametrize("how", ["kill", "stop", "remove"])
def test_a_paused_one_can_be_ended(play: Play, how: str) -> None:
    async def story(s: Stage) -> None:
        for _ in range(5):
            made = await s.started(*FOREVER)
            await s.containers.pause(made.id)
            if how == "kill":
                await s.containers.kill(made.id)
            elif how == "stop":
                await s.containers.stop(made.id, timeout=5)
            else:
                await s.containers.remove(made.id, force=True)
                continue
            assert s.now(made).state.status == "exited"
            assert not s.now(made).state.paused

    play(story)


def test_restart_keeps_what_was_written_and_its_id(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started("sh", "-c", f"echo x >> /kept; cat /kept; {FOREVER[2]}")
        await until(
            lambda: b"x\n" in s.containers.log_path(made.id).read_bytes().replace(b"\\n", b"\n")
        )
        pid = s.now(made).state.pid
        await s.containers.restart(made.id)
        assert s.now(made).state.pid not in (0, pid)
        await until(lambda: s.containers.log_path(made.id).read_bytes().count(b"log") == 3)
        assert s.actions(made)[-4:] == ["die", "stop", "start", "restart"]

    play(story)


def test_restart_of_a_container_to_be_removed_does_not_remove_it(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started(*FOREVER, auto_remove=True)
        await s.containers.restart(made.id, timeout=5)
        assert s.now(made).state.running
        gone = s.containers.wait(made.id, "removed")
        await s.containers.stop(made.id, timeout=5)
        await gone

    play(story)


def test_a_container_to_be_removed_is_gone_after_its_end(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = s.create("sh", "-c", "exit 5", auto_remove=True)
        gone = s.containers.wait(made.id, "removed")
        await s.containers.start(made.id)
        assert (await gone).exit_code == 5
        assert not s.containers._core.places.directory(made.id).exists()
        assert s.containers.trace(made.id), "its trace can be asked for a moment longer"

    play(story)


def test_remove_with_force_while_it_is_being_started(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = s.create(*FOREVER)
        starting = asyncio.ensure_future(s.containers.start(made.id))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await s.containers.remove(made.id, force=True)
        await asyncio.wait([starting])
        starting.exception()
        with pytest.raises(NotFound):
            s.now(made)

    play(story)


def test_rename_while_it_runs_and_ends(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started(*FOREVER, name="one")
        s.containers.rename(made.id, "two")
        await s.containers.stop("two", timeout=5)
        assert s.now(made).name == "two"
        assert s.told(made)[-1].attributes["name"] == "two"
        s.create("true", name="one")

    play(story)


# Restart policies


def test_on_failure_counts(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = s.create("sh", "-c", "exit 2", restart=RestartPolicy("on-failure", 2))
        await s.containers.start(made.id)
        await until(lambda: s.now(made).state.status == "exited")
        assert s.now(made).restart_count == 2
        assert s.actions(made).count("start") == 3
        await s.containers.start(made.id)  # its user's start counts anew
        assert s.now(made).restart_count == 0
        await until(lambda: s.now(made).state.status == "exited")
        assert s.now(made).restart_count == 2

    play(story)


def test_on_failure_is_content_with_success(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started("true", restart=RestartPolicy("on-failure"))
        await s.ended(made)
        assert s.now(made).state.status == "exited"

    play(story)


@pytest.mark.parametrize("how", ["stop", "kill", "remove"])
def test_an_end_that_was_asked_for_is_the_end(play: Play, how: str) -> None:
    async def story(s: Stage) -> None:
        made = await s.started(*FOREVER, restart=RestartPolicy("always"))
        if how == "remove":
            await s.containers.remove(made.id, force=True)
            return
        await (s.containers.stop(made.id, 5) if how == "stop" else s.containers.kill(made.id))
        assert s.now(made).state.status == "exited"
        await asyncio.sleep(0.3)
        assert s.now(made).state.status == "exited"

    play(story)


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.05, 0.1, 0.102, 0.105, 0.11])
@pytest.mark.parametrize("how", ["stop", "kill", "remove"])
def test_a_stop_between_two_runs_calls_the_next_off(play: Play, how: str, moment: float) -> None:
    async def story(s: Stage) -> None:
        made = await s.started("true", restart=RestartPolicy("always"))
        await until(lambda: s.now(made).state.restarting)
        await asyncio.sleep(moment)
        if how == "remove":
            await s.containers.remove(made.id, force=True)
            assert not s.containers.all()
            return
        # Whatever it finds: a run that just ends, a pause, a start in progress.
        try:
            await (s.containers.stop(made.id, 5) if how == "stop" else s.containers.kill(made.id))
        except (NotModified, Conflict):
            return
        await asyncio.sleep(0.3)
        assert s.now(made).state.status == "exited"
        assert not s.containers._core.runs

    play(story)


def test_a_start_while_it_waits_to_be_restarted_does_not_call_that_off(play: Play) -> None:
    async def story(s: Stage) -> None:
        made = await s.started("true", restart=RestartPolicy("always"))
        await until(lambda: s.now(made).state.restarting)
        with pytest.raises(NotModified):
            await s.containers.start(made.id)
        await until(lambda: s.now(made).restart_count >= 2)

    play(story)
