"""Whose memory is counted, and how."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import memory
from tests.bench.memory import family, pss_kb


def test_pss_is_read_by_its_exact_name() -> None:
    text = "00400000-7ffc r--p 0 00:00 0 [rollup]\nRss: 900 kB\nPss: 321 kB\nPss_Anon: 7 kB\n"
    assert pss_kb(text) == 321
    with pytest.raises(ValueError, match="Pss"):
        pss_kb("Rss: 900 kB\n")


@given(st.dictionaries(st.integers(2, 30), st.integers(1, 30)))
def test_a_family_is_closed_under_children(parents: dict[int, int]) -> None:
    found = family(1, parents)
    assert 1 in found
    assert all(child in found for child, parent in parents.items() if parent in found)
    assert found <= {1} | parents.keys()


def test_a_child_is_in_the_family_and_has_memory() -> None:
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "a-mark-of-its-own"], stdin=subprocess.PIPE
    ) as child:
        assert child.pid in family(os.getpid(), memory.parents())
        assert child.pid in memory.naming("a-mark-of-its-own")
        assert memory.megabytes([child.pid]) > 0.1
        assert child.stdin is not None
        child.stdin.close()


def test_this_process_is_on_the_host_and_one_that_is_none_is_not() -> None:
    assert memory.on_the_host([os.getpid(), 2**22 + 1]) == {os.getpid()}


def test_a_process_that_has_ended_counts_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert memory.megabytes([child.pid]) == 0
