"""Size is a feature: no file over 400 lines, no function over 50 without a reason."""

from __future__ import annotations

import pytest

from tests.house.source import ALL, Source

FILE_LINES = 400
FUNCTION_LINES = 50

# path::dotted.name -> why it is better long.
LONG_FUNCTIONS: dict[str, str] = {}


@pytest.mark.parametrize("source", ALL, ids=lambda source: str(source.path))
def test_a_file_can_be_read_in_one_sitting(source: Source) -> None:
    assert source.lines <= FILE_LINES, f"{source.path} has {source.lines} lines: split it"


@pytest.mark.parametrize("source", ALL, ids=lambda source: str(source.path))
def test_a_function_fits_on_a_screen(source: Source) -> None:
    long = [
        f"{source.path}:{node.lineno} {name} has {length} lines"
        for name, node in source.functions()
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
        and f"{source.path}::{name}" not in LONG_FUNCTIONS
    ]
    assert not long, "\n".join(long)


def test_the_list_of_long_functions_is_not_stale() -> None:
    names = {f"{source.path}::{name}" for source in ALL for name, _ in source.functions()}
    assert LONG_FUNCTIONS.keys() <= names
