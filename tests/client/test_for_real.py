"""The client against the real engine: what users type, and the docker command beside it."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.client import background
from tests.client.conversations import client, environment
from tests.client.test_terminal import read_until
from tests.support.cli import run
from tests.support.engine import Engine
from tests.support.need import need_program, need_root

pytestmark = pytest.mark.kernel


@pytest.fixture
def ours(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.docker.remove_all_containers()


def test_streams_and_exit_code_come_through(ours: Engine) -> None:
    answer = ours.own("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (answer.code, answer.out, answer.err) == (3, "out\n", "err\n")
    assert (
        ours.own("run", "--rm", "-i", "busybox", "wc", "-c", input="x" * 300_000).out == "300000\n"
    )


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("busybox nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("busybox /etc", 126, "/etc"),
        ("-u nobodyx busybox true", 125, "nobodyx"),
        ("-m 1k busybox true", 125, "Minimum memory limit"),
        ("-w rel busybox true", 125, "rel"),
        ("--init busybox sh -c 'kill -9 $$'", 137, ""),
    ],
)
def test_a_failed_run_says_why_and_leaves_nothing(
    ours: Engine, line: str, code: int, text: str
) -> None:
    answer = ours.own("run", "--rm", *shlex.split(line))
    assert answer.code == code
    assert text in answer.err
    assert ours.docker("ps", "-aq").ok() == ""


def test_both_commands_show_the_same(ours: Engine) -> None:
    ours.own("run", "-d", "--name", "one", "-l", "a=b", "busybox", "sleep", "100").ok()
    ours.own("create", "--name", "two", "busybox", "a long command that is cut").ok()
    form = "{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Labels}} {{.Networks}}"
    for line in (
        ("ps", "-aq"),
        ("ps", "-a", "--no-trunc", "--format", form),
        ("ps", "--filter", "label=a=b", "--format", "table {{.Names}}\t{{.Image}}"),
        ("images", "--no-trunc"),
        ("images", "-q"),
        ("top", "one", "-o", "pid,comm"),
        (
            "inspect",
            "one",
            "-f",
            "{{.Config.Image}} {{json .Config.Env}} {{json .HostConfig.Binds}}",
        ),
        ("inspect", "one", "-f", "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{end}}"),
        ("logs", "one"),
    ):
        theirs, own = ours.docker(*line), ours.own(*line)
        assert (own.code, own.out) == (theirs.code, theirs.out), line


def test_a_life_from_create_to_rm(ours: Engine) -> None:
    ours.own("create", "-i", "--name", "life", "busybox", "cat").ok()
    assert ours.own("start", "life").ok() == "life"
    assert ours.own("exec", "-i", "life", "sh", "-c", "cat; exit 4", input="in").out == "in"
    assert ours.own("pause", "life").ok() == "life"
    assert "(Paused)" in ours.own("ps").out
    assert ours.own("unpause", "life").ok() == "life"
    assert ours.own("rename", "life", "other").code == 0
    assert ours.own("restart", "-t", "0", "other").ok() == "other"
    assert "running" in ours.own("rm", "other").err
    assert ours.own("kill", "other").ok() == "other"
    assert ours.own("wait", "other").ok() == "137"
    assert ours.own("rm", "other").ok() == "other"
    assert ours.own("inspect", "other").code == 1


def test_explain_tells_the_steps_that_dry_run_has_planned(ours: Engine) -> None:
    told = ours.own("run", "--rm", "--explain", "busybox", "true")
    planned = ours.own("run", "--dry-run", "busybox", "true").ok()
    assert told.code == 0
    for call in ("mount(", "pivot_root", "execve", "capset"):
        assert call in told.err
        assert call in planned
    assert ours.docker("ps", "-aq").ok() == ""


def test_a_terminal_a_detach_and_a_return(ours: Engine) -> None:
    master, slave = pty.openpty()
    try:
        line = ours.own_argv("run", "-it", "--name", "tty", "busybox", "sh")
        process = subprocess.Popen(
            line, stdin=slave, stdout=slave, stderr=slave, env=ours.environment
        )
        read_until(master, b"# ")
        os.write(master, b"x=41; tty\r")
        read_until(master, b"/dev/pts/0")
        os.write(master, b"\x10\x11")
        assert process.wait(10) == 0
        again = ours.own_argv("attach", "tty")
        process = subprocess.Popen(
            again, stdin=slave, stdout=slave, stderr=slave, env=ours.environment
        )
        os.write(master, b"\recho =$((x+1))=\r")
        read_until(master, b"=42=")
        os.write(master, b"exit 5\r")
        assert process.wait(10) == 5
    finally:
        os.close(master)
        os.close(slave)


def test_a_daemon_is_started_in_the_background_and_stopped(tmp_path: Path) -> None:
    need_root()
    flags = ["--data-root", str(tmp_path / "data"), "--exec-root", str(tmp_path / "run")]
    said: list[str] = []
    background.start(flags, said.append)
    try:
        assert len(said) == 1
        assert background.status(flags)[0]
        where = background.places(flags)
        answer = client(tmp_path / "run/minidocker.sock", "version", "-f", "{{.Server.Version}}")
        assert answer.code == 0
        assert where.log.stat().st_size > 0
    finally:
        background.stop(flags)
    assert not background.status(flags)[0]


def test_with_no_daemon_at_all_the_client_starts_one(tmp_path: Path) -> None:
    """In a mount namespace of its own, where the default places are empty."""
    need_root()
    unshare = need_program("unshare", package="util-linux")
    program = f"{sys.executable} -m minidocker"
    script = f"""
        mount -t tmpfs none /run && mount -t tmpfs none /var/lib && cd /
        {program} run --rm minidocker/base echo embedded; echo code $?
        {program} run --rm minidocker/base true; echo code $?
        {program} daemon start; echo code $?
        {program} daemon stop; echo code $?
        {program} daemon status; echo code $?
    """
    ready = {key: value for key, value in environment().items() if key != "DOCKER_HOST"}
    answer = run([unshare, "--mount", "sh", "-c", script], env=ready)
    assert answer.err.splitlines() == [
        "minidocker: starting a daemon "
        "(data in /var/lib/minidocker, log in /var/lib/minidocker/daemon.log)",
        answer.err.splitlines()[1],
    ]
    assert answer.err.splitlines()[1].startswith("the daemon is there already (running: pid ")
    lines = answer.out.splitlines()
    assert lines[:6] == [
        "embedded",
        "code 0",
        "code 0",
        "code 1",
        "stopped; containers that run go on",
        "code 0",
    ]
    assert lines[6].startswith("not running: ")
    assert lines[7:] == ["code 1"]
