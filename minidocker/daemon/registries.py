"""Asking registries: login, search, and what a name is there.

Engine API: SystemAuth, ImageSearch, DistributionInspect.
"""

from __future__ import annotations

import re
from typing import Any, Final

from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.fields import lower_keys, said, text
from minidocker.daemon.filters import Filters, one_flag, parse_filters
from minidocker.daemon.pull import parse_auth
from minidocker.errors import InvalidParameter
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import DOCKER_HUB
from minidocker.oci.reference import parse_reference

FILTERS: Final = ("is-automated", "is-official", "stars")
SEARCH_LIMIT: Final = 25
HUB_NAMES: Final = ("", "index.docker.io", "registry-1.docker.io", DOCKER_HUB)


async def auth(engine: Engine, request: Request) -> Answer:
    """Ask the registry; nothing is kept: the client sends its credentials with each request."""
    from minidocker.images.remote import login  # httpx is as large as all the rest

    body = lower_keys(await request.json(), "the body of a login")
    given = {name: said(body, name, text, "") for name in AUTH_FIELDS}
    credentials = Credentials(
        given["username"], given["password"], given["identitytoken"], given["registrytoken"]
    )
    if not (given["username"] or given["identitytoken"] or given["registrytoken"]):
        raise InvalidParameter("no credentials: a username and a password, or a token, are needed")
    await login(registry_domain(given["serveraddress"]), engine.registry, credentials)
    return json_response({"IdentityToken": "", "Status": "Login Succeeded"})


AUTH_FIELDS: Final = (
    *("username", "password", "email", "serveraddress"),  # registries ask for no email any more
    *("identitytoken", "registrytoken"),
)


def registry_domain(address: str) -> str:
    """The registry that a server address means: "https://host:5000/v2/" is host:5000."""
    host = re.sub(r"^https?://", "", address).partition("/")[0]
    return DOCKER_HUB if host in HUB_NAMES else host


async def inspect(engine: Engine, request: Request) -> Answer:
    """``/distribution/{name}/json``."""
    from minidocker.images.remote import describe

    reference = parse_reference(request.params["name"])
    credentials = parse_auth(request.headers.get("x-registry-auth", ""))
    found = await describe(reference, engine.registry, credentials)
    return json_response(
        {
            "Descriptor": found.descriptor.to_json(),
            "Platforms": [each.to_json() for each in found.platforms],
        }
    )


async def search(engine: Engine, request: Request) -> Answer:
    """``term`` ("x", or "host:5000/x" for another registry), ``limit``, ``filters``."""
    from minidocker.images.remote import search as ask

    term = request.text("term")
    if not term:
        raise InvalidParameter("term must not be empty: what is to be searched for?")
    limit = request.number("limit") or SEARCH_LIMIT
    if not 1 <= limit <= 100:
        raise InvalidParameter(f"Limit {limit} is outside the range of [1, 100]")
    filters = parse_filters(request.text("filters"), FILTERS)
    stars = least_stars(filters)
    domain, word = search_domain(term)
    found = [shown(each, domain) for each in await ask(domain, word, limit, engine.registry)]
    return json_response([each for each in found if _passes(each, filters, stars)])


def search_domain(term: str) -> tuple[str, str]:
    """Which registry is asked, and for what.  Raises ``InvalidParameter``."""
    if "://" in term:
        raise InvalidParameter(
            f"invalid repository name: repository name ({term}) should not have a scheme"
        )
    first, slash, rest = term.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        domain = registry_domain(first)
        return domain, rest.removeprefix("library/") if domain == DOCKER_HUB else rest
    return DOCKER_HUB, term.removeprefix("library/")


def least_stars(filters: Filters) -> int:
    """The ``stars`` filter.  Raises ``InvalidParameter``."""
    numbers = []
    for each in filters.get("stars", ()):
        if not re.fullmatch(r"[0-9]{1,9}", each):
            raise InvalidParameter(f"invalid filter 'stars=[{each}]'")
        numbers.append(int(each))
    return max(numbers, default=0)


def shown(found: dict[str, Any], domain: str) -> dict[str, Any]:
    """One result; of another registry with its name, so that it can be pulled so."""
    name = str(found.get("name") or "")
    return {
        "star_count": int(found.get("star_count") or 0),
        "is_official": bool(found.get("is_official")),
        "name": name if domain == DOCKER_HUB else f"{domain}/{name}",
        "is_automated": bool(found.get("is_automated")),
        "description": str(found.get("description") or ""),
    }


def _passes(found: dict[str, Any], filters: Filters, stars: int) -> bool:
    for key, name in (("is-automated", "is_automated"), ("is-official", "is_official")):
        if key in filters and one_flag(filters, key, False) != found[name]:
            return False
    return bool(found["star_count"] >= stars)
