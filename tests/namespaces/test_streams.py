"""What goes in and comes out of a container: pipes, terminals, frames, its log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time

import pytest

from minidocker.linux.messages import Channel, connect_unix
from minidocker.namespaces.terminal import set_size
from tests.namespaces.harness import Bench, Running

pytestmark = pytest.mark.kernel


def test_output_and_exit_code_come_out(bench: Bench) -> None:
    result = bench.sh("echo out; echo err >&2; exit 7")
    assert sorted(result.text.split()) == ["err", "out"]
    assert result.code == 7
    assert json.loads((result.directory / "exit.json").read_text())["code"] == 7


def test_a_signal_is_128_and_its_number(bench: Bench) -> None:
    assert (
        bench.sh("kill -9 $$", namespaces=("mount", "uts", "ipc", "network", "cgroup")).code == 137
    )


def test_standard_input_is_passed_on_to_its_end(bench: Bench) -> None:
    data = os.urandom(300_000)
    assert bench.run(["cat"], stdin=data).output == data


def test_frames_carry_the_streams_apart(bench: Bench) -> None:
    result = bench.sh("printf out; printf err >&2", framed=True)
    assert b"\1\0\0\0\0\0\0\3out" in result.output
    assert b"\2\0\0\0\0\0\0\3err" in result.output


def test_a_terminal_with_size_and_resize(bench: Bench) -> None:
    request = bench.request(
        ["sh", "-c", "stty size; read x; stty size; ls -l /dev/console | wc -l; tty"], tty=True
    )
    request["spec"]["process"]["consoleSize"] = {"height": 33, "width": 77}
    running = bench.send(request)
    running.read_until(b"33 77")
    running.channel.send({"op": "resize", "rows": 44, "cols": 88})
    running.client.sendall(b"\n")
    rest = running.read_until(b"/dev/pts/0")
    assert b"44 88" in rest
    running.finish()


def test_a_terminal_survives_a_client_that_hangs_up(bench: Bench) -> None:
    running = bench.start(["cat"], tty=True)
    running.client.sendall(b"hello\n")
    running.read_until(b"hello\r\nhello\r\n")
    running.client.close()
    again = _reattach(bench, running)
    again.client.sendall(b"back\n")
    again.read_until(b"back\r\nback")
    signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
    again.finish()
    while running.channel.receive() is not None:
        pass
    running.close()


def test_detach_keys_let_the_container_run_on(bench: Bench) -> None:
    running = bench.start(["cat"], tty=True)
    running.client.sendall(b"hello\n")
    running.read_until(b"hello\r\nhello\r\n")
    running.client.sendall(b"\x10")
    running.client.sendall(b"\x11")
    assert running.client.recv(100) == b""
    received = running.channel.receive()
    assert received is not None
    assert received[0]["event"] == "detached"
    again = _reattach(bench, running)
    again.client.sendall(b"back\n")
    again.read_until(b"back\r\nback")
    signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
    again.finish()
    assert running.finish().code == 137


def _reattach(bench: Bench, running: Running) -> Running:
    channel = Channel(connect_unix(str(running.directory / "monitor.sock")))
    greeting = channel.receive()
    assert greeting is not None
    assert greeting[0]["event"] == "running"
    assert greeting[0]["pid"] == running.pid
    ours, theirs = socket.socketpair()
    wish = {"stdin": True, "stdout": True, "stderr": True}
    channel.send({"op": "attach", "client": wish}, [theirs.fileno()])
    theirs.close()
    return Running(channel, ours, running.pid, greeting[1][0], running.directory)


def test_the_log_is_dockers_json_file(bench: Bench) -> None:
    result = bench.sh("printf 'one\\ntwo'; printf 'three\\n' >&2")
    entries = [json.loads(line) for line in (result.directory / "log").read_text().splitlines()]
    found = {(entry["stream"], entry["log"]) for entry in entries}
    assert found == {("stdout", "one\n"), ("stdout", "two"), ("stderr", "three\n")}
    assert all(entry["time"].endswith("Z") and len(entry["time"]) == 30 for entry in entries)


def test_a_client_that_does_not_read_makes_the_container_wait(bench: Bench) -> None:
    running = bench.start(["sh", "-c", "seq 1 600000; echo done >&2"])
    log = running.directory / "log"
    quiet, size = 0, -1
    while quiet < 5:  # until the log has stopped growing
        time.sleep(0.05)
        quiet, size = (quiet + 1, size) if log.stat().st_size == size else (0, log.stat().st_size)
    assert b"done" not in log.read_bytes()
    running.client.shutdown(1)
    result = running.finish()
    assert result.output.count(b"\n") == 600001


def test_set_size_reaches_the_terminal() -> None:
    master, slave = os.openpty()
    set_size(master, 12, 34)
    assert os.get_terminal_size(slave) == (34, 12)
    os.close(master)
    os.close(slave)


def test_input_that_nobody_reads_is_no_error_at_the_clients_end(bench: Bench) -> None:
    running = bench.start(["true"])
    with contextlib.suppress(BrokenPipeError):
        for _ in range(100):
            running.client.sendall(b"never read")
    assert running.finish().code == 0  # and its recv did not raise ECONNRESET


def test_without_a_log_nothing_is_written_down(bench: Bench) -> None:
    result = bench.sh("echo said; echo wrong >&2", log={"driver": "none"})
    assert result.text == "said\nwrong\n"
    assert not (result.directory / "log").exists()
    assert (bench.sh("echo said").directory / "log").read_text().count("said") == 1
