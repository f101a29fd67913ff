"""docker-py's own integration tests pass on this engine, but for those that are listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import docker_py_suite as suite
from tests.support.engine import Engine, mirror
from tests.support.need import need_program, need_root


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.timeout(900)
def test_docker_pys_own_tests_pass_but_for_those_that_are_listed(tmp_path: Path) -> None:
    need_root()
    need_program("docker")
    folders = [tmp_path / name for name in ("source", "engine", "client")]
    for folder in folders:
        folder.mkdir()
    source, python = suite.fetch(folders[0])
    with (
        mirror(tmp_path / "mirror", suite.IMAGES) as url,
        Engine(folders[1], "--registry-mirror", url) as engine,
    ):
        for image in suite.HERE:
            engine.docker("pull", "--quiet", image).ok()
        found = suite.run(source, python, engine, folders[2])
    wrong = suite.judge(found, suite.load(suite.LIST.read_text()))
    assert not wrong, "\n".join(wrong)


def test_every_reason_says_whose_it_is() -> None:
    known = ("dockerd ", "needs ")
    assert all(why.startswith(known) for why in suite.load(suite.LIST.read_text()).values())


names = st.sampled_from(["a.A.test_1", "a.A.test_2", "b.B.test_1", "b.B.test_2"])
said = st.sampled_from(["", "failure: no", "skipped: why", "expected: maybe"])


@given(st.dictionaries(names, said), st.dictionaries(names, st.just("needs x")))
def test_a_list_is_right_when_it_names_just_what_does_not_pass(
    found: dict[str, str], listed: dict[str, str]
) -> None:
    wrong = suite.judge(found, listed)
    either = {test for test, why in found.items() if why.startswith("expected")}
    failing = {test for test, why in found.items() if why} - either
    assert sorted(line.partition(" ")[0] for line in wrong) == sorted(
        failing ^ (set(listed) - either)
    )


def test_a_report_is_read_as_pytest_writes_it() -> None:
    def case(name: str, inside: str = "") -> str:
        return f'<testcase classname="tests.integration.a_test.A" name="{name}">{inside}</testcase>'

    failure, error = '<failure message="no">deep</failure>', '<error message="teardown" />'
    skipped = '<skipped type="pytest.xfail" message="flaky" />'
    cases = [case("fine"), case("bad", failure), case("bad", error), case("late", error)]
    cases += [case("other", skipped), case("talks", "<system-out>x</system-out>")]
    assert suite.outcomes(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>") == {
        "a_test.A.fine": "",
        "a_test.A.bad": "failure: no",
        "a_test.A.late": "error: teardown",
        "a_test.A.other": "expected: flaky",
        "a_test.A.talks": "",
    }


def test_a_test_is_listed_once() -> None:
    group = '[[group]]\nreason = "needs x"\ntests = ["a"]\n'
    assert suite.load(group) == {"a": "needs x"}
    with pytest.raises(ValueError, match="a is listed twice"):
        suite.load(group + group)
