"""Addresses, queries and errors."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter, MinidockerError, Refused
from minidocker.wire import http
from minidocker.wire.http import TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:///run/d.sock", UnixAddress("/run/d.sock")),
        ("tcp://127.0.0.1:1234", TcpAddress("127.0.0.1", 1234)),
        ("tcp://localhost", TcpAddress("localhost", 2375)),
        ("tcp://[::1]:80/", TcpAddress("::1", 80)),
        ("tcp://:80", TcpAddress("127.0.0.1", 80)),
        ("http://a:1", TcpAddress("a", 1)),
    ],
)
def test_an_address_is_read(text: str, address: http.Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "/run/x", "unix://x", "tcp://a:b", "tcp://a:0", "bad://x", "tcp://[::1"]
)
def test_a_bad_address_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        parse_address(text)
    assert f"`{text}`" in str(raised.value)


@pytest.mark.parametrize("text", ["ssh://me@host", "npipe:////./pipe/x", "https://a"])
def test_other_transports_are_refused_by_name(text: str) -> None:
    with pytest.raises(Refused, match="unix:// and tcp:// only"):
        parse_address(text)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        address = parse_address(text)
    except MinidockerError:
        return
    assert parse_address(str(address)) == address


@given(st.text(max_size=20), st.integers(400, 599))
def test_an_error_says_its_message(text: str, status: int) -> None:
    said = http.error_message(http.error_body(text), status)
    assert said == text if text else str(status) in said


def test_an_error_that_is_no_object_is_shown_as_it_is() -> None:
    assert http.error_message(b"404 page not found\n", 404) == "404 page not found"


def test_a_query_leaves_out_what_is_not_said() -> None:
    assert http.query(all=True, size=False, limit=None, name="a b", t=["x", "y"]) == (
        "?all=1&name=a%20b&size=0&t=x&t=y"
    )
    assert http.query(name="", limit=None) == ""


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.text(min_size=1), min_size=1)))
def test_a_query_is_read_back_as_it_was_said(said: dict[str, list[str]]) -> None:
    assert parse_qs(http.query(**said).removeprefix("?")) == said


@given(st.text())
def test_a_path_keeps_its_slashes_and_nothing_that_could_end_it(path: str) -> None:
    quoted = http.quote(path, safe="/:@")
    assert unquote(quoted) == path
    assert quoted.count("/") == path.count("/")
    assert not set(quoted) & set("?# \r\n")
