"""What a pull is asked for, with whose credentials, and the lines it says."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.daemon.base_image import is_base
from minidocker.daemon.pull import message, parse_auth, wanted_reference
from minidocker.errors import InvalidParameter
from minidocker.images.auth import Credentials
from minidocker.images.progress import DOWNLOADING, Progress

DIGEST = "sha256:" + "a" * 64
texts = st.text(st.characters(codec="utf-8"), max_size=9)


def encoded(value: object, padded: bool = True) -> str:
    text = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    return text if padded else text.rstrip("=")


@given(texts.filter(bool), texts, st.booleans())
def test_credentials_are_read_with_and_without_padding(user: str, word: str, padded: bool) -> None:
    header = encoded({"username": user, "password": word, "serveraddress": "x"}, padded)
    assert parse_auth(header) == Credentials(user, word)


def test_tokens_are_credentials_too() -> None:
    said = {"identitytoken": "i", "registrytoken": "r"}
    assert parse_auth(encoded(said)) == Credentials(identity_token="i", registry_token="r")


@given(st.text(max_size=20))
def test_malformed_credentials_are_as_if_not_sent(header: str) -> None:
    assert parse_auth(header) is None


@pytest.mark.parametrize("value", [{}, [], "x", None, {"username": ""}, {"username": 5}])
def test_credentials_that_say_nothing_are_none(value: object) -> None:
    assert parse_auth(encoded(value)) is None


@pytest.mark.parametrize(
    ("name", "tag", "meant"),
    [
        ("alpine", "latest", "docker.io/library/alpine:latest"),
        ("alpine:3", "", "docker.io/library/alpine:3"),
        ("alpine", "", "docker.io/library/alpine"),
        ("alpine:3", "4", "docker.io/library/alpine:4"),
        ("a.b:5000/x/y", "1", "a.b:5000/x/y:1"),
        ("alpine", DIGEST, f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine@{DIGEST}", "", f"docker.io/library/alpine@{DIGEST}"),
    ],
)
def test_the_name_and_the_tag_make_a_reference(name: str, tag: str, meant: str) -> None:
    assert str(wanted_reference(name, tag)) == meant


def test_what_cannot_be_pulled_is_said() -> None:
    with pytest.raises(InvalidParameter, match="must be lowercase"):
        wanted_reference("Alpine", "latest")
    with pytest.raises(InvalidParameter, match="fromImage must not be empty"):
        wanted_reference("", "latest")


def test_lines_are_those_that_the_cli_draws() -> None:
    assert message(Progress("3", "Pulling from library/alpine")) == {
        "status": "Pulling from library/alpine",
        "id": "3",
    }
    assert message(Progress("abc", DOWNLOADING, 5, 10)) == {
        "status": "Downloading",
        "progressDetail": {"current": 5, "total": 10},
        "id": "abc",
    }
    assert message(Progress("abc", "Pull complete"))["progressDetail"] == {}
    assert message(Progress("", "Status: done")) == {"status": "Status: done"}


@pytest.mark.parametrize("name", ["minidocker/base", "docker.io/minidocker/base:latest"])
def test_the_embedded_image_is_known_by_its_names(name: str) -> None:
    assert is_base(name)


@pytest.mark.parametrize("name", ["minidocker/base:1", "base", "NOT A NAME", "x/minidocker/base"])
def test_others_are_not_it(name: str) -> None:
    assert not is_base(name)
