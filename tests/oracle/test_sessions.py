"""The same sessions at the docker command line, here and with dockerd: the same answers.

A difference that is meant has its reason in differences.toml, under "commands".
"""

from __future__ import annotations

import pytest

from tests.oracle import explained, sessions
from tests.oracle.sessions import SESSIONS, container_of, differences, play, shown
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine


def answers(daemon: Dockerd | Engine, name: str) -> list[tuple[str, str]]:
    """Each command of the session with its normalised answer."""
    return [
        (line, shown(answer, daemon.root, container_of(name)))
        for line, answer in play(daemon.docker, name)
    ]


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_reads_as_with_docker(name: str, dockerd: Dockerd, engine: Engine) -> None:
    found = differences(name, answers(dockerd, name), answers(engine, name))
    lines = [sessions.command(line).line for line in SESSIONS[name]]
    about_this = [
        entry
        for entry in explained.load("commands")
        if any(entry.names(f"{name}: {line}") for line in lines)
    ]
    verdict = explained.judge(found, about_this)
    assert not verdict.unexplained, "\n".join(verdict.unexplained)
    assert not verdict.stale, "no longer differ:\n" + "\n".join(verdict.stale)
