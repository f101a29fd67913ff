"""Challenges and tokens: what registries write into WWW-Authenticate, read back."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidocker.errors import Unavailable
from minidocker.images.auth import (
    Challenge,
    Credentials,
    choose_challenge,
    parse_challenges,
    token_of,
    token_request,
)

words = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=8)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
challenges = st.builds(Challenge, words, st.dictionaries(words, values, max_size=4))


def written(challenge: Challenge) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')

    parameters = ",".join(f'{key}="{quoted(v)}"' for key, v in challenge.parameters.items())
    return f"{challenge.scheme} {parameters}".rstrip()


@given(st.lists(challenges, max_size=3), st.sampled_from([",", ", ", " , "]))
def test_what_is_written_is_read_back(given: list[Challenge], comma: str) -> None:
    assert parse_challenges(comma.join(map(written, given))) == given


@given(st.text(max_size=80))
@example('Bearer realm="')
@example("Negotiate YII==, Basic realm=x")
def test_no_header_is_too_strange_to_read(header: str) -> None:
    for challenge in parse_challenges(header):
        assert challenge.scheme == challenge.scheme.lower() != ""


def test_docker_hubs_header() -> None:
    header = (
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
        'scope="repository:library/alpine:pull,push"'
    )
    [challenge] = parse_challenges(header)
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "https://auth.docker.io/token",
        "service": "registry.docker.io",
        "scope": "repository:library/alpine:pull,push",
    }


def test_an_opaque_scheme_before_another_does_not_hide_it() -> None:
    found = parse_challenges('Negotiate YIIabc==, Basic realm="x"')
    assert found == [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]


def test_bearer_goes_before_basic_and_nothing_else_is_answered() -> None:
    basic, bearer, other = Challenge("basic"), Challenge("bearer"), Challenge("negotiate")
    assert choose_challenge([basic, bearer]) is bearer
    assert choose_challenge([other, basic]) is basic
    assert choose_challenge([other]) is None


@given(values, values)
def test_basic_header_holds_name_and_password(name: str, password: str) -> None:
    scheme, _, encoded = Credentials(name, password).basic.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == f"{name}:{password}"


def test_secrets_are_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Credentials("me", "hunter2", "hunter2", "hunter2"))


REALM = Challenge("bearer", {"realm": "https://auth.example/token", "service": "reg"})


def test_an_anonymous_token_is_asked_for_without_authorization() -> None:
    request = token_request(REALM, "repository:a:pull", None)
    assert (request.method, request.authorization) == ("GET", None)
    assert request.fields == {"scope": "repository:a:pull", "service": "reg"}


def test_the_registrys_own_scope_goes_first() -> None:
    challenge = Challenge("bearer", {**REALM.parameters, "scope": "repository:b:pull"})
    assert token_request(challenge, "repository:a:pull", None).fields["scope"] == (
        "repository:b:pull"
    )


def test_a_password_goes_into_the_header_never_into_the_url() -> None:
    request = token_request(REALM, "s", Credentials("me", "hunter2"))
    assert request.fields["account"] == "me"
    assert request.authorization == Credentials("me", "hunter2").basic
    assert "hunter2" not in str(request.fields) + request.url


def test_an_identity_token_is_posted() -> None:
    request = token_request(REALM, "s", Credentials(identity_token="refresh"))
    assert request.method == "POST"
    assert request.fields["grant_type"] == "refresh_token"


@pytest.mark.parametrize("realm", ["", "ftp://x", "/token", "file:///etc/passwd"])
def test_a_realm_that_is_no_http_url_is_an_error(realm: str) -> None:
    with pytest.raises(Unavailable, match="token server"):
        token_request(Challenge("bearer", {"realm": realm}), "s", None)


def test_both_names_of_the_token_are_known() -> None:
    assert token_of({"token": "t"}) == "t"
    assert token_of({"access_token": "t"}) == "t"


@pytest.mark.parametrize("answer", [None, [], {}, {"token": ""}, {"token": 3}, "t"])
def test_an_answer_without_a_token_is_an_error(answer: object) -> None:
    with pytest.raises(Unavailable, match="without a token"):
        token_of(answer)
