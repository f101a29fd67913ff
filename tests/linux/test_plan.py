"""Performing a plan: in order, up to the first failure, and told as it went."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.linux.plan import Step, StepFailed, describe, perform, trace_entry


@dataclass(frozen=True)
class Note(Step):
    """Notes that it was executed; ``number`` is the errno it fails with, if any."""

    name: str
    journal: list[str] = field(compare=False, repr=False)
    number: int = 0
    chapter = "tests"

    def describe(self) -> str:
        return f"note {self.name}"

    def execute(self) -> None:
        self.journal.append(self.name)
        if self.number:
            raise OSError(self.number, "no", self.name)


def plan(numbers: list[int]) -> tuple[list[Step], list[str]]:
    journal: list[str] = []
    return [Note(str(at), journal, number) for at, number in enumerate(numbers)], journal


failing = st.lists(st.sampled_from([0, 0, 0, errno.EPERM, errno.ENOENT]), max_size=8)


@given(failing)
def test_what_comes_after_the_first_failure_is_not_executed(numbers: list[int]) -> None:
    steps, journal = plan(numbers)
    done: list[Step] = []
    good = next((at for at, number in enumerate(numbers) if number), len(numbers))
    if good == len(numbers):
        perform(steps, lambda step, began, took: done.append(step))
        assert journal == [str(at) for at in range(good)]
    else:
        with pytest.raises(StepFailed) as failed:
            perform(steps, lambda step, began, took: done.append(step))
        assert journal == [str(at) for at in range(good + 1)]
        assert failed.value.step is steps[good]
        assert failed.value.error.errno == numbers[good]
        assert failed.value.__cause__ is failed.value.error
        assert str(failed.value) == f"note {good}: {failed.value.error}"
    assert done == steps[:good]


@given(failing)
def test_the_steps_are_told_one_after_another(numbers: list[int]) -> None:
    steps, _ = plan(numbers)
    spans: list[tuple[int, int]] = []
    start = time.monotonic_ns()
    try:
        perform(steps, lambda step, began, took: spans.append((began, began + took)))
    except StepFailed as failed:
        spans.append((failed.began_ns, time.monotonic_ns()))
    moments = [start, *(moment for span in spans for moment in span), time.monotonic_ns()]
    assert moments == sorted(moments)


def test_what_is_no_refusal_of_the_kernel_is_raised_as_it_is() -> None:
    class Broken(Note):
        def execute(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        perform([Broken("broken", [])])


@given(failing)
def test_to_describe_is_not_to_execute(numbers: list[int]) -> None:
    steps, journal = plan(numbers)
    assert describe(steps) == [f"note {at}" for at in range(len(numbers))]
    assert journal == []


@given(st.text(), st.integers(), st.integers(), st.integers(), st.text())
def test_an_entry_tells_of_an_error_only_where_there_was_one(
    process: str, pid: int, began: int, took: int, error: str
) -> None:
    entry = trace_entry(process, pid, Note("x", []), began, took, error)
    assert entry.get("error", "") == error
    assert ("error" in entry) == bool(error)
    assert (entry["process"], entry["pid"]) == (process, pid)
    assert (entry["began_ns"], entry["took_ns"]) == (began, took)
    assert (entry["text"], entry["chapter"]) == ("note x", "tests")
