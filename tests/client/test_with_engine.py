"""The client against the real engine where the terminal, files and bad input come in."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.test_terminal import read_until
from tests.images.pulls import SAMPLE
from tests.images.samples import write_layout
from tests.support.engine import Engine
from tests.support.registry import PASSWORD, USER, serve_registry

pytestmark = pytest.mark.kernel


@pytest.fixture
def ours(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.docker.remove_all_containers()


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of 24 rows and 100 columns: ours, the client's."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


def on(slave: int, ours: Engine, *line: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ours.own_argv(*line), stdin=slave, stdout=slave, stderr=slave, env=ours.environment
    )


def test_attach_has_the_screen_drawn_again(ours: Engine, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    program = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"
    ours.own("run", "-dt", "--name", "drawn", "busybox", "sh", "-c", program).ok()
    process = on(slave, ours, "attach", "--detach-keys", "x", "drawn")
    try:
        read_until(master, b"24 100")
    finally:
        ours.own("kill", "drawn").ok()
        assert process.wait(10) == 137


def test_the_keys_let_go_of_an_exec_and_the_program_stays(
    ours: Engine, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    ours.own("run", "-d", "--name", "held", "busybox", "sleep", "100").ok()
    process = on(slave, ours, "exec", "-it", "--detach-keys", "ctrl-x,x", "held", "sh")
    read_until(master, b"# ")
    os.write(master, b"\x18x")
    read_until(master, b"read escape sequence")
    assert process.wait(10) == 1
    assert ours.own("exec", "held", "true").code == 0


def test_ctrl_c_reaches_the_program(ours: Engine, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    process = on(slave, ours, "run", "--rm", "-it", "busybox", "sh")
    read_until(master, b"# ")
    os.write(master, b"stty size; cat\r")
    read_until(master, b"24 100")
    os.write(master, b"running\r")
    read_until(master, b"running\r\nrunning")  # what was typed, then what cat says
    os.write(master, b"\x03")
    read_until(master, b"# ")
    os.write(master, b"echo =$?=; exit 42\r")
    read_until(master, b"=130=")
    assert process.wait(10) == 42


def test_explain_comes_before_the_programs_words(ours: Engine, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    process = on(slave, ours, "run", "--rm", "--explain", "-it", "busybox", "echo", "said")
    shown = read_until(master, b"said\r\n").decode()
    assert process.wait(10) == 0
    assert shown.index("execve(") < shown.index("by chapter") < shown.rindex("said")
    places = [shown.index(f"\x1b[1m{name} (pid") for name in ("daemon", "starter", "init")]
    assert places == sorted(places)
    for flags in (["--explain"], ["--rm", "--explain"]):
        plain = ours.own("run", *flags, "busybox", "nosuch")
        assert plain.code == 127
        assert "\x1b" not in plain.err
        steps, _, rest = plain.err.partition(" steps in ")
        *_, step, why, _ = steps.split("\n")
        assert 'execve("nosuch"' in step
        assert why.strip().startswith("failed: exec:")
        assert "minidocker: Error response from daemon: exec:" in rest


def test_files_that_flags_name(ours: Engine, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\n# no\n\nB=x y\nHOME\n")
    cid = tmp_path / "cid"
    line = ("run", "--rm", "--env-file", f"{tmp_path}/env", "--cidfile", str(cid), "busybox", "env")
    assert {"A=1", "B=x y"} <= set(ours.own(*line).ok().splitlines())
    assert len(cid.read_text()) == 64
    for bad in (
        ("--cidfile", str(cid)),
        ("--cidfile", f"{tmp_path}/no/cid"),
        ("--env-file", f"{tmp_path}/no"),
        ("--env-file", str(tmp_path)),
    ):
        answer = ours.own("run", "--rm", *bad, "busybox", "true")
        assert (answer.code, answer.out) == (125, ""), bad
        assert str(tmp_path) in answer.err
    assert ours.own("ps", "-aq").out == ""


def test_pull_says_when_the_image_is_looked_for(ours: Engine) -> None:
    never = ours.own("run", "--rm", "--pull", "never", "busybox:none", "true")
    assert (never.code, "No such image: busybox:none" in never.err) == (125, True)
    always = ours.own("run", "--rm", "--pull", "always", "busybox", "true")
    assert always.code == 0
    assert "busybox:latest" in always.err
    missing = ours.own("run", "--rm", "busybox:none", "true")
    assert missing.code == 125
    assert missing.err.startswith("Unable to find image 'busybox:none' locally\n")


def test_mistakes_read_as_dockers_do(ours: Engine) -> None:
    for line in (
        ("start", "nope"),
        ("rename", "nope", "other"),
        ("exec", "nope", "true"),
        ("logs",),
        ("rm",),
        ("run", "-e"),
        ("run", "-m", "abc", "busybox"),
        ("run", "--cpus", "1000", "busybox"),
        ("run", "--rm", "-u", "nobodyx", "busybox", "id"),
        ("kill", "-s", "FOO", "nope"),
        ("run", "--rm", "--restart", "always", "busybox"),
    ):
        own, theirs = ours.own(*line), ours.docker(*line)
        assert own.code == theirs.code, line
        assert own.err == re.sub(r"\bdocker(?=:| run| rm| logs)", "minidocker", theirs.err), line


def test_pull_goes_with_what_docker_login_has_left(ours: Engine, tmp_path: Path) -> None:
    config = Path(ours.environment["DOCKER_CONFIG"]) / "config.json"
    with serve_registry(tmp_path / "registry", password=True) as locked:
        locked.push(write_layout(tmp_path / "layout", [SAMPLE]), "a/it:1")
        name = f"{locked.host}/a/it:1"
        refused = ours.own("pull", name)
        assert refused.code == 1
        assert "no basic auth credentials" in refused.err
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config.write_text(json.dumps({"auths": {locked.host: {"auth": auth}}}))
        try:
            ours.own("pull", "--quiet", name).ok()
            ours.own("rmi", name).ok()
        finally:
            config.unlink()
