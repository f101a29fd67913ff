"""The daemon in the background: where it lives, and what is said when it does not come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from minidocker.client import background
from minidocker.client.commandline import Failed
from minidocker.client.session import Session
from minidocker.errors import Unavailable
from tests.support.need import need_root


def test_the_daemons_flags_say_where_it_lives() -> None:
    where = background.places(["--data-root", "/d", "--exec-root=/e", "--debug"])
    assert (where.data_root, where.pidfile) == (Path("/d"), Path("/e/minidocker.pid"))
    assert str(where.address) == "unix:///e/minidocker.sock"
    assert where.log == Path("/d/daemon.log")
    other = background.places(["-H", "unix:///s", "-p", "/p"])
    assert (str(other.address), other.pidfile) == ("unix:///s", Path("/p"))
    assert str(background.places(["-Hunix:///s"]).address) == "unix:///s"
    assert str(background.places([]).address) == "unix:///run/minidocker/minidocker.sock"


def test_no_daemon_is_said_to_be_so(tmp_path: Path) -> None:
    flags = ["--exec-root", str(tmp_path)]
    running, text = background.status(flags)
    assert not running
    assert text.startswith("not running: Cannot connect")
    with pytest.raises(Failed, match="no daemon is running"):
        background.stop(flags)


def test_a_pidfile_of_somebody_else_is_no_daemon(tmp_path: Path) -> None:
    where = background.places(["-p", str(tmp_path / "pid")])
    (tmp_path / "pid").write_text("1")  # init is not ours
    assert background.running(where) is None
    (tmp_path / "pid").write_text("no number")
    assert background.running(where) is None


def test_last_words_are_those_of_this_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    begin = log.stat().st_size
    assert "it said nothing" in background.last_words(log, begin)
    with open(log, "a") as file:
        file.write("Traceback\nminidocker daemon: no overlay\n\n")
    assert background.last_words(log, begin) == f"no overlay (log: {log})"


def test_a_named_daemon_is_never_started_for_you(tmp_path: Path) -> None:
    for session in (
        Session(f"unix://{tmp_path}/s", {}),
        Session(None, {"DOCKER_HOST": f"unix://{tmp_path}/s"}),
    ):
        assert not session.embedded
        with pytest.raises(Unavailable, match="Is the daemon running"):
            _ = session.daemon
    assert Session(None, {}).embedded


def test_a_daemon_that_does_not_come_up_leaves_its_last_words(tmp_path: Path) -> None:
    need_root()  # only then is one started
    said: list[str] = []
    flags = ["--data-root", str(tmp_path / "data"), "--exec-root", str(tmp_path / "run"), "--nope"]
    with pytest.raises(Failed, match=r"the daemon did not come up: .*nope"):
        background.start(flags, said.append)
    assert len(said) == 1
