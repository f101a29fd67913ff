"""The tests that ran in the guest, each reported here under its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.guest.contents import REPO
from tests.guest.inside import FILES
from tests.guest.qemu import Report


def names() -> Iterator[str]:
    """The tests of ``FILES`` as pytest names them: ``path::function``."""
    for path in FILES:
        for node in ast.parse((REPO / path).read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path}::{node.name}"


# Longer than qemu.SECONDS, since the first of these tests waits for the whole guest.
pytestmark = [pytest.mark.guest, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", list(names()))
def test_in_the_guest(guest: Report, name: str) -> None:
    outcomes = guest.of(name)
    if not outcomes:
        pytest.fail(f"it did not run; the guest's console:\n{guest.console[-4000:]}", pytrace=False)
    failed = [f"{each.name}\n{each.text}" for each in outcomes if each.outcome == "failed"]
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)
    if all(each.outcome == "skipped" for each in outcomes):
        pytest.skip(outcomes[0].text)


def test_the_guest_has_run_everything_to_its_end(guest: Report) -> None:
    assert guest.exit == 0, guest.console[-4000:]
