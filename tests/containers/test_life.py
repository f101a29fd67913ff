"""A container from its start to its end, on this machine's kernel."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from minidocker.cgroups.resources import Resources
from minidocker.containers.spec import Mount
from minidocker.errors import Conflict, NotFound, NotModified, StartFailed
from tests.containers.harness import SLEEP, Daemon, alive, cpu_time, until

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 42", 42),
        ("exit 255", 255),
        ("exec 2>/dev/null; sh -c 'kill -9 $$'; exit $?", 137),
        ("exec 2>/dev/null; sh -c 'kill -TERM $$'; exit $?", 143),
        ("kill -9 $$; exit 3", 3),  # the first process is deaf to its own signals
    ],
)
async def test_the_exit_code_is_the_programs(daemon: Daemon, script: str, code: int) -> None:
    ran = await daemon.run("sh", "-c", f"echo out; echo err >&2; {script}", name="it")
    assert ran == (code, "out\n", "err\n")
    state = daemon.state("it")
    assert (state.status, state.exit_code, state.pid) == ("exited", code, 0)
    assert 0 < state.started_at <= state.finished_at


async def test_after_its_end_only_its_files_are_left(daemon: Daemon) -> None:
    id = daemon.create("true")
    await daemon.end_of_next_run(id)
    await until(lambda: daemon.left(id) == [daemon.containers.directory(id)])
    await daemon.containers.remove(id)
    assert daemon.left(id) == []


async def test_it_can_be_started_again_and_again(daemon: Daemon) -> None:
    id = daemon.create("sh", "-c", "echo again; echo >> /count; wc -l < /count")
    for _ in range(3):
        assert await daemon.end_of_next_run(id) == 0
    assert await daemon.log(id) == "again\n1\nagain\n2\nagain\n3\n"


@pytest.mark.parametrize(
    ("command", "how", "code", "words"),
    [
        (("no-such-program",), {}, 127, "no-such-program"),
        (("/no/such/program",), {}, 127, "/no/such/program"),
        (("/etc/passwd/x",), {}, 127, "/etc/passwd/x"),
        (("/etc/passwd",), {}, 126, "permission denied"),
        (("/etc",), {}, 126, "/etc"),
        (("true",), {"user": "nosuch"}, 125, "nosuch"),
        (("true",), {"user": "0:nosuch"}, 125, "nosuch"),
        (("true",), {"working_dir": "/etc/passwd"}, 125, "/etc/passwd"),
    ],
)
async def test_what_cannot_start_says_why_and_stays_created(
    daemon: Daemon, command: tuple[str, ...], how: dict[str, Any], code: int, words: str
) -> None:
    id = daemon.create(*command, **how)
    exit = daemon.containers.wait(id, "next-exit")
    with daemon.attached(id) as stream:
        with pytest.raises(StartFailed) as failed:
            await daemon.containers.start(id)
        assert await stream.read() == "", "whoever attached before the start is let go"
    assert failed.value.exit_code == code
    assert words in str(failed.value).lower()
    state = daemon.state(id)
    assert (state.status, state.exit_code, state.error) == ("created", code, str(failed.value))
    assert not exit.done, "as with dockerd: a start that failed is no exit"
    exit.cancel()
    assert daemon.left(id) == [daemon.containers.directory(id)]


async def test_a_bind_source_that_vanished_fails_the_start(daemon: Daemon, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    id = daemon.create("ls", "/data", mounts=(Mount("bind", str(source), "/data"),))
    source.rmdir()
    with pytest.raises(StartFailed, match="source"):
        await daemon.containers.start(id)
    assert daemon.state(id).exit_code == 125
    assert daemon.left(id) == [daemon.containers.directory(id)]
    source.mkdir()
    await daemon.containers.start(id)  # and nothing of the failure is in the way


async def test_auto_remove_leaves_nothing_of_a_failed_start(daemon: Daemon) -> None:
    id = daemon.create("no-such-program", auto_remove=True)
    gone = daemon.containers.wait(id, "removed")
    with daemon.attached(id) as stream:
        with pytest.raises(StartFailed):
            await daemon.containers.start(id)
        assert await stream.read() == ""
    assert (await gone).exit_code == 127
    assert daemon.containers.all() == []
    assert daemon.left(id) == []


async def test_auto_remove_leaves_the_exit_code_and_the_trace(daemon: Daemon) -> None:
    id = daemon.create("sh", "-c", "exit 9", auto_remove=True)
    gone = daemon.containers.wait(id, "removed")
    await daemon.containers.start(id)
    assert (await gone).exit_code == 9
    with pytest.raises(NotFound):
        daemon.containers.get(id)
    assert daemon.left(id) == []
    assert daemon.containers.trace(id)  # `run --rm --explain` may ask a moment later


@pytest.mark.parametrize(
    ("signal", "how"),
    [("TERM", {}), ("USR1", {"stop_signal": "SIGUSR1", "stop_timeout": 15})],
)
async def test_stop_sends_the_stop_signal_and_waits(
    daemon: Daemon, signal: str, how: dict[str, Any]
) -> None:
    id = await daemon.ready(f"trap 'exit 7' {signal}", **how)
    await daemon.containers.stop(id)
    assert (daemon.state(id).status, daemon.state(id).exit_code) == ("exited", 7)
    assert daemon.actions(id) == ["create", "start", "kill", "die", "stop"]
    with pytest.raises(NotModified):
        await daemon.containers.stop(id)


@pytest.mark.parametrize("grace", [0, 1])
async def test_stop_kills_after_the_grace(daemon: Daemon, grace: int) -> None:
    id = await daemon.ready("trap '' TERM")
    pid, began = daemon.state(id).pid, time.monotonic()
    await daemon.containers.stop(id, timeout=grace)
    assert grace <= time.monotonic() - began < grace + 3
    assert daemon.state(id).exit_code == 137
    assert not alive(pid)
    kills = [event for event in daemon.told(id) if event.action == "kill"]
    assert [event.attributes["signal"] for event in kills] == ["15", "9"]


async def test_kill_sends_any_signal(daemon: Daemon) -> None:
    id = await daemon.ready("trap 'echo got' HUP")
    await daemon.containers.kill(id, "HUP")
    async for line in daemon.lines(id, follow=True):
        if line == "got\n":
            break
    assert daemon.state(id).status == "running"


async def test_kill_returns_when_it_is_dead(daemon: Daemon) -> None:
    id = await daemon.ready("trap '' TERM")
    pid = daemon.state(id).pid
    await daemon.containers.kill(id)
    assert (daemon.state(id).status, daemon.state(id).exit_code) == ("exited", 137)
    assert not alive(pid)
    with pytest.raises(Conflict, match="is not running"):
        await daemon.containers.kill(id)


async def test_pause_stops_the_clock_of_every_process(daemon: Daemon) -> None:
    id = await daemon.start("sh", "-c", "while :; do :; done & while :; do :; done")
    await until(lambda: len(daemon.containers.pids(id)) == 2)

    def clocks() -> dict[int, list[str]]:
        return {pid: cpu_time(pid) for pid in daemon.containers.pids(id)}

    await daemon.containers.pause(id)
    assert daemon.state(id).status == "paused"
    before = clocks()
    await asyncio.sleep(0.1)
    assert await daemon.containers.top(id)
    assert clocks() == before
    await daemon.containers.unpause(id)
    assert daemon.state(id).status == "running"
    await until(lambda: all(now != before[pid] for pid, now in clocks().items()))


async def test_a_paused_container_refuses_what_would_need_it_to_run(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP)
    await daemon.containers.pause(id)
    with pytest.raises(Conflict, match="already paused"):
        await daemon.containers.pause(id)
    with pytest.raises(Conflict, match="is paused"), daemon.attached(id):
        pass
    with pytest.raises(Conflict, match="is paused"):
        await daemon.exec(id, "true")
    with pytest.raises(Conflict):
        await daemon.containers.remove(id)


@pytest.mark.parametrize("how", ["kill", "stop", "remove"])
async def test_a_paused_container_can_be_ended(daemon: Daemon, how: str) -> None:
    for _ in range(5):
        id = await daemon.ready("trap 'exit 5' TERM")
        await daemon.containers.pause(id)
        if how == "remove":
            await daemon.containers.remove(id, force=True)
            continue
        await getattr(daemon.containers, how)(id)
        code = 5 if how == "stop" else 137  # it is thawed, to act on the signal
        assert (daemon.state(id).status, daemon.state(id).exit_code) == ("exited", code)


async def test_who_pauses_a_container_that_just_ends_hears_of_its_state(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP)
    gate, loop = threading.Event(), asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    loop.run_in_executor(None, gate.wait)  # so the kernel is asked after the end
    asked = asyncio.create_task(daemon.containers.pause(id))
    await asyncio.sleep(0)
    os.kill(daemon.state(id).pid, signal.SIGKILL)
    await until(lambda: daemon.state(id).status == "exited")
    for path in daemon.left(id):
        if path.is_relative_to("/sys/fs/cgroup"):
            path.rmdir()
    gate.set()
    with pytest.raises(Conflict, match="is not running"):
        await asked


async def test_restart_makes_a_new_process_of_the_same_container(daemon: Daemon) -> None:
    id = await daemon.ready("trap 'exit 0' TERM; echo x >> /kept")
    first = daemon.state(id).pid
    await daemon.containers.restart(id)
    assert daemon.state(id).status == "running"
    assert daemon.state(id).pid != first
    assert not alive(first)
    assert daemon.actions(id)[-4:] == ["die", "stop", "start", "restart"]
    while (await daemon.exec(id, "cat", "/kept"))[1] != "x\nx\n":
        pass


async def test_restart_does_not_remove_what_is_removed_at_its_end(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP, init=True, auto_remove=True)
    await daemon.containers.restart(id, timeout=5)
    assert daemon.state(id).status == "running"
    gone = daemon.containers.wait(id, "removed")
    await daemon.containers.stop(id, timeout=5)
    await gone


async def test_rename_moves_the_name_while_it_runs(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP, name="first")
    daemon.create("true", name="other")
    daemon.containers.rename("first", "second")
    assert daemon.containers.get("second").id == id
    with pytest.raises(NotFound):
        daemon.containers.get("first")
    with pytest.raises(Conflict, match="already in use"):
        daemon.containers.rename("second", "other")
    await daemon.containers.kill("second")
    assert daemon.told(id)[-1].attributes["name"] == "second"
    daemon.create("true", name="first")


async def test_remove_refuses_what_runs_unless_forced(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP)
    pid = daemon.state(id).pid
    with pytest.raises(Conflict, match="stop the container before removing"):
        await daemon.containers.remove(id)
    await daemon.containers.remove(id, force=True)
    assert not alive(pid)
    assert daemon.left(id) == []


async def test_remove_with_force_calls_a_start_off(daemon: Daemon) -> None:
    id = daemon.create(*SLEEP)
    starting = asyncio.ensure_future(daemon.containers.start(id))
    for _ in range(2):  # turns: by then the start has begun
        await asyncio.sleep(0)
    await daemon.containers.remove(id, force=True)
    await asyncio.wait([starting])
    starting.exception()  # none, or that it was too late
    assert daemon.containers.all() == []


async def test_what_is_killed_for_want_of_memory_says_so(daemon: Daemon) -> None:
    limit = Resources(memory=8 << 20, memory_swap=8 << 20)
    id = daemon.create("sh", "-c", "tail /dev/zero", resources=limit)
    with daemon.events.subscribe(lambda event: event.action == "oom") as ooms:
        assert await daemon.end_of_next_run(id) == 137
        assert (await ooms.next()).actor == id
    assert daemon.state(id).oom_killed
    second = daemon.containers.wait(id, "next-exit")
    await daemon.containers.start(id)
    assert not daemon.state(id).oom_killed, "the next run begins with a clean slate"
    await second


async def test_an_ordinary_end_is_no_want_of_memory(daemon: Daemon) -> None:
    await daemon.run("true", name="it", resources=Resources(memory=64 << 20))
    assert not daemon.state("it").oom_killed
