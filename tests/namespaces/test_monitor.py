"""The processes around a container: launcher, monitor, init, exec."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import minidocker
from minidocker.linux.messages import Channel, connect_unix
from minidocker.namespaces import launcher_client
from minidocker.namespaces.edition import edition
from minidocker.namespaces.monitor import write_atomically
from minidocker.namespaces.trace import read_trace
from tests.namespaces.harness import Bench, process
from tests.support.processes import monitor_of

pytestmark = pytest.mark.kernel


def test_init_reaps_orphans_and_passes_signals_on(bench: Bench) -> None:
    script = "trap 'echo got; exit 3' TERM; (sleep 0.01 &) ; echo up; while :; do sleep 0.05; done"
    running = bench.start(["sh", "-c", script], init=True)
    running.read_until(b"up")
    signal.pidfd_send_signal(running.pidfd, signal.SIGTERM)
    result = running.finish()
    assert result.text == "got\n"
    assert result.code == 3


def test_without_init_the_program_itself_is_pid_1(bench: Bench) -> None:
    assert bench.sh("cat /proc/1/comm; true").text == "sh\n"
    assert bench.sh("cat /proc/1/comm; true", init=True).text == "docker-init\n"


def test_the_daemon_may_go_and_another_hears_of_the_end(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "echo up; cat; exit 5"])
    running.read_until(b"up")
    running.channel.close()
    again = Channel(connect_unix(str(running.directory / "monitor.sock")))
    greeting = again.receive()
    assert greeting is not None
    running.client.shutdown(1)
    ended = again.receive()
    assert ended is not None
    assert (ended[0]["event"], ended[0]["code"]) == ("exited", 5)
    again.close()
    os.close(greeting[1][0])
    running.close()


def test_a_killed_monitor_leaves_the_exit_code_to_the_launcher(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "echo up; sleep 0.2; exit 9"])
    running.read_until(b"up")
    os.kill(monitor_of(running.pid), signal.SIGKILL)
    assert running.channel.receive() is None
    exit_file = running.directory / "exit.json"
    deadline = time.monotonic() + 10
    while not exit_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert json.loads(exit_file.read_text())["code"] == 9
    running.close()


def test_exec_joins_all_namespaces(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "echo up; cat"])
    running.read_until(b"up")
    script = "for n in 1 self; do readlink /proc/$n/ns/net; done; hostname; pwd; exit 4"
    request = {
        "op": "exec",
        "id": "exec1",
        "container": "c",
        "process": process(["sh", "-c", script], cwd="/tmp"),
        "open_stdin": False,
        "clients": [{"stdout": True, "stderr": True}],
    }
    result = bench.send(request, [running.pidfd]).finish()
    first, second, host, cwd = result.text.split()
    assert first == second
    assert (host, cwd, result.code) == ("box", "/tmp", 4)
    running.client.shutdown(1)
    running.finish()


def test_joining_another_containers_namespaces(bench: Bench) -> None:
    first = bench.start(["sh", "-c", "echo up; cat"])
    first.read_until(b"up")
    request = bench.request(
        ["sh", "-c", "for n in net ipc; do readlink /proc/self/ns/$n; done; echo $$"]
    )
    request["join"] = {"network": 0, "pid": 0}
    second = bench.send(request, [first.pidfd]).finish()
    net, ipc, pid = second.text.split()
    assert net == os.readlink(f"/proc/{first.pid}/ns/net")
    assert ipc != os.readlink(f"/proc/{first.pid}/ns/ipc")
    assert int(pid) > 1
    first.client.shutdown(1)
    first.finish()


def test_the_trace_tells_what_was_done(bench: Bench) -> None:
    result = bench.run(["true"])
    trace = read_trace((result.directory / "trace.jsonl").read_bytes())
    texts = [entry["text"] for entry in trace]
    assert texts[0] == "unshare(CLONE_NEWPID)"
    assert texts[-1].startswith('execve("true"')
    assert all(entry["took_ns"] >= 0 for entry in trace)
    assert {entry["process"] for entry in trace} == {"starter", "init"}
    assert not any("error" in entry for entry in trace)


def test_the_trace_of_a_failed_start_ends_with_the_step_that_failed(bench: Bench) -> None:
    result = bench.run(["/no/such/program"])
    *before, last = read_trace((result.directory / "trace.jsonl").read_bytes())
    assert last["text"].startswith('execve("/no/such/program"')
    assert last["error"] == result.events[-1]["message"]
    assert any("pivot_root" in entry["text"] for entry in before)
    assert not any("error" in entry for entry in before)


def test_init_is_called_by_its_pid_on_the_host(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "cat"])
    running.client.shutdown(1)
    trace = read_trace((running.finish().directory / "trace.jsonl").read_bytes())
    assert {entry["pid"] for entry in trace if entry["process"] == "init"} == {running.pid}


def test_a_launcher_of_other_code_is_left_to_its_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)  # its own: the others need their launcher
    running = bench.start(["sh", "-c", "echo up; cat; exit 4"])
    running.read_until(b"up")
    monkeypatch.setattr(launcher_client, "edition", lambda: "another")
    keeper = launcher_client.start_launcher(bench.root / "run")
    keeper.send({"op": "hello"})
    answer = keeper.receive()
    assert answer is not None
    assert answer[0]["pid"] != bench.launcher_pid
    assert bench.sh("echo by the new one").text == "by the new one\n"
    running.client.shutdown(1)
    assert running.finish().code == 4
    keeper.close()
    os.waitid(os.P_PID, answer[0]["pid"], os.WEXITED)
    bench.close()


def test_one_code_is_one_edition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert edition() == edition()
    for name in ("linux", "namespaces"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.py").touch()
    monkeypatch.setattr(minidocker, "__file__", str(tmp_path / "__init__.py"))
    before = edition()
    os.utime(tmp_path / "linux/file.py", ns=(0, 2**62))
    assert edition() != before


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "exit.json"
    write_atomically(str(path), {"code": 1})
    (tmp_path / "exit.json.tmp").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(str(path), {"code": 2})
    assert json.loads(path.read_text()) == {"code": 1}


def test_an_exit_code_that_cannot_be_written_is_told_all_the_same(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "echo up; cat; exit 7"])
    running.read_until(b"up")
    (running.directory / "exit.json.tmp").mkdir()  # as little to be written to as a full disk
    running.client.shutdown(1)
    assert running.finish().code == 7
    assert not (running.directory / "exit.json").exists()


def test_a_bug_in_the_starter_is_told_and_leaves_nothing(bench: Bench) -> None:
    request = bench.request(["true"])
    del request["spec"]["linux"]
    result = bench.send(request).finish()
    assert result.events == [
        {
            "event": "failed",
            "step": "",
            "errno": 0,
            "message": "the start failed: KeyError('linux')",
            "exit_code": 125,
        }
    ]


def test_a_starter_that_is_killed_takes_its_container_with_it(bench: Bench) -> None:
    """It is caught where it writes the trace, after the program has begun, by a FIFO."""
    request = bench.request(["sleep", "1000"])
    trace = Path(request["trace_file"])
    os.mkfifo(trace)
    ours, theirs = socket.socketpair()
    channel = Channel(connect_unix(str(bench.root / "run/launcher.sock")))
    channel.send(request, [theirs.fileno()])
    theirs.close()
    os.close(os.open(trace, os.O_RDONLY))  # lets it begin the file, and waits for it
    (monitor,) = children(bench.launcher_pid)
    (starter,) = wait_for(lambda: children(monitor))
    (init,) = wait_for(lambda: [p for p in children(starter) if comm(p) == "sleep"])
    pidfd = os.pidfd_open(init)
    os.kill(starter, signal.SIGKILL)
    assert channel.receive() is None
    assert select.select([pidfd], [], [], 10)[0], "the container lives on"
    assert wait_for(lambda: [p for p in [monitor] if not Path(f"/proc/{p}").exists()])
    os.close(pidfd)
    channel.close()
    ours.close()


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def wait_for(look: Callable[[], list[int]]) -> list[int]:
    deadline = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.002)
    return found
