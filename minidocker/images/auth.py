"""How a registry asks who we are, and how we answer: challenges and tokens.

A registry that wants to know answers 401 with a ``WWW-Authenticate`` header.
``Basic`` wants the user's name and password with every request; ``Bearer``
names a token server, where they (or nothing, for what is public) buy a token
that is good for one repository and some minutes.  Everything here is pure:
texts in, values out; the requests are made by ``registry_client``.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minidocker.errors import Unavailable


@dataclass(frozen=True)
class Credentials:
    """Who the user is to one registry; ``docker login`` leaves one of these three.

    ``identity_token``: an OAuth2 refresh token instead of a password.
    ``registry_token``: a bearer token that is ready for use.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization: Basic`` header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate that a server offers; ``scheme`` and names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenRequest:
    """The request to a token server: GET with a query, or POST with a form."""

    method: str
    url: str
    fields: Mapping[str, str]
    authorization: str | None = None


_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?=[\s,]|$)")
_PARAMETER = re.compile(
    rf"[\s,]*({_TOKEN})\s*=\s*" + r'(?:"((?:[^"\\]|\\.)*)"|([^\s",=][^\s",]*))' + r"(?=[\s,]|$)",
    re.DOTALL,
)
_TOKEN68 = re.compile(r"\s+[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))")


def parse_challenges(header: str) -> list[Challenge]:
    """The challenges of a ``WWW-Authenticate`` header, in order.

    Several may stand in one header, and both they and their parameters are
    separated by commas (RFC 9110, 11.6.1): a word that no ``=`` follows is the
    next scheme.  Reading stops at the first thing that fits no rule; what came
    before it is kept, for a registry's sloppy header is no reason to give up.
    """
    challenges: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, bare = parameter.groups()
            value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        if not parameters and (opaque := _TOKEN68.match(header, position)):
            position = opaque.end()
        challenges.append(Challenge(scheme.group(1).lower(), parameters))
    return challenges


def choose_challenge(challenges: Sequence[Challenge]) -> Challenge | None:
    """The challenge to answer: Bearer before Basic, None when there is neither."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None


def token_request(
    challenge: Challenge, scope: str, credentials: Credentials | None
) -> TokenRequest:
    """The request that buys a token for ``scope`` ("repository:library/alpine:pull").

    The scope that the registry itself asked for goes before ours.  Raises
    ``Unavailable`` when the challenge names no token server.
    """
    realm = challenge.parameters.get("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise Unavailable(f'the registry names no usable token server: realm "{realm}"')
    wanted = challenge.parameters.get("scope") or scope
    fields = {"scope": wanted} if wanted else {}  # none: only who we are is asked
    if service := challenge.parameters.get("service"):
        fields["service"] = service
    if credentials is None:
        return TokenRequest("GET", realm, fields)
    if credentials.identity_token:
        refresh = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": "minidocker",
        }
        return TokenRequest("POST", realm, fields | refresh)
    return TokenRequest("GET", realm, fields | {"account": credentials.username}, credentials.basic)


def token_of(answer: object) -> str:
    """The token in a token server's JSON answer; the two names mean the same.

    Raises ``Unavailable`` when there is none.
    """
    if isinstance(answer, dict):
        for key in ("token", "access_token"):
            if isinstance(token := answer.get(key), str) and token:
                return token
    raise Unavailable("the registry's token server answered without a token")
