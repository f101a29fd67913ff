"""``run`` on the wire: the order of its requests, its streams, its exit codes."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.client.conversations import ID, Container, argv, client, environment, err, out
from tests.client.fake import Exchange, FakeDaemon


def say_and_exit_3(connection: socket.socket) -> int:
    whole = out("out\n") + err("err\n") + out("more\n")
    for at in range(0, len(whole), 5):
        connection.sendall(whole[at : at + 5])
    return 3


def test_run_attaches_and_waits_before_it_starts(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        answer = client(daemon.socket_path, "run", "--name", "n", "busybox", "true")
    assert (answer.code, answer.out) == (3, "out\nmore\n")
    assert answer.err == "WARNING: a warning\nerr\n"
    assert daemon.lines == [
        "POST /containers/create",
        f"POST /containers/{ID}/attach",
        f"POST /containers/{ID}/wait",
        f"POST /containers/{ID}/start",
    ]
    create, attach, wait, _ = daemon.requests
    assert create.query == {"name": "n"}
    assert attach.query == {"stream": "1", "stdout": "1", "stderr": "1"}
    assert attach.headers["upgrade"] == "tcp"
    assert wait.query == {"condition": "next-exit"}


def test_with_rm_the_end_is_the_removal(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        client(daemon.socket_path, "run", "--rm", "busybox")
    assert daemon.requests[2].query == {"condition": "removed"}


def test_a_missing_image_is_pulled_and_create_asked_again(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3, known=False)) as daemon:
        answer = client(daemon.socket_path, "run", "nope", "true")
    assert answer.code == 3
    assert daemon.lines[:3] == [
        "POST /containers/create",
        "POST /images/create",
        "POST /containers/create",
    ]
    assert daemon.requests[1].query == {"fromImage": "nope", "tag": "latest"}
    assert answer.err.startswith(
        "Unable to find image 'nope:latest' locally\nlatest: Pulling from library/nope\n"
        "abc: Pulling fs layer\nWARNING"
    )


def test_with_pull_never_it_is_not(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3, known=False)) as daemon:
        answer = client(daemon.socket_path, "run", "--pull", "never", "nope")
    assert answer.code == 125
    assert answer.err.startswith("minidocker: Error response from daemon: No such image: nope")
    assert daemon.lines == ["POST /containers/create"]


def test_detached_prints_the_id_and_attaches_to_nothing(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        answer = client(daemon.socket_path, "run", "-d", "busybox")
    assert (answer.code, answer.out) == (0, ID + "\n")
    assert daemon.lines == ["POST /containers/create", f"POST /containers/{ID}/start"]


def echo_to_the_end(connection: socket.socket) -> int:
    """As ``cat`` does: what came is written when the other side has closed its half."""
    heard = b""
    while data := connection.recv(1000):
        heard += data
    connection.sendall(out(f"{len(heard)} bytes\n"))
    return 0


def test_the_end_of_stdin_closes_only_our_half(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(echo_to_the_end)) as daemon:
        answer = client(daemon.socket_path, "run", "-i", "busybox", "cat", input="x" * 1_000_000)
    assert (answer.code, answer.out) == (0, "1000000 bytes\n")
    assert daemon.requests[1].query["stdin"] == "1"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ("exec: /x: no such file or directory", 127),
        ("exec: /etc: permission denied", 126),
        ("exec: /etc: is a directory", 126),
        ("the kernel said no", 125),
    ],
)
def test_the_exit_code_of_a_failed_start_is_in_its_text(
    tmp_path: Path, message: str, code: int
) -> None:
    container = Container(say_and_exit_3)
    container.start_failure = (400, message)
    with FakeDaemon(tmp_path / "s", container) as daemon:
        answer = client(daemon.socket_path, "run", "--rm", "busybox", "x")
    assert answer.code == code
    assert f"minidocker: Error response from daemon: {message}\n" in answer.err
    assert "Run 'minidocker run --help' for more information" in answer.err


def test_signals_go_to_the_container(tmp_path: Path) -> None:
    container = Container(lambda connection: 0)

    def until_signalled(connection: socket.socket) -> int:
        connection.sendall(out("ready\n"))
        return 143 if container.signalled.wait(10) else 1

    container.program = until_signalled
    with (
        FakeDaemon(tmp_path / "s", container) as daemon,
        subprocess.Popen(
            argv(daemon.socket_path, "run", "busybox"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    [kill] = [each for each in daemon.requests if each.path.endswith("/kill")]
    assert kill.query == {"signal": "SIGTERM"}


def test_a_terminal_is_wanted_and_there_is_none(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        answer = client(daemon.socket_path, "run", "-it", "busybox")
    assert (answer.code, answer.err) == (1, "the input device is not a TTY\n")
    assert daemon.lines == []


def test_the_id_is_written_to_the_cidfile_and_never_over_one(tmp_path: Path) -> None:
    cidfile = tmp_path / "cid"
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        line = ("run", "-d", "--cidfile", str(cidfile), "busybox")
        assert client(daemon.socket_path, *line).code == 0
        again = client(daemon.socket_path, *line)
    assert cidfile.read_text() == ID
    assert again.code == 125
    assert "container ID file found" in again.err


def test_a_reader_who_has_had_enough_is_no_failure_to_shout_about(tmp_path: Path) -> None:
    def much(connection: socket.socket) -> int:
        try:
            while True:
                connection.sendall(out("y\n" * 10000))
        except OSError:
            return 0

    with FakeDaemon(tmp_path / "s", Container(much)) as daemon:
        command = " ".join(argv(daemon.socket_path, "run", "busybox"))
        answer = subprocess.run(
            ["sh", "-c", f"{command} | head -1"],
            env=environment(),
            capture_output=True,
            check=False,
            timeout=30,
        )
    assert answer.stdout == b"y\n"
    assert b"Traceback" not in answer.stderr


def test_a_file_that_is_missing_here_is_no_program_that_is_missing_there(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", Container(say_and_exit_3)) as daemon:
        answer = client(daemon.socket_path, "run", "--env-file", "/no/such", "busybox")
    assert answer.code == 125
    assert answer.err.startswith("minidocker: open /no/such: no such file or directory\n")
    assert daemon.lines == []


def test_a_daemon_that_dies_meanwhile_is_named(tmp_path: Path) -> None:
    container = Container(say_and_exit_3)

    def answer(exchange: Exchange) -> None:
        if exchange.asked.path.endswith("/wait"):
            exchange.chunks()  # an end without an answer
        else:
            container(exchange)

    with FakeDaemon(tmp_path / "s", answer) as daemon:
        result = client(daemon.socket_path, "run", "busybox")
    assert result.code == 125
    assert "the daemon ended before it could tell the exit code" in result.err
