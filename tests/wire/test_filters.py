"""Filters travel as JSON, in two forms."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.wire import filters

given_filters = st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=8), max_size=4))


@given(given_filters)
def test_both_forms_decode_to_the_same(asked: dict[str, list[str]]) -> None:
    expected = {key: tuple(sorted(set(values))) for key, values in asked.items()}
    assert filters.decode(filters.encode(asked)) == expected
    assert filters.decode(json.dumps(asked)) == expected


def test_the_form_on_the_wire() -> None:
    assert filters.encode({"status": ["running", "paused"]}) == (
        '{"status":{"paused":true,"running":true}}'
    )
    assert filters.decode("") == {}
    assert filters.decode('{"a":{"b":false}}') == {"a": ()}


@pytest.mark.parametrize("text", ["{", "[]", '{"a":1}', '{"a":{"b":1}}', '{"a":[1]}'])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid filter"):
        filters.decode(text)
