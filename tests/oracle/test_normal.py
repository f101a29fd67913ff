"""What no two runs share is taken away, and nothing else."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.sessions import SESSIONS, command, container_of, differences, normal

ROOT = Path("/tmp/somewhere/dockerd")


def told(text: str) -> str:
    return normal(text, ROOT, "session-life")


@given(st.text())
def test_what_is_normal_stays_so(text: str) -> None:
    assert told(told(text)) == told(text)


@given(st.text("abcxyz \n", max_size=40).filter(lambda text: "   " not in text))
def test_plain_words_are_left_alone(text: str) -> None:
    assert told(text) == text


def test_ids_folders_names_and_times_are_replaced() -> None:
    assert told("f" * 64) == told("sha256:" + "0" * 64) == "<id>"
    assert told("0123456789ab") == "<short id>"
    assert told(f"{ROOT}/data/x") == "<root>/data/x"
    assert told("No such container: session-life-2") == "No such container: $IT-2"
    assert told("2024-02-03T04:05:06.789Z x") == "<time> x"
    assert told("Up 2 seconds") == told("Up Less than a second") == "Up <a while>"


def test_the_programs_between_dockerd_and_the_container_are_not_compared() -> None:
    docker = (
        "docker: Error response from daemon: failed to create shim task: "
        "OCI runtime create failed: runc create failed: unable to start container process: "
        'exec: "x": permission denied: unknown'
    )
    assert told(docker) == 'docker: Error response from daemon: exec: "x": permission denied'


def test_a_setting_of_the_machine_is_not_compared() -> None:
    warning = "WARNING: IPv4 forwarding is disabled. Networking will not work.\n"
    assert told(f"{warning}docker: no\n") == "docker: no\n"


def test_a_difference_names_session_command_and_both_answers() -> None:
    theirs, ours = (
        [("wait $IT", "0 0"), ("rm $IT", "0 $IT")],
        [("wait $IT", "0 1"), ("rm $IT", "0 $IT")],
    )
    assert differences("life", theirs, ours) == [("life: wait $IT", "0 0", "0 1")]


def test_every_session_can_be_typed_and_has_a_container_name_of_its_own() -> None:
    assert len({container_of(name) for name in SESSIONS}) == len(SESSIONS)
    for name, lines in SESSIONS.items():
        for line in lines:
            assert command(line).argv(container_of(name))
