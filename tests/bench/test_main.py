"""What the benchmark is asked: good and bad."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.bench.__main__ import parse


def test_nothing_asked_means_dockerd_and_ten_rounds() -> None:
    wishes = parse([])
    assert (wishes.against, wishes.rounds, wishes.json) == (None, 10, False)


def test_a_socket_may_be_given_as_docker_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("d.sock")
        assert parse(["--against", f"unix://{tmp_path}/d.sock"]).against == tmp_path / "d.sock"


@pytest.mark.parametrize(
    "argv",
    [["--against", "unix:///no/such.sock"], ["--rounds", "0"], ["--rounds", "-3"], ["--what"]],
)
def test_what_makes_no_sense_is_refused(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(argv)
    assert refused.value.code == 2
    assert argv[-1].removeprefix("unix://") in capsys.readouterr().err
