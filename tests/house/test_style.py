"""ruff and mypy, as tests: one command checks everything."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.house.source import ROOT
from tests.support.need import missing


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--quiet", "minidocker", "tests", "chapters"),
        ("ruff", "format", "--quiet", "--check", "--diff", "minidocker", "tests", "chapters"),
        ("mypy", "--no-error-summary"),
    ],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_the_source_passes(command: tuple[str, ...]) -> None:
    if importlib.util.find_spec(command[0]) is None:
        missing(f"this test needs {command[0]}: pip install -e '.[test]'")
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
