"""A container from its start to its end, on this machine's kernel."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from minidocker.cgroups.resources import Resources
from minidocker.containers.spec import Mount
from minidocker.errors import Conflict, NotFound, NotModified, StartFailed
from tests.containers.home import Engine, Home, alive

pytestmark = pytest.mark.kernel
SLEEP = ("sleep", "1000")


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_of_the_program_is_the_containers(home: Home, code: int) -> None:
    async def story(engine: Engine) -> None:
        assert await engine.shell(f"echo out; echo err >&2; exit {code}") == (
            code,
            "out\n",
            "err\n",
        )
        state = engine.containers.all()[0].state
        assert (state.status, state.exit_code, state.pid) == ("exited", code, 0)
        assert 0 < state.started_at <= state.finished_at

    home.tell(story)


def test_a_program_that_dies_of_a_signal_counts_128_more(home: Home) -> None:
    async def story(engine: Engine) -> None:
        assert (await engine.shell("sh -c 'kill -TERM $$'; exit $?"))[0] == 143

    home.tell(story)


def test_after_its_end_only_its_files_are_left(home: Home) -> None:
    async def story(engine: Engine) -> None:
        await engine.run("true")
        (container,) = engine.containers.all()
        while len(engine.left(container.id)) > 1:  # the run directory goes a moment later
            await asyncio.sleep(0)
        assert engine.left(container.id) == [str(engine.containers.directory(container.id))]
        await engine.containers.remove(container.id)
        assert engine.left(container.id) == []

    home.tell(story)


def test_it_can_be_started_again_and_again(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create("sh", "-c", "echo again; echo >> /count; wc -l < /count")
        for _ in range(3):
            ended = engine.containers.wait(id, "next-exit")
            await engine.containers.start(id)
            assert (await ended).exit_code == 0
        assert await engine.log(id) == "again\n1\nagain\n2\nagain\n3\n"

    home.tell(story)


@pytest.mark.parametrize(
    ("command", "how", "code", "words"),
    [
        (("no-such-program",), {}, 127, "no-such-program"),
        (("/no/such/program",), {}, 127, "/no/such/program"),
        (("/etc/passwd",), {}, 126, "permission denied"),
        (("/etc",), {}, 126, "/etc"),
        (("true",), {"user": "nosuch"}, 125, "nosuch"),
        (("true",), {"user": "0:nosuch"}, 125, "nosuch"),
        (("true",), {"working_dir": "/etc/passwd"}, 125, "/etc/passwd"),
    ],
)
def test_what_cannot_start_says_why_and_stays_created(
    home: Home, command: tuple[str, ...], how: dict[str, str], code: int, words: str
) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create(*command, **how)
        with pytest.raises(StartFailed) as failed:
            await engine.containers.start(id)
        assert words.lower() in str(failed.value).lower()
        state = engine.state(id)
        assert (state.status, state.exit_code, state.error) == ("created", code, str(failed.value))
        assert engine.left(id) == [str(engine.containers.directory(id))]

    home.tell(story)


def test_a_bind_source_that_vanished_fails_the_start(home: Home, tmp_path: Path) -> None:
    async def story(engine: Engine) -> None:
        source = tmp_path / "source"
        source.mkdir()
        mount = Mount("bind", str(source), "/data")
        id = engine.create("ls", "/data", mounts=(mount,))
        source.rmdir()
        with pytest.raises(StartFailed, match="source"):
            await engine.containers.start(id)
        assert engine.state(id).exit_code == 125
        assert engine.left(id) == [str(engine.containers.directory(id))]
        source.mkdir()
        await engine.containers.start(id)  # and nothing of the failure is in the way

    home.tell(story)


def test_a_failed_start_with_auto_remove_leaves_nothing(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create("no-such-program", auto_remove=True)
        with pytest.raises(StartFailed):
            await engine.containers.start(id)
        assert engine.containers.all() == []
        assert engine.left(id) == []

    home.tell(story)


def test_stop_gives_the_signal_and_waits_for_the_end(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(
            "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done"
        )
        await engine.said(id, "up")
        await engine.containers.stop(id)
        assert (engine.state(id).status, engine.state(id).exit_code) == ("exited", 7)
        with pytest.raises(NotModified):
            await engine.containers.stop(id)

    home.tell(story)


def test_stop_kills_after_the_grace(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done")
        await engine.said(id, "up")
        pid = engine.state(id).pid
        await engine.containers.stop(id, timeout=0)
        assert engine.state(id).exit_code == 137
        assert not alive(pid)

    home.tell(story)


def test_stop_takes_the_containers_own_signal_and_grace(home: Home) -> None:
    async def story(engine: Engine) -> None:
        script = "trap 'exit 3' USR1; echo up; while :; do sleep 0.02; done"
        id = await engine.start("sh", "-c", script, stop_signal="SIGUSR1", stop_timeout=15)
        await engine.said(id, "up")
        await engine.containers.stop(id)
        assert engine.state(id).exit_code == 3

    home.tell(story)


def test_kill_sends_any_signal_and_waits_only_for_sigkill(home: Home) -> None:
    async def story(engine: Engine) -> None:
        script = "trap 'echo got' HUP; echo up; while :; do sleep 0.02; done"
        id = await engine.start("sh", "-c", script)
        await engine.said(id, "up")
        await engine.containers.kill(id, "HUP")
        await engine.said(id, "got")
        assert engine.state(id).status == "running"
        await engine.containers.kill(id)
        assert (engine.state(id).status, engine.state(id).exit_code) == ("exited", 137)
        with pytest.raises(Conflict, match="is not running"):
            await engine.containers.kill(id)

    home.tell(story)


def test_pause_stops_the_clock_of_every_process(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start("sh", "-c", "trap 'exit 5' TERM; while :; do :; done")
        await engine.containers.pause(id)
        assert engine.state(id).status == "paused"
        before = cpu_time(engine.state(id).pid)
        assert await engine.containers.top(id)
        assert cpu_time(engine.state(id).pid) == before
        with pytest.raises(Conflict, match="already paused"):
            await engine.containers.pause(id)
        with pytest.raises(Conflict, match="is paused"):
            engine.attach(id)
        await engine.containers.unpause(id)
        assert engine.state(id).status == "running"
        await engine.containers.pause(id)
        await engine.containers.stop(id)  # it is thawed, to act on the signal
        assert (engine.state(id).status, engine.state(id).exit_code) == ("exited", 5)

    home.tell(story)


def cpu_time(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]


def test_restart_makes_a_new_process_of_the_same_container(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP, init=True)
        first = engine.state(id).pid
        await engine.containers.restart(id)
        assert engine.state(id).status == "running"
        assert engine.state(id).pid != first
        assert not alive(first)

    home.tell(story)


def test_restart_does_not_remove_what_is_removed_at_its_end(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP, init=True, auto_remove=True)
        await engine.containers.restart(id, timeout=5)
        assert engine.state(id).status == "running"
        gone = engine.containers.wait(id, "removed")
        await engine.containers.stop(id)
        await gone

    home.tell(story)


def test_auto_remove_leaves_nothing_but_its_exit_code(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create("sh", "-c", "exit 9", auto_remove=True)
        gone = engine.containers.wait(id, "removed")
        await engine.containers.start(id)
        assert (await gone).exit_code == 9
        with pytest.raises(NotFound):
            engine.containers.get(id)
        assert engine.left(id) == []
        assert engine.containers.trace(id)  # `run --rm --explain` may ask a moment later

    home.tell(story)


def test_rename_moves_the_name_while_it_runs(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP, name="first", auto_remove=True)
        engine.create("true", name="other")
        engine.containers.rename("first", "second")
        assert engine.containers.get("second").id == id
        with pytest.raises(NotFound):
            engine.containers.get("first")
        with pytest.raises(Conflict, match="already in use"):
            engine.containers.rename("second", "other")
        await engine.containers.kill("second")

    home.tell(story)


def test_remove_refuses_what_runs_unless_forced(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP)
        pid = engine.state(id).pid
        with pytest.raises(Conflict, match="stop the container before removing"):
            await engine.containers.remove(id)
        await engine.containers.remove(id, force=True)
        assert not alive(pid)
        assert engine.left(id) == []

    home.tell(story)


def test_what_is_killed_for_want_of_memory_says_so(home: Home) -> None:
    async def story(engine: Engine) -> None:
        limit = Resources(memory=8 << 20, memory_swap=8 << 20)
        id = engine.create("sh", "-c", "tail /dev/zero", resources=limit)
        with engine.bus.subscribe(lambda event: event.action == "oom") as ooms:
            ended = engine.containers.wait(id, "next-exit")
            await engine.containers.start(id)
            assert (await ended).exit_code == 137
            assert (await ooms.next()).actor == id
        assert engine.state(id).oom_killed
        # The next run begins with a clean slate.
        second = engine.containers.wait(id, "next-exit")
        await engine.containers.start(id)
        assert not engine.state(id).oom_killed
        await second

    home.tell(story)


def test_an_ordinary_end_is_no_oom(home: Home) -> None:
    async def story(engine: Engine) -> None:
        await engine.run("true", resources=Resources(memory=64 << 20))
        assert not engine.containers.all()[0].state.oom_killed

    home.tell(story)
