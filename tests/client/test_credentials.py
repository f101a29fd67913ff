"""Credentials as Docker's config.json keeps them, found for the registry of an image."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.credentials import HUB, auth_header, find, host_of, registry_of
from minidocker.daemon.pull import parse_auth
from minidocker.errors import InvalidParameter

HOSTS = st.sampled_from(["registry.example", "localhost", "localhost:5000", "127.0.0.1:5000"])
NAMES = st.text("abc", min_size=1, max_size=5)
WORDS = st.text(st.characters(exclude_characters=":\0", codec="utf-8"), min_size=1)


def entry(user: str, word: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{word}".encode()).decode()}


def nobody(name: str, registry: str) -> str | None:
    raise AssertionError(f"no helper is named, and {name} is asked")


@given(HOSTS, NAMES, st.sampled_from(["", ":tag", "@sha256:" + "0" * 64]))
def test_a_host_before_the_first_slash_is_the_registry(host: str, name: str, tail: str) -> None:
    assert registry_of(f"{host}/{name}{tail}") == host


@pytest.mark.parametrize("image", ["alpine", "alpine:3", "me/it", "docker.io/me/it", "a:b"])
def test_what_names_no_registry_is_on_docker_hub(image: str) -> None:
    assert registry_of(image) == HUB


@given(HOSTS, WORDS, WORDS, st.sampled_from(["{}", "https://{}", "http://{}/v1/", "https://{}/v2"]))
def test_what_was_logged_in_with_is_found(host: str, user: str, word: str, key: str) -> None:
    config = {"auths": {key.format(host): entry(user, word), "other.example": entry("x", "y")}}
    found = find(config, host, nobody)
    assert found == {"username": user, "password": word, "serveraddress": host}


@given(HOSTS)
def test_nobody_who_has_not_logged_in_is_somebody(host: str) -> None:
    assert find({}, host, nobody) is None
    assert find({"auths": {"other.example": entry("x", "y")}}, host, nobody) is None
    assert find({"auths": {host: {}}}, host, nobody) is None


def test_docker_hub_has_more_than_one_name() -> None:
    assert host_of(HUB) == host_of("docker.io") == host_of("index.docker.io") == "docker.io"
    config = {"auths": {HUB: entry("me", "it")}}
    for image in ("alpine", "docker.io/library/alpine", "index.docker.io/library/alpine"):
        assert (find(config, registry_of(image), nobody) or {})["username"] == "me"


def test_a_helper_is_asked_before_the_file() -> None:
    def helper(name: str, registry: str) -> str | None:
        if registry == "unknown.example":
            return None
        user = "<token>" if registry == "token.example" else "me"
        return json.dumps({"ServerURL": registry, "Username": user, "Secret": name})

    config = {
        "credsStore": "all",
        "credHelpers": {"one.example": "one"},
        "auths": {"one.example": entry("file", "file")},
    }
    assert (find(config, "one.example", helper) or {})["password"] == "one"
    assert (find(config, "two.example", helper) or {})["password"] == "all"
    assert (find(config, "token.example", helper) or {})["identitytoken"] == "all"
    assert find(config, "unknown.example", helper) is None


def test_the_header_is_what_the_daemon_reads(tmp_path: Path) -> None:
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert auth_header("localhost:5000/it", environ) == {}
    auths = {"localhost:5000": entry("me", "secret: with a colon")}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    header = auth_header("localhost:5000/it", environ)["X-Registry-Auth"]
    read = parse_auth(header)
    assert read is not None
    assert (read.username, read.password) == ("me", "secret: with a colon")
    assert auth_header("alpine", environ) == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidParameter, match=r"config\.json"):
        auth_header("alpine", {"DOCKER_CONFIG": str(tmp_path)})
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "no-such-store"}))
    with pytest.raises(InvalidParameter, match="docker-credential-no-such-store"):
        auth_header("alpine", {"DOCKER_CONFIG": str(tmp_path)})
