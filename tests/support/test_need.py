"""A missing prerequisite is skipped by name; in CI it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.need import need_file, need_program


@pytest.fixture(params=["", "true"])
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[BaseException]:
    """What a missing thing raises, on a learner's machine and in CI."""
    monkeypatch.setenv("CI", request.param)
    exception: type[BaseException] = (
        pytest.fail.Exception if request.param == "true" else pytest.skip.Exception
    )
    return exception


def test_a_missing_program_is_named_with_its_package(outcome: type[BaseException]) -> None:
    with pytest.raises(outcome, match=r"no-such-program.*apt-get install its-package"):
        need_program("no-such-program", package="its-package")


def test_a_missing_file_is_named_with_the_reason(
    outcome: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(outcome, match="absent: get it there"):
        need_file(tmp_path / "absent", "get it there")


def test_what_is_there_is_returned(tmp_path: Path) -> None:
    assert need_file(tmp_path, "") == tmp_path
    assert Path(need_program("sh")).name == "sh"
