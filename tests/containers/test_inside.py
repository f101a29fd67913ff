"""What goes on inside a container that runs: execs, attached clients, what is seen of it."""

from __future__ import annotations

import os

import pytest

from minidocker.containers.exec_spec import ExecSpec
from minidocker.errors import Conflict, MinidockerError, StartFailed
from tests.containers.harness import SLEEP, Daemon, stream, until

pytestmark = pytest.mark.kernel


async def test_exec_runs_beside_in_the_same_namespaces(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP, hostname="inside", environment=("WHO=me",))
    script = "hostname; echo $WHO; exit 4"
    assert await daemon.exec(id, "sh", "-c", script) == (4, "inside\nme\n")
    assert await daemon.exec(id, "id", "-u", user="1000") == (0, "1000\n")
    assert await daemon.exec(id, "pwd", working_dir="/tmp") == (0, "/tmp\n")


async def test_who_saw_the_end_of_an_exec_knows_its_code(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP)
    spec = ExecSpec(("sh", "-c", "exit 5"), attach_stdout=True)
    exec_id = daemon.containers.exec_create(id, spec)
    with stream() as (ours, client):
        await daemon.containers.exec_start(exec_id, client)
        ours.sock.setblocking(True)  # without the loop, which so hears nothing before we ask
        assert ours.sock.recv(100) == b""
    found = daemon.containers.exec_inspect(exec_id)
    assert (found.running, found.exit_code) == (False, 5)


@pytest.mark.parametrize(("program", "code"), [("no-such", 127), ("/etc/passwd", 126)])
async def test_an_exec_that_cannot_run_has_an_exit_code(
    daemon: Daemon, program: str, code: int
) -> None:
    id = await daemon.start(*SLEEP)
    exec_id = daemon.containers.exec_create(id, ExecSpec((program,)))
    with pytest.raises(StartFailed):
        await daemon.containers.exec_start(exec_id)
    assert daemon.containers.exec_inspect(exec_id).exit_code == code
    assert daemon.state(id).status == "running"


async def test_an_exec_ends_with_its_container(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP)
    exec_id = daemon.containers.exec_create(id, ExecSpec(SLEEP))
    with daemon.events.subscribe(lambda event: event.action == "exec_die") as deaths:
        await daemon.containers.exec_start(exec_id)
        assert daemon.containers.execs_of(id) == [exec_id]
        await daemon.containers.kill(id)
        await deaths.next()
    assert daemon.containers.exec_inspect(exec_id).exit_code == 137


async def test_attached_before_the_start_misses_nothing(daemon: Daemon) -> None:
    script = "echo first; cat; echo last"
    id = daemon.create("sh", "-c", script, open_stdin=True, stdin_once=True)
    with daemon.attached(id, stdin=True) as ours:
        await daemon.containers.start(id)
        await ours.write("typed\n")
        ours.end()
        assert await ours.read() == "first\ntyped\nlast\n"


async def test_two_may_attach_and_one_may_leave(daemon: Daemon) -> None:
    id = daemon.create("sh", "-c", "while read x; do echo got $x; done", open_stdin=True)
    with daemon.attached(id, stdin=True) as one, daemon.attached(id, stdin=True) as two:
        await daemon.containers.start(id)
        await one.write("1\n")
        await one.until("got 1\n")
        await two.until("got 1\n")
        one.sock.close()
        await two.write("2\n")
        await two.until("got 2\n")


async def test_a_terminal_can_be_resized_and_left_by_keys(daemon: Daemon) -> None:
    id = daemon.create("sh", tty=True, open_stdin=True)
    with daemon.attached(id, stdin=True) as ours:
        await daemon.containers.start(id)
        daemon.containers.resize(id, 33, 77)
        await ours.write("until stty size | grep '33 77'; do :; done; echo do''ne\n")
        await ours.until("done")
        await ours.write("\x10\x11")
        await ours.read()
    assert daemon.state(id).status == "running"


async def test_a_namespace_is_shared_with_another_container(daemon: Daemon) -> None:
    id = await daemon.start(*SLEEP, name="donor", ipc_mode="shareable")
    pid = daemon.state(id).pid
    kinds = {"pid": "pid_mode", "ipc": "ipc_mode", "net": "network_mode"}
    for namespace, field in kinds.items():
        command = ("readlink", f"/proc/self/ns/{namespace}")
        code, output, _ = await daemon.run(*command, **{field: "container:donor"})
        assert (code, output.strip()) == (0, os.readlink(f"/proc/{pid}/ns/{namespace}"))
    other = daemon.create("true", pid_mode="container:donor")
    await daemon.containers.kill(id)
    with pytest.raises(MinidockerError, match="non running container"):
        await daemon.containers.start(other)


async def test_stats_top_and_pids_see_its_processes_only(daemon: Daemon) -> None:
    id = await daemon.start("sh", "-c", "sleep 1000 & wait")
    await until(lambda: len(daemon.containers.pids(id)) == 2)
    pids = daemon.containers.pids(id)
    assert daemon.state(id).pid in pids
    titles, rows = await daemon.containers.top(id)
    column = titles.index("PID")
    assert {int(row[column]) for row in rows} == set(pids)
    assert daemon.containers.stats(id) is not None
    await daemon.containers.kill(id)
    assert daemon.containers.stats(id) is None
    with pytest.raises(Conflict, match="is not running"):
        await daemon.containers.top(id)


async def test_the_trace_tells_the_daemons_steps_first_and_all_in_order(daemon: Daemon) -> None:
    id = await daemon.start("true")
    trace = daemon.containers.trace(id)
    processes = list(dict.fromkeys(step["process"] for step in trace))
    assert processes[0] == "daemon"
    assert len(processes) > 1
    assert all(step["text"] and step["took_ns"] >= 0 for step in trace)
    container = daemon.containers.get(id)
    planned = daemon.containers.plan(container.spec, daemon.root.image)
    told = [step["text"] for step in trace if container.short_id not in step["text"]]
    assert len(planned) == len(trace)
    assert set(told) <= {step["text"] for step in planned}


async def test_events_tell_the_life_in_dockers_words(daemon: Daemon) -> None:
    with daemon.events.subscribe(lambda event: event.kind == "container") as events:
        id = daemon.create("sh", "-c", "exit 3", name="told", labels={"a": "b"})
        with daemon.attached(id):
            await daemon.end_of_next_run(id)
        await daemon.containers.remove(id)
        seen = [await events.next() for _ in range(5)]
    assert [event.action for event in seen] == ["create", "attach", "start", "die", "destroy"]
    assert all(event.attributes["name"] == "told" for event in seen)
    assert all(event.attributes["a"] == "b" for event in seen)
    assert seen[3].attributes["exitCode"] == "3"
