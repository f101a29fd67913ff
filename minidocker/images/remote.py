"""What a registry knows, without bringing it here: a manifest's descriptor, a search, a login.

Each asks the endpoints of a registry in turn, as a pull does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from minidocker.errors import (
    InvalidParameter,
    NotFound,
    SystemFailure,
    Unauthorized,
    Unavailable,
)
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import (
    DOCKER_HUB,
    Endpoint,
    RegistryConfig,
    endpoints,
)
from minidocker.images.pull import addresses_of, check_content
from minidocker.images.registry_client import (
    MANIFEST_LIMIT,
    Answer,
    Interrupted,
    Repository,
    Unreachable,
)
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.manifest import ACCEPT, Manifest, parse_manifest
from minidocker.oci.platform import Platform
from minidocker.oci.reference import Reference

HUB_SEARCH = "https://index.docker.io"

T = TypeVar("T")


@dataclass(frozen=True)
class Described:
    """A name's manifest or index, and the platforms for which there is an image."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


async def describe(
    reference: Reference, registry: RegistryConfig, auth: Credentials | None
) -> Described:
    """What the registry has under the name.

    Raises ``NotFound``, ``Unauthorized``, ``Unavailable``, ``InvalidParameter``.
    """

    async def ask(endpoint: Endpoint) -> Described:
        credentials = None if endpoint.mirror else auth
        async with Repository(
            endpoint, reference.path, credentials, registry.certificates
        ) as repository:
            return await _describe(repository, reference)

    try:
        return await _first(reference.domain, registry, ask)
    except Answer as error:
        if error.http_status == 404:
            raise NotFound(str(error)) from error
        if error.http_status in (401, 403):
            raise Unauthorized(str(error)) from error
        raise SystemFailure(str(error)) from error


async def _describe(repository: Repository, reference: Reference) -> Described:
    asked = reference.digest or reference.tag or "latest"
    fetched = await repository.manifest(asked, ACCEPT)
    check_content(fetched.body, reference.digest or fetched.claimed_digest)
    said = parse_manifest(fetched.body, fetched.media_type)
    descriptor = Descriptor(said.media_type, digest_of(fetched.body), len(fetched.body))
    if not isinstance(said, Manifest):
        listed = tuple(each.platform for each in said.manifests if each.platform)
        return Described(descriptor, listed)
    if said.config.size > MANIFEST_LIMIT:
        raise InvalidParameter(f"{reference.familiar()} has a config of {said.config.size} bytes")
    async with repository.blob(said.config.digest) as (_, chunks):
        body = b"".join([chunk async for chunk in chunks])
    check_content(body, said.config.digest, said.config.size)
    return Described(descriptor, (ImageConfig.from_bytes(body).platform,))


async def login(domain: str, registry: RegistryConfig, auth: Credentials) -> None:
    """Returns when the registry at ``domain`` ("docker.io", "host:port") takes the credentials.

    Raises ``Unauthorized`` when not, ``Unavailable``, ``SystemFailure``.
    """

    async def ask(endpoint: Endpoint) -> None:
        async with Repository(endpoint, "", auth, registry.certificates) as repository:
            try:
                await repository.ping()
            except Answer as error:
                kind = Unauthorized if error.http_status in (401, 403) else SystemFailure
                reason = {401: "401 Unauthorized", 403: "403 Forbidden"}.get(
                    error.http_status, str(error)
                )
                raise kind(
                    f"login attempt to {endpoint.url}/v2/ failed with status: {reason}"
                ) from error

    await _first(domain, registry, ask, mirrors=False)


async def search(domain: str, term: str, limit: int, registry: RegistryConfig) -> list[Any]:
    """The objects that /v1/search of the registry finds, at most ``limit``.

    Raises ``Unavailable``; ``SystemFailure`` when the registry has no search.
    """

    async def ask(endpoint: Endpoint) -> list[Any]:
        url = HUB_SEARCH if domain == DOCKER_HUB else endpoint.url
        place = Endpoint(url, verify=endpoint.verify)
        async with Repository(place, "", None, registry.certificates) as repository:
            try:
                body = await repository.search(term, limit)
            except Answer as error:
                raise SystemFailure(
                    f"Unexpected status code {error.http_status}: {place.host} has no search"
                ) from error
        return _results(body)

    return await _first(domain, registry, ask, mirrors=False)


def _results(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)["results"]
    except (ValueError, KeyError, TypeError):
        raise SystemFailure("the registry's search answered something else than results") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SystemFailure("the registry's search answered something else than results")
    return found


async def _first(
    domain: str,
    registry: RegistryConfig,
    ask: Callable[[Endpoint], Awaitable[T]],
    mirrors: bool = True,
) -> T:
    """The answer of the first endpoint that can be reached; a mirror may also not have it."""
    places = endpoints(domain, registry, await addresses_of(domain))
    for endpoint in [each for each in places if mirrors or not each.mirror]:
        try:
            return await ask(endpoint)
        except (Unreachable, Interrupted, Answer) as error:
            if endpoint is places[-1] or not (endpoint.mirror or isinstance(error, Unreachable)):
                raise
    raise Unavailable(f"no registry to ask for {domain}")
