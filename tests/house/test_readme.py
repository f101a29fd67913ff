"""The README's two commands: there, whole, and the ones that CI runs."""

from __future__ import annotations

import re
import shlex

from tests.house.source import ROOT

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)


def words(command: str) -> list[str]:
    return shlex.split(command, posix=True)


def test_there_are_two_commands_of_one_line_each() -> None:
    assert len(COMMANDS) == 2
    assert all("\n" not in command for command in COMMANDS)


def test_each_command_is_complete() -> None:
    """It needs Python, and nothing that an earlier command has made."""
    for command in COMMANDS:
        steps = command.split(" && ")
        assert steps[0] == "python3 -m venv .venv"
        assert words(steps[1])[:3] == [".venv/bin/pip", "install", "-q"]
        assert ".venv/bin/python" in steps[2]


def test_one_runs_a_container_and_one_runs_the_tests() -> None:
    assert "-m minidocker run" in COMMANDS[0]
    assert COMMANDS[1].endswith("-m pytest")


def test_ci_takes_the_commands_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    found = re.search(r"grep '\^(.+)' README\.md", script)
    assert found
    lines = [line for line in README.splitlines() if line.startswith(found[1])]
    assert lines == COMMANDS
    for index in range(len(COMMANDS)):
        assert f'eval "${{commands[{index}]}}"' in script


def test_the_readme_is_short() -> None:
    above = README.partition("\n## ")[0].splitlines()
    prose = [line for line in above[1:] if line.strip()]
    assert prose.index(next(line for line in prose if line.endswith(":"))) <= 5
