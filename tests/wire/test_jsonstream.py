"""Concatenated JSON: any chunking, any white space, decodes the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.wire import jsonstream
from minidocker.wire.jsonstream import JsonDecoder
from tests.wire.chunks import cut, places

leaves = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from('{}[]"\\')
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=4)
spaces = st.text(" \t\r\n", max_size=3)


@given(st.lists(st.tuples(objects, spaces, st.booleans()), max_size=6), places)
def test_any_chunking_decodes_to_what_was_encoded(
    sent: list[tuple[dict[str, Any], str, bool]], where: list[int]
) -> None:
    data = b""
    for value, space, indented in sent:
        written = json.dumps(value, indent=1).encode() if indented else jsonstream.encode(value)
        data += written + space.encode()
    decoder = JsonDecoder()
    got = [value for chunk in cut(data, where) for value in decoder.feed(chunk)]
    assert got == [value for value, _, _ in sent]
    assert decoder.complete


@given(objects, st.data())
def test_a_cut_connection_is_noticed(value: dict[str, Any], data: st.DataObject) -> None:
    written = jsonstream.encode(value).strip()
    decoder = JsonDecoder()
    assert decoder.feed(written[: data.draw(st.integers(1, len(written) - 1))]) == []
    assert not decoder.complete


@pytest.mark.parametrize(
    "data", [b"<html>", b'"text"', b"}", b"{}oops{}", b"{]}", b"12 {}", b"{'a'}"]
)
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter, match="stream of JSON objects"):
        JsonDecoder().feed(data)


def test_a_long_object_in_many_pieces_is_looked_at_once() -> None:
    decoder = JsonDecoder()
    data = jsonstream.encode({"x": ["{" * 10] * 20_000})
    got = [
        value for at in range(0, len(data), 4096) for value in decoder.feed(data[at : at + 4096])
    ]
    assert len(got) == 1


def test_progress_and_failure_are_docker_s() -> None:
    assert jsonstream.progress("Downloading", "a3ed95caeb02", 5, 10) == {
        "status": "Downloading",
        "progressDetail": {"current": 5, "total": 10},
        "id": "a3ed95caeb02",
    }
    assert jsonstream.progress("Digest: sha256:1") == {"status": "Digest: sha256:1"}
    assert jsonstream.failure("no") == {"errorDetail": {"message": "no"}, "error": "no"}
