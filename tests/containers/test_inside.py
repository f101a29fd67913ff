"""What goes on inside a container that runs: execs, attached clients, what is seen of it."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from minidocker.containers.link import Client
from minidocker.containers.service import ExecSpec
from minidocker.errors import Conflict, MinidockerError, StartFailed
from tests.containers.home import Engine, Home, read_all, read_until

pytestmark = pytest.mark.kernel
SLEEP = ("sleep", "1000")


def test_exec_runs_beside_in_the_same_namespaces(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP, hostname="inside", environment=("WHO=me",))
        assert await engine.exec(id, "sh", "-c", "hostname; echo $WHO; exit 4") == (
            4,
            "inside\nme\n",
        )
        code, output = await engine.exec(id, "id", "-u", user="1000")
        assert (code, output) == (0, "1000\n")
        code, output = await engine.exec(id, "pwd", working_dir="/tmp")
        assert (code, output) == (0, "/tmp\n")

    home.tell(story)


def test_who_saw_the_end_of_an_exec_knows_its_code(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP)
        spec = ExecSpec(("sh", "-c", "exit 5"), attach_stdout=True)
        exec_id = engine.containers.exec_create(id, spec)
        ours, theirs = socket.socketpair()
        await engine.containers.exec_start(exec_id, Client(theirs.detach()))
        assert ours.recv(100) == b""  # without the loop, which so hears nothing before we ask
        ours.close()
        found = engine.containers.exec_inspect(exec_id)
        assert (found.running, found.exit_code) == (False, 5)

    home.tell(story)


@pytest.mark.parametrize(("program", "code"), [("no-such", 127), ("/etc/passwd", 126)])
def test_an_exec_that_cannot_run_has_an_exit_code(home: Home, program: str, code: int) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP)
        exec_id = engine.containers.exec_create(id, ExecSpec((program,)))
        with pytest.raises(StartFailed):
            await engine.containers.exec_start(exec_id)
        assert engine.containers.exec_inspect(exec_id).exit_code == code
        assert engine.state(id).status == "running"

    home.tell(story)


def test_an_exec_ends_with_its_container(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP)
        exec_id = engine.containers.exec_create(id, ExecSpec(SLEEP))
        with engine.bus.subscribe(lambda event: event.action == "exec_die") as deaths:
            await engine.containers.exec_start(exec_id)
            assert engine.containers.execs_of(id) == [exec_id]
            await engine.containers.kill(id)
            await deaths.next()
        assert engine.containers.exec_inspect(exec_id).exit_code == 137

    home.tell(story)


def test_attached_before_the_start_misses_nothing(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create(
            "sh", "-c", "echo first; cat; echo last", open_stdin=True, stdin_once=True
        )
        with engine.attach(id, stdin=True) as ours:
            await engine.containers.start(id)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(ours, b"typed\n")
            ours.shutdown(1)
            assert await read_all(ours) == b"first\ntyped\nlast\n"

    home.tell(story)


def test_two_may_attach_and_one_may_leave(home: Home) -> None:
    async def story(engine: Engine) -> None:
        script = "while read x; do echo got $x; done"
        id = engine.create("sh", "-c", script, open_stdin=True)
        loop = asyncio.get_running_loop()
        with engine.attach(id, stdin=True) as one, engine.attach(id, stdin=True) as two:
            await engine.containers.start(id)
            await loop.sock_sendall(one, b"1\n")
            await read_until(one, b"got 1\n")
            await read_until(two, b"got 1\n")
            one.close()
            await loop.sock_sendall(two, b"2\n")
            await read_until(two, b"got 2\n")

    home.tell(story)


def test_a_terminal_can_be_resized_and_left_by_keys(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create("sh", tty=True, open_stdin=True)
        loop = asyncio.get_running_loop()
        with engine.attach(id, stdin=True) as ours:
            await engine.containers.start(id)
            engine.containers.resize(id, 33, 77)
            await loop.sock_sendall(
                ours, b"until stty size | grep '33 77'; do :; done; echo do''ne\n"
            )
            await read_until(ours, b"done")
            await loop.sock_sendall(ours, b"\x10\x11")
            await read_all(ours)
        assert engine.state(id).status == "running"

    home.tell(story)


def test_a_namespace_is_shared_with_another_container(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start(*SLEEP, name="donor", ipc_mode="shareable")
        pid = engine.state(id).pid
        kinds = {"pid": "pid_mode", "ipc": "ipc_mode", "net": "network_mode"}
        for namespace, field in kinds.items():
            script = f"readlink /proc/self/ns/{namespace}"
            code, output, _ = await engine.shell(script, **{field: "container:donor"})
            assert (code, output.strip()) == (0, os.readlink(f"/proc/{pid}/ns/{namespace}"))
        other = engine.create("true", pid_mode="container:donor")
        await engine.containers.kill(id)
        with pytest.raises(MinidockerError, match="non running container"):
            await engine.containers.start(other)

    home.tell(story)


def test_stats_top_and_pids_see_its_processes_only(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start("sh", "-c", "sleep 1000 & echo up; wait")
        await engine.said(id, "up")
        pids = engine.containers.pids(id)
        assert engine.state(id).pid in pids
        titles, rows = await engine.containers.top(id)
        column = titles.index("PID")
        assert {int(row[column]) for row in rows} == set(pids)
        stats = engine.containers.stats(id)
        assert stats is not None
        await engine.containers.kill(id)
        assert engine.containers.stats(id) is None
        with pytest.raises(Conflict, match="is not running"):
            await engine.containers.top(id)

    home.tell(story)


def test_the_trace_tells_the_daemons_steps_first_and_all_in_order(home: Home) -> None:
    async def story(engine: Engine) -> None:
        id = await engine.start("true")
        trace = engine.containers.trace(id)
        processes = list(dict.fromkeys(step["process"] for step in trace))
        assert processes[0] == "daemon"
        assert len(processes) > 1
        assert all(step["text"] and step["took_ns"] >= 0 for step in trace)
        planned = engine.containers.plan(engine.containers.get(id).spec, engine.image)
        mine = engine.containers.get(id).short_id
        told = [step["text"] for step in trace if mine not in step["text"]]
        assert len(planned) == len(trace)
        assert set(told) <= {step["text"] for step in planned}

    home.tell(story)


def test_events_tell_the_life_in_dockers_words(home: Home) -> None:
    async def story(engine: Engine) -> None:
        with engine.bus.subscribe(lambda event: event.kind == "container") as events:
            id = engine.create("sh", "-c", "exit 3", name="told", labels={"a": "b"})
            ended = engine.containers.wait(id, "next-exit")
            await engine.containers.start(id)
            await ended
            await engine.containers.remove(id)
            seen = [await events.next() for _ in range(4)]
        assert [event.action for event in seen] == ["create", "start", "die", "destroy"]
        assert all(event.attributes["name"] == "told" for event in seen)
        assert seen[2].attributes["exitCode"] == "3"
        assert seen[0].attributes["a"] == "b"

    home.tell(story)
