"""The trace of a start: what was noted comes back, in the order of its beginning."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from minidocker.linux.plan import Step
from minidocker.namespaces.trace import Trace, read_trace


@dataclass(frozen=True)
class Say(Step):
    text: str
    chapter = "tests"

    def describe(self) -> str:
        return self.text

    def execute(self) -> None:
        """Nothing to do."""


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=9)
notes = st.lists(
    st.tuples(texts, texts, st.integers(0, 2**62), st.integers(0, 2**62), texts),
    max_size=6,
)


@given(notes)
def test_what_was_noted_is_read_in_the_order_of_its_beginning(
    written: list[tuple[str, str, int, int, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace")
        trace = Trace(str(path))
        for process, text, began, took, error in written:
            trace.process_is(process)
            trace.add(Say(text), began, took, error)
            trace.save()
        found = read_trace(path.read_bytes())
    assert [entry["began_ns"] for entry in found] == sorted(began for _, _, began, _, _ in written)
    assert all(entry["pid"] == os.getpid() for entry in found)
    seen = [
        (each["process"], each["text"], each["began_ns"], each["took_ns"], each.get("error", ""))
        for each in found
    ]
    assert sorted(seen) == sorted(written)


@given(st.lists(st.lists(texts, max_size=3), min_size=1, max_size=4))
def test_each_save_adds_what_is_new_and_a_new_trace_begins_anew(parts: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace")
        for _ in range(2):
            trace = Trace(str(path))
            for part in parts:
                for text in part:
                    trace.add(Say(text), 0, 0)
                trace.save()
        found = read_trace(path.read_bytes())
    assert [entry["text"] for entry in found] == [text for part in parts for text in part]


def test_a_step_whose_end_another_sees_takes_until_then(tmp_path: Path) -> None:
    trace = Trace(str(tmp_path / "trace"))
    trace.add(Say("first"), 1, 2)
    trace.begin(Say("second"))
    trace.ended()
    trace.save()
    first, second = read_trace((tmp_path / "trace").read_bytes())
    assert (first["text"], first["took_ns"]) == ("first", 2)
    assert second["text"] == "second"
    assert second["took_ns"] > 0


def test_without_a_file_nothing_is_kept() -> None:
    before = len(os.listdir("/proc/self/fd"))
    trace = Trace(None)
    trace.add(Say("x"), 0, 0)
    trace.begin(Say("y"))
    trace.ended()
    trace.save()
    assert trace.entries == []
    assert len(os.listdir("/proc/self/fd")) == before
