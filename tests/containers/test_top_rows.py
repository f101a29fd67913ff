"""Of what the host's ps says, the rows of one container."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.top import parse_ps, run_ps
from minidocker.errors import InvalidParameter
from tests.containers.strategies import words
from tests.support.need import need_program

rows = st.lists(
    st.tuples(words, st.integers(1, 99), st.lists(words, min_size=1).map(" ".join)), max_size=6
)


@given(rows, st.sets(st.integers(1, 99)))
def test_only_its_processes_stay_and_the_command_stays_whole(
    table: list[tuple[str, int, str]], pids: set[int]
) -> None:
    text = "USER PID CMD\n" + "".join(f"{user}  {pid}   {cmd}\n" for user, pid, cmd in table)
    titles, found = parse_ps(text, pids)
    assert titles == ["USER", "PID", "CMD"]
    assert found == [[user, str(pid), cmd] for user, pid, cmd in table if pid in pids]


@given(st.text(max_size=40))
def test_any_text_is_a_table_or_refused(text: str) -> None:
    if "PID" in (text.splitlines() or [""])[0].split():
        assert parse_ps(text, {1})[0]
    else:
        with pytest.raises(InvalidParameter, match="PID"):
            parse_ps(text, {1})


@pytest.mark.parametrize(
    "arguments", ["-o ppid=PID", "-eo comm,ppid=PID", "-o user,ppid=PIDS,pid", "-o args= PID"]
)
def test_no_other_column_may_be_called_pid(arguments: str) -> None:
    """Its numbers would choose whose rows are shown."""
    need_program("ps")
    with pytest.raises(InvalidParameter, match=r'specifying ".*=PID.*" is not allowed'):
        asyncio.run(run_ps(arguments))


@pytest.mark.parametrize("arguments", ["-Z'", "--no-such-option"])
def test_arguments_that_ps_refuses_are_refused(arguments: str) -> None:
    need_program("ps")
    with pytest.raises(InvalidParameter, match="ps"):
        asyncio.run(run_ps(arguments))
