"""``kill -9`` of the daemon, of a monitor, of the launcher: nothing is lost, nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minidocker.containers.reconcile import LATE_MONITORS
from minidocker.containers.spec import Mount, RestartPolicy
from minidocker.errors import MinidockerError, NotFound
from minidocker.namespaces.launcher_client import start_launcher
from tests.containers.ground import FOREVER, Ground, Stage, until
from tests.support.processes import monitor_of

pytestmark = pytest.mark.kernel
Play = Callable[..., Any]
Story = Callable[[Stage], Any]


def killed(ground: Ground, data: Path, story: Story, after: float | None = None) -> None:
    """Play ``story`` in a child that gets SIGKILL when it is over, or ``after`` seconds."""
    done, told = os.pipe()
    child = os.fork()
    if child == 0:

        async def performance() -> None:
            async with ground.stage(data) as stage:
                os.write(told, b"r")
                with contextlib.suppress(MinidockerError):
                    await story(stage)
                os.write(told, b"d")
                await asyncio.sleep(60)

        try:
            os.close(done)
            asyncio.run(performance())
        finally:
            os._exit(1)
    os.close(told)
    try:
        assert os.read(done, 1) == b"r"
        if after is None:
            assert os.read(done, 1) == b"d", "the story failed"
        else:
            signal.sigtimedwait([], after)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(done)


def test_what_runs_runs_on(ground: Ground, tmp_path: Path) -> None:
    async def before(s: Stage) -> None:
        script = "n=0; while [ $n -lt 200 ]; do echo $n; n=$((n+1)); sleep 0.01; done; exit 9"
        await s.started("sh", "-c", script, name="counting")
        await s.started(*FOREVER, name="staying")
        await s.containers.pause((await s.started(*FOREVER, name="frozen")).id)

    async def after(s: Stage) -> None:
        counting, staying = s.containers.get("counting"), s.containers.get("staying")
        assert counting.state.running
        assert staying.state.running
        assert s.containers.get("frozen").state.paused
        assert (await s.exec(staying, "echo", "hi"))[1] == "hi\n"
        stream = s.attach(counting)
        assert (await s.ended(counting)).exit_code == 9
        assert b"199\n" in await stream.read()
        assert await s.log(counting) == [b"%d\n" % n for n in range(200)]
        await s.containers.unpause("frozen")
        await s.containers.stop("frozen", 5)
        await s.containers.stop("staying", 5)
        assert s.containers.get("staying").state.exit_code == 0

    killed(ground, tmp_path, before)
    ground.play(tmp_path, after)


def test_what_ended_meanwhile_is_noticed(ground: Ground, tmp_path: Path) -> None:
    async def before(s: Stage) -> None:
        for name, how in (
            ("plain", {}),
            ("removed", {"auto_remove": True}),
            ("again", {"restart": RestartPolicy("on-failure", 2)}),
        ):
            script = f"while [ ! -e /gate/{name} ]; do sleep 0.01; done; exit 4"
            (tmp_path / "gate").mkdir(exist_ok=True)
            mount = Mount("bind", str(tmp_path / "gate"), "/gate")
            await s.started("sh", "-c", script, name=name, mounts=(mount,), **how)

    killed(ground, tmp_path, before)
    for name in ("plain", "removed", "again"):
        (tmp_path / "gate" / name).touch()

    async def after(s: Stage) -> None:
        plain = s.containers.get("plain").state
        assert (plain.status, plain.exit_code) == ("exited", 4)
        with pytest.raises(NotFound):
            s.containers.get("removed")
        await until(lambda: s.containers.get("again").state.status == "exited")
        assert s.containers.get("again").restart_count == 2

    run = ground.run / "containers"
    asyncio.run(until(lambda: not list(run.glob("*/monitor.sock"))))
    ground.play(tmp_path, after)


def test_always_is_started_with_the_daemon_and_keeps_its_monitors_socket(
    ground: Ground, tmp_path: Path
) -> None:
    async def before(s: Stage) -> None:
        for number in range(6):
            made = await s.started(*FOREVER, name=f"n{number}", restart=RestartPolicy("always"))
            await s.containers.stop(made.id, 5)

    async def after(s: Stage) -> None:
        await until(lambda: all(each.state.running for each in s.containers.all()))
        for each in s.containers.all():
            assert (ground.run / "containers" / each.id / "monitor.sock").exists()

    killed(ground, tmp_path, before)
    ground.play(tmp_path, after)


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_any_moment_it_is_consistent_afterwards(
    ground: Ground, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)

    async def before(s: Stage) -> None:
        while True:
            made = s.create(*FOREVER, auto_remove=chance.random() < 0.3)
            await s.containers.start(made.id)
            await s.exec(made, "true")
            await s.containers.stop(made.id, 5)
            with contextlib.suppress(MinidockerError):
                await s.containers.remove(made.id)

    killed(ground, tmp_path, before, after=chance.uniform(0.0, 0.5))

    async def after(s: Stage) -> None:
        await asyncio.sleep(LATE_MONITORS + 0.3)
        directories = {each.name for each in (tmp_path / "containers").iterdir()}
        assert directories == {each.id for each in s.containers.all()}
        for each in s.containers.all():
            assert each.state.status in ("created", "running", "exited")
            running = each.state.status == "running"
            assert (ground.run / "containers" / each.id).exists() == running
            if running:
                assert (await s.exec(each, "echo", "hi"))[1] == "hi\n"
                await s.containers.stop(each.id, 5)
            elif each.state.status == "exited":
                assert each.state.exit_code == 0
                await s.containers.start(each.id)
                assert s.now(each).state.running

    ground.play(tmp_path, after)


def test_a_killed_monitor_takes_no_exit_code_with_it(play: Play) -> None:
    async def story(s: Stage) -> None:
        script = "while [ ! -e /go ]; do sleep 0.01; done; exit 6"
        made = await s.started("sh", "-c", script)
        os.kill(monitor_of(made.state.pid), signal.SIGKILL)
        await until(lambda: s.containers._core.runs[made.id].link is None)
        assert s.now(made).state.running
        client, _ = s.client()
        with pytest.raises(MinidockerError, match="monitor"):
            s.containers.attach(made.id, client)
        client.close()
        assert (await s.exec(made, "touch", "/go"))[0].exit_code == 0
        assert (await s.ended(made)).exit_code == 6

    play(story)


def test_a_killed_launcher_is_replaced(tmp_path: Path, ground: Ground) -> None:
    own = copy.copy(ground)
    own.run = tmp_path / "run"
    own.run.mkdir()

    async def story(s: Stage) -> None:
        first = await s.started(*FOREVER)
        with contextlib.closing(start_launcher(own.run)) as keeper:
            keeper.send({"op": "hello"})
            found = keeper.receive()
            assert found is not None
            pid = found[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED)
        many = await asyncio.gather(*(s.started("sleep", "100") for _ in range(3)))
        assert all(each.state.running for each in many)
        assert (await s.exec(first, "echo", "hi"))[1] == "hi\n"
        await s.containers.stop(first.id, 5)
        assert s.now(first).state.exit_code == 0

    own.play(tmp_path / "data", story)


def test_what_is_no_containers_directory_does_not_keep_the_daemon_from_starting(
    ground: Ground, tmp_path: Path
) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "lost+found.txt").write_text("a stray file")
    (tmp_path / "containers" / ("a" * 64) / "upper").mkdir(parents=True)

    async def story(s: Stage) -> None:
        assert not list((tmp_path / "containers").iterdir())

    ground.play(tmp_path, story)


def test_a_start_that_was_not_written_down_forgets_the_run_before(
    ground: Ground, tmp_path: Path
) -> None:
    async def before(s: Stage) -> None:
        made = await s.started(*FOREVER, name="one", restart=RestartPolicy("unless-stopped"))
        await s.containers.kill(made.id)
        s.containers._core.store.save = lambda container: container  # it dies before it can
        await s.containers.start(made.id)

    async def after(s: Stage) -> None:
        state = s.containers.get("one").state
        assert state.running
        assert (state.exit_code, state.stopped_by_user) == (0, False)

    killed(ground, tmp_path, before)
    ground.play(tmp_path, after)
