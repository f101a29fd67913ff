"""Pull: from a name to an image that can run.

The name leads to a manifest (by way of an index, where there is one image for
each platform), the manifest to a config and layers.  Each arrow is a digest, so
what comes is believed because it is checked, not because of who sent it.
Nothing has a name in the store before all of it is there; and what a failed or
cancelled pull brought is taken away again.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from minidocker.errors import InvalidParameter, MinidockerError, NotFound, SystemFailure
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import (
    DOCKER_HUB,
    RegistryConfig,
    endpoints,
    host_of,
)
from minidocker.images.progress import Progress, Tell
from minidocker.images.registry_client import (
    MANIFEST_LIMIT,
    Answer,
    FetchedManifest,
    Interrupted,
    Repository,
    Unreachable,
)
from minidocker.images.stack import bring_layers
from minidocker.images.store import Image, ImageStore
from minidocker.images.transfer import fetch_blob
from minidocker.oci.chain import chain_ids
from minidocker.oci.digest import digest_of
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.manifest import (
    ACCEPT,
    CONFIG_TYPES,
    LAYER_TYPES,
    Manifest,
    parse_manifest,
)
from minidocker.oci.platform import Platform, choose, host_platform, runs_on
from minidocker.oci.reference import TAG, Reference

T = TypeVar("T")

MANIFEST_ATTEMPTS = 3
INDEX_DEPTH = 3  # an index may list indexes; nobody needs more of them


@dataclass(frozen=True)
class Found:
    """The manifest for our platform: its bytes, what they say, and the digest that the
    name stands for (of the index, where there is one)."""

    body: bytes
    manifest: Manifest
    digest: str


async def pull(
    reference: Reference,
    *,
    store: ImageStore,
    platform: Platform | None = None,
    registry: RegistryConfig | None = None,
    auth: Credentials | None = None,
    progress: Tell = lambda news: None,
) -> Image:
    """Bring the image into ``store`` under its name, and return it.

    ``platform``: None for this machine's.  ``progress`` hears Docker's lines.
    Raises ``NotFound`` (no such repository, tag or platform, or none for these
    credentials), ``Unavailable`` (nobody answers), ``SystemFailure`` (what came is not
    what was promised, or could not be stored), ``InvalidParameter`` (it is no image).
    """
    if reference.digest is None and reference.tag is None:
        reference = reference.tagged()
    registry = registry or RegistryConfig()
    one = _Pull(reference, store, platform, registry, progress)
    image, is_new = await _where_it_is(reference, registry, auth, one.run)
    tell_status(progress, reference, is_new)
    return image


async def pull_every_tag(
    reference: Reference,
    *,
    store: ImageStore,
    platform: Platform | None = None,
    registry: RegistryConfig | None = None,
    auth: Credentials | None = None,
    progress: Tell = lambda news: None,
) -> list[Image]:
    """All that the repository has a tag for, one after the other; otherwise as ``pull``."""
    known = registry or RegistryConfig()

    async def each(repository: Repository) -> list[tuple[Image, bool]]:
        names = [listed(reference, tag) for tag in await repository.tags()]
        return [
            await _Pull(name, store, platform, known, progress).run(repository) for name in names
        ]

    found = await _where_it_is(reference, known, auth, each)
    tell_status(progress, reference, any(is_new for _, is_new in found))
    return [image for image, _ in found]


def listed(repository: Reference, tag: str) -> Reference:
    """The name of a tag that a registry lists.  Raises ``SystemFailure`` for what can be none."""
    if not TAG.fullmatch(tag):
        name = repository.familiar_name()
        raise SystemFailure(f"the registry lists a tag of {name} that can be none: {tag!r}")
    return repository.tagged(tag)


def tell_status(tell: Tell, reference: Reference, is_new: bool) -> None:
    """The last line: whether any of it was not here already."""
    said = "Downloaded newer image" if is_new else "Image is up to date"
    tell(Progress("", f"Status: {said} for {reference.familiar()}"))


async def _where_it_is(
    reference: Reference,
    registry: RegistryConfig,
    auth: Credentials | None,
    work: Callable[[Repository], Awaitable[T]],
) -> T:
    """Do ``work`` with the first endpoint that will have it."""
    places = endpoints(reference.domain, registry, await addresses_of(reference.domain))
    for endpoint in places:
        # A mirror is somebody else: the password for Docker Hub is not for it.
        credentials = None if endpoint.mirror else auth
        try:
            async with Repository(
                endpoint, reference.path, credentials, registry.certificates
            ) as repository:
                return await work(repository)
        except (Unreachable, Interrupted, Answer) as error:
            if endpoint is places[-1] or not (endpoint.mirror or isinstance(error, Unreachable)):
                raise explain(error, reference) from error
        except (OSError, sqlite3.OperationalError) as error:
            where = getattr(error, "filename", None) or "the store"
            reason = getattr(error, "strerror", None) or error
            raise SystemFailure(
                f"cannot store {reference.familiar()}: {reason}: {where}"
            ) from error
    raise SystemFailure(f"no registry to ask for {reference}")


@dataclass(frozen=True)
class _Pull:
    """One pull, from one endpoint."""

    reference: Reference
    store: ImageStore
    platform: Platform | None
    registry: RegistryConfig
    tell: Tell

    async def run(self, repository: Repository) -> tuple[Image, bool]:
        """The image, and whether its name stood for another or none before."""
        found = await self._find(repository)
        manifest = found.manifest
        blobs = [digest_of(found.body), manifest.config.digest]
        blobs += [layer.digest for layer in manifest.layers]
        chains: list[str] = []
        try:
            with self.store.claims.holding(blobs):
                config = await self._config(repository, manifest)
                chains += chain_ids(config.diff_ids)
                with self.store.claims.holding(chains):
                    await bring_layers(
                        *(repository, manifest.layers, config.diff_ids),
                        *(self.store, self.registry, self.tell),
                    )
                    return self._finish(found, config)
        finally:
            self.store.sweep(blobs, chains)

    async def _find(self, repository: Repository) -> Found:
        """The manifest for the platform, verified at every step."""
        asked = self.reference.digest or self.reference.tag or ""
        fetched = await self._manifest(repository, asked)
        # By tag there is no digest to check against but the server's own word.
        check_content(fetched.body, self.reference.digest or fetched.claimed_digest)
        self.tell(Progress(asked, f"Pulling from {self.reference.path}"))
        top = digest_of(fetched.body)
        body, said = fetched.body, parse_manifest(fetched.body, fetched.media_type)
        for _ in range(INDEX_DEPTH):
            if isinstance(said, Manifest):
                return Found(body, check_image(said), top)
            chosen = choose(said.manifests, self.platform or host_platform())
            body = (await self._manifest(repository, chosen.digest)).body
            check_content(body, chosen.digest, chosen.size)
            said = parse_manifest(body, chosen.media_type)
        raise InvalidParameter(f"{self.reference.familiar()} is an index of indexes of indexes")

    async def _manifest(self, repository: Repository, asked: str) -> FetchedManifest:
        attempt = 1
        while True:
            try:
                return await repository.manifest(asked, ACCEPT)
            except Interrupted:
                if attempt >= min(MANIFEST_ATTEMPTS, self.registry.attempts):
                    raise
            await asyncio.sleep(self.registry.retry_delay * attempt)
            attempt += 1

    async def _config(self, repository: Repository, manifest: Manifest) -> ImageConfig:
        """The image's config, checked against the manifest and the machine."""
        if manifest.config.size > MANIFEST_LIMIT:
            raise InvalidParameter(
                f"the image config of {self.reference.familiar()} has {manifest.config.size} "
                f"bytes, and more than {MANIFEST_LIMIT} are not taken"
            )
        async with self.store.claims.alone(manifest.config.digest):
            blobs = self.store.blobs
            await fetch_blob(repository, manifest.config, blobs, self.registry, _silence)
        config = ImageConfig.from_bytes(self.store.blobs.read(manifest.config.digest))
        if len(config.diff_ids) != len(manifest.layers):
            raise InvalidParameter("layers from manifest don't match image configuration")
        if config.platform.os != host_platform().os:
            raise InvalidParameter(
                f'image operating system "{config.os}" cannot be used on this platform'
            )
        return config

    def _finish(self, found: Found, config: ImageConfig) -> tuple[Image, bool]:
        """Give the image its names, all at once."""
        reference, familiar = self.reference, self.reference.familiar()
        before = self.store.named(reference)
        names = [reference.pinned(found.digest)]
        if reference.digest is None:
            names.append(reference)
        image = self.store.add_manifest(found.body, names)
        if self.platform is not None and not runs_on(config.platform, self.platform):
            warning = (
                f"WARNING: image with reference {familiar} was found but does not match the "
                f"specified platform: wanted {self.platform}, actual: {config.platform}"
            )
            self.tell(Progress("", warning))
        self.tell(Progress("", f"Digest: {found.digest}"))
        self.store.notify("pull", image.id, familiar)
        return image, before is None or before.id != image.id


def check_content(body: bytes, digest: str | None, size: int | None = None) -> None:
    """Raises ``SystemFailure`` when the bytes are not those of the digest and the size."""
    if digest is not None and digest.startswith("sha256:") and digest_of(body) != digest:
        raise SystemFailure(
            f"manifest verification failed for digest {digest}: its bytes have {digest_of(body)}"
        )
    if size is not None and len(body) != size:
        raise SystemFailure(
            f"manifest verification failed: {len(body)} bytes came, and {size} were promised"
        )


def check_image(manifest: Manifest) -> Manifest:
    """The manifest, if it is a container image's: others keep charts or models in registries.

    Raises ``InvalidParameter`` naming the media type.
    """
    if manifest.config.media_type not in (*CONFIG_TYPES, "application/octet-stream"):
        raise InvalidParameter(
            f'Encountered remote "{manifest.config.media_type}"(unknown) when fetching: '
            "this is no container image"
        )
    for layer in manifest.layers:
        if layer.media_type not in LAYER_TYPES:
            raise InvalidParameter(f'unsupported layer media type "{layer.media_type}"')
    return manifest


def explain(error: MinidockerError, reference: Reference) -> MinidockerError:
    """The registry's refusal, as Docker says it to the user (and as 404 what is not there)."""
    if not isinstance(error, Answer):
        return error
    name = reference.familiar_name()
    if error.code == "DENIED" or error.http_status == 403:
        return NotFound(
            f"pull access denied for {name}, repository does not exist or may require "
            f"'docker login': {error}"
        )
    if error.code == "NAME_UNKNOWN":
        return NotFound(f"repository {name} not found: {error}")
    if error.code == "MANIFEST_UNKNOWN" or error.http_status == 404:
        return NotFound(f"manifest for {reference.familiar()} not found: {error}")
    return SystemFailure(str(error))


async def addresses_of(domain: str) -> list[str]:
    """What the registry's host name resolves to: a network may be called insecure."""
    if domain == DOCKER_HUB:
        return []
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host_of(domain), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # the connection will fail too, and say why
    return [str(address[0]) for *_, address in found]


def _silence(news: Progress) -> None:
    """A config has no line of its own."""
