"""Requests as values: queries, numbers, bodies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.daemon.exchange import (
    MAX_JSON,
    RawConnection,
    Request,
    error_response,
    is_true,
    json_line,
    parse_query,
)
from minidocker.errors import InvalidParameter

texts = st.text(st.characters(codec="utf-8"), max_size=8)


async def hijack(content_type: str) -> RawConnection:
    return RawConnection(-1, content_type.encode())


def request(body: bytes = b"", query: str = "", **headers: str) -> Request:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/x", query, names, chunks(), hijack, version=(1, 50))


parts = texts.filter(lambda text: "\0" not in text)


@given(st.dictionaries(parts.filter(bool), st.lists(parts, min_size=1, max_size=3), max_size=3))
def test_a_query_is_read_as_it_was_written(query: dict[str, list[str]]) -> None:
    assert parse_query(urlencode(query, doseq=True)) == query


@given(st.text(max_size=40))
def test_any_query_is_read_or_refused(raw: str) -> None:
    if "\0" in raw or "%00" in raw:
        with pytest.raises(InvalidParameter):
            parse_query(raw)
    else:
        assert isinstance(parse_query(raw), dict)


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="malformed query"):
        parse_query("&".join(["a=1"] * 1001))


@pytest.mark.parametrize("text", ["", "0", "no", "false", "None", " FALSE "])
def test_what_docker_takes_for_false(text: str) -> None:
    assert not is_true(text)


@pytest.mark.parametrize("text", ["1", "true", "yes", "x"])
def test_everything_else_is_true(text: str) -> None:
    assert is_true(text)


def test_parameters() -> None:
    asked = request(query="a=1&a=2&n=-5&bad=x&empty=&on=1")
    assert asked.text("a") == "1"
    assert asked.number("n") == -5
    assert asked.number("empty") is asked.number("missing") is None
    assert asked.flag("on")
    assert not asked.flag("off")
    assert asked.flag("off", default=True)
    with pytest.raises(InvalidParameter, match='parsing "x"'):
        asked.number("bad")


@pytest.mark.parametrize("text", ["x", " 1", "1_0", "٣", "1.0", "0x1", "--1"])
def test_a_number_is_written_in_ascii_digits(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r'^n: strconv\.Atoi: parsing ".*": invalid syntax'):
        request(query=urlencode({"n": text})).number("n")


@pytest.mark.parametrize("text", [str(1 << 63), str(-(1 << 63) - 1), "9" * 5000])
def test_a_number_has_64_bits(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r'^n: strconv\.Atoi: parsing ".*": value out of'):
        request(query=f"n={text}").number("n")
    assert request(query=f"n={(1 << 63) - 1}").number("n") == (1 << 63) - 1


def test_no_parameter_holds_a_zero_byte() -> None:
    for query in ("a=x%00", "%00=x"):
        with pytest.raises(InvalidParameter, match="holds a zero byte"):
            parse_query(query)


def read(body: bytes, required: bool = True, **headers: str) -> Any:
    return asyncio.run(request(body, **headers).json(required))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(json_values)
def test_a_json_body_comes_back_as_it_was(value: Any) -> None:
    kind = "application/json; charset=utf-8"
    assert read(json_line(value), content_type=kind) == value
    assert json_line(value).endswith(b"\n")


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"", "application/json", "got EOF"),
        (b"{", "application/json", "invalid JSON"),
        (b"{} {}", "application/json", "invalid JSON"),
        (b"[" * 100_000, "application/json", "max depth"),
        (b"\xff", "application/json", "it is no UTF-8"),
        (b"\xef\xbb\xbf{}", "application/json", "invalid JSON: it begins with a byte order mark"),
        ("{}".encode("utf-16"), "application/json", "it is no UTF-8"),
        (b'{"a": NaN}', "application/json", "NaN is no number"),
        (b"[-Infinity]", "application/json", "-Infinity is no number"),
        (b'["\\uD800"]', "application/json", "it is no UTF-8: surrogates not allowed"),
        (b"1" * 5000, "application/json", r"the number 1{40}\.\.\. is too long"),
        (b"{}", "text/plain", "unsupported Content-Type"),
        (b"{}", "", "missing Content-Type"),
    ],
)
def test_a_body_that_is_none_says_why(body: bytes, kind: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        read(body, content_type=kind)


def test_an_optional_body_may_be_missing() -> None:
    assert read(b"", required=False) is None


def test_a_body_has_a_limit() -> None:
    with pytest.raises(InvalidParameter, match="too large"):
        read(b" " * (MAX_JSON + 1), content_type="application/json")


def test_errors_are_one_message_and_their_type_has_no_charset() -> None:
    answer = error_response(404, "No such container: é")
    assert answer.content_type == "application/json"
    assert json.loads(answer.body) == {"message": "No such container: é"}


@pytest.mark.parametrize(
    ("framed", "upgrade", "version", "kind"),
    [
        (True, True, (1, 50), "multiplexed"),
        (True, True, (1, 41), "raw"),
        (True, False, (1, 50), "raw"),
        (False, True, (1, 50), "raw"),
    ],
)
def test_frames_are_announced_to_those_who_know_them(
    framed: bool, upgrade: bool, version: tuple[int, int], kind: str
) -> None:
    asked = request(**({"upgrade": "tcp"} if upgrade else {}))
    asked.version = version
    given = asyncio.run(asked.hijack(framed))
    assert given.early == f"application/vnd.docker.{kind}-stream".encode()
