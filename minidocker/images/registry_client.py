"""Asking a registry: one repository at one endpoint, over HTTP.

The OCI distribution spec is three GETs for one who pulls: the tags, a manifest by tag
or digest, and a blob by digest, from a byte on.  Around them stand credentials
(asked for by a 401, see ``auth``), redirects to wherever the bytes really are,
and errors, which are turned into sentences here.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from minidocker.errors import MinidockerError, Unavailable
from minidocker.images import auth
from minidocker.images.endpoints import Endpoint, host_of, is_insecure

if TYPE_CHECKING:  # httpx takes 150 ms to import: only a pull should pay for it
    import httpx

MANIFEST_LIMIT = 4 << 20  # bytes; the spec asks servers to take at least 4 MiB
CONNECT_TIMEOUT = 15.0  # seconds
SILENCE_TIMEOUT = 60.0  # seconds without a byte


class Unreachable(Unavailable):
    """No connection to the endpoint, or none that can be trusted: another may do."""


class Interrupted(Unavailable):
    """The connection or the server failed in the middle: worth trying again."""


class Answer(MinidockerError):
    """The registry understood, and said no.

    ``http_status`` is its status; ``code`` the spec's error code ("" when it
    named none); the message reads as Docker's: "manifest unknown: manifest unknown".
    """

    def __init__(self, http_status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


@dataclass(frozen=True)
class FetchedManifest:
    """A manifest's bytes as they came; ``claimed_digest`` is what the server calls them."""

    body: bytes
    media_type: str
    claimed_digest: str | None


class Repository:
    """One repository at one endpoint.  Use it with ``async with``.

    ``path``: "library/alpine".  ``certificates``: see ``RegistryConfig``.
    Every method raises ``Unreachable``, ``Interrupted`` or ``Answer``.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        credentials: auth.Credentials | None = None,
        certificates: Path | None = None,
        actions: str = "pull",
    ) -> None:
        self.endpoint = endpoint
        self.path = path
        self._credentials = credentials
        self._scope = f"repository:{path}:{actions}" if path else ""
        self._certificates = certificates
        self._authorization: str | None = None
        if credentials is not None and credentials.registry_token:
            self._authorization = f"Bearer {credentials.registry_token}"
        self._authorizing = asyncio.Lock()  # the layers' tasks share one token
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Repository:
        import httpx

        self._client = httpx.AsyncClient(
            verify=tls_context(self.endpoint, self._certificates),
            timeout=httpx.Timeout(SILENCE_TIMEOUT, connect=CONNECT_TIMEOUT),
            follow_redirects=True,
            # Bytes are hashed as they are: nobody on the way shall compress them.
            headers={"Accept-Encoding": "identity", "User-Agent": "minidocker"},
            # A proxy from the environment can reach the world, not this machine.
            trust_env=not is_insecure(self.endpoint.host, ()),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def ping(self) -> None:
        """GET /v2/: whether it is a registry, and takes the credentials.  Needs no ``path``."""
        async with self._get(f"{self.endpoint.url}/v2/", {}):
            pass

    async def search(self, term: str, limit: int) -> bytes:
        """GET /v1/search, which Docker Hub has, and registries of the first version had."""
        url = f"{self.endpoint.url}/v1/search?q={quote(term, safe='')}&n={limit}"
        async with self._get(url, {}) as response:
            return await limited(response, url)

    async def tags(self) -> list[str]:
        """GET /v2/<name>/tags/list, page after page; in the registry's order, each once.

        A page's ``Link`` leads to the next (the spec's "Listing Tags"); its host counts for
        nothing, for the credentials are this endpoint's.
        """
        found: dict[str, None] = {}
        after = f"/v2/{self.path}/tags/list"
        while after:
            url, known = self.endpoint.url + after, len(found)
            async with self._get(url, {}) as response:
                found |= dict.fromkeys(tags_of(await limited(response, url), url))
                link = response.links.get("next", {}).get("url", "")
            next_page = urlsplit(urljoin(url, link))
            after = f"{next_page.path}?{next_page.query}" if link and len(found) > known else ""
        return list(found)

    async def manifest(self, tag_or_digest: str, accept: str) -> FetchedManifest:
        """GET /v2/<name>/manifests/<reference>; ``accept`` lists media types."""
        url = f"{self.endpoint.url}/v2/{self.path}/manifests/{tag_or_digest}"
        async with self._get(url, {"Accept": accept}) as response:
            body = await limited(response, url)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip()
            claimed = response.headers.get("docker-content-digest")
        return FetchedManifest(body, media_type, claimed)

    @asynccontextmanager
    async def blob(
        self, digest: str, offset: int = 0
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """GET /v2/<name>/blobs/<digest> from byte ``offset`` on (RFC 9110, 14.2).

        Yields where the bytes really begin, and the bytes: a server that knows
        no ranges, or has another idea of this one, begins at 0.
        """
        url = f"{self.endpoint.url}/v2/{self.path}/blobs/{digest}"
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._get(url, headers) as response:
            begins = 0
            if response.status_code == 206:
                begins = range_start(response.headers.get("content-range", ""))
                if begins != offset:
                    raise Interrupted(f"{url}: asked from byte {offset}, answered from {begins}")
            yield begins, response.aiter_raw()

    @asynccontextmanager
    async def _get(self, url: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        """A successful answer to GET, after authenticating when the registry wants it."""
        assert self._client is not None, "use it with async with"
        for attempt in range(2):
            sent = self._authorization
            known = {"Authorization": sent} if sent else {}
            with _sentences(url):
                async with self._client.stream("GET", url, headers=headers | known) as response:
                    if response.is_success:
                        yield response
                        return
                    body = await response.aread()
                    challenges = auth.parse_challenges(response.headers.get("www-authenticate", ""))
                    challenge = auth.choose_challenge(challenges)
            if response.status_code != 401 or challenge is None or attempt:
                break
            await self._authorize(challenge, sent)
        if challenge is not None and challenge.parameters.get("error") == "insufficient_scope":
            denied = "denied: requested access to the resource is denied"
            raise Answer(response.status_code, "DENIED", denied)
        raise refusal(response.status_code, response.reason_phrase, body)

    async def _authorize(self, challenge: auth.Challenge, sent: str | None) -> None:
        """Answer the challenge; another layer's task may have done so meanwhile."""
        async with self._authorizing:
            if self._authorization != sent:
                return
            if challenge.scheme == "basic":
                if self._credentials is None or not self._credentials.username:
                    raise Answer(401, "UNAUTHORIZED", "no basic auth credentials")
                self._authorization = self._credentials.basic
            else:
                self._authorization = f"Bearer {await self._buy_token(challenge)}"

    async def _buy_token(self, challenge: auth.Challenge) -> str:
        assert self._client is not None
        request = auth.token_request(challenge, self._scope, self._credentials)
        with _sentences(request.url):
            response = await self._client.request(
                request.method,
                request.url,
                params=request.fields if request.method == "GET" else None,
                data=request.fields if request.method == "POST" else None,
                headers={"Authorization": request.authorization} if request.authorization else {},
            )
        if not response.is_success:
            raise refusal(response.status_code, response.reason_phrase, response.content)
        try:
            return auth.token_of(response.json())
        except ValueError as error:
            raise Unavailable(f"the token server {request.url} answered no JSON: {error}") from None


async def limited(response: httpx.Response, url: str) -> bytes:
    """The answer's body as it came.  Raises ``Answer`` for one that is too long to be kept."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MANIFEST_LIMIT:
            raise Answer(502, "", f"the answer of {url} is larger than {MANIFEST_LIMIT} bytes")
    return bytes(body)


def tags_of(body: bytes, url: str) -> list[str]:
    """The spec's ``{"name": ..., "tags": [...]}``, where no tag at all may be null."""
    try:
        tags = json.loads(body)["tags"] or []
        if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
            return tags
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise Answer(502, "", f"the answer of {url} is no list of tags")


def range_start(content_range: str) -> int:
    """The first byte that ``Content-Range: bytes 100-199/200`` speaks of; -1 for nonsense."""
    match = re.match(r"\s*bytes\s+(\d+)-", content_range, re.IGNORECASE)
    return int(match.group(1)) if match else -1


def refusal(status: int, reason: str, body: bytes) -> MinidockerError:
    """The error that an unsuccessful answer means.

    The body is the spec's ``{"errors": [{"code", "message", "detail"}]}``, or a
    token server's ``{"details"}``/``{"message"}``, or anything.  A 5xx and 429
    are ``Interrupted``, for the next attempt may do better; else ``Answer``.
    """
    code, message = "", ""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if isinstance(said, dict):
        errors = said.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else said
        if isinstance(first, dict):
            code = str(first.get("code") or "")
            message = str(first.get("message") or first.get("details") or "")
    if code or message:
        word = (code or {401: "UNAUTHORIZED", 403: "DENIED"}.get(status, "unknown")).lower()
        text = f"{word.replace('_', ' ')}: {message or 'no reason given'}"
    else:
        text = f"received unexpected HTTP status: {status} {reason}".rstrip()
    if status == 429 or status >= 500:
        return Interrupted(text)
    return Answer(status, code, text)


def tls_context(endpoint: Endpoint, certificates: Path | None) -> ssl.SSLContext | bool:
    """How to verify the endpoint: the system's authorities and those of its directory.

    https://docs.docker.com/engine/security/certificates/
    """
    if not endpoint.url.startswith("https:"):
        return False
    context = ssl.create_default_context()
    if not endpoint.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    directory = certificates / endpoint.host if certificates else None
    try:
        for path in sorted(directory.iterdir()) if directory and directory.is_dir() else ():
            if path.suffix == ".crt":
                context.load_verify_locations(path)
            elif path.suffix == ".cert":
                context.load_cert_chain(path, path.with_suffix(".key"))
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(
            f"cannot use the certificates in {directory} for the registry {endpoint.host}: {error}"
        ) from error
    return context


class _sentences:
    """``with _sentences(url):`` turns httpx's exceptions into ours, with the URL and advice."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import httpx

        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            raise Unreachable(f'Get "{self.url}": {connection_trouble(error, self.url)}') from error
        if isinstance(error, httpx.TransportError | httpx.StreamError | httpx.TooManyRedirects):
            reason = str(error) or type(error).__name__
            raise Interrupted(f'Get "{self.url}": {reason}') from error
        if isinstance(error, httpx.InvalidURL):
            raise Unreachable(f'Get "{self.url}": {error}') from error


def connection_trouble(error: Exception, url: str) -> str:
    """Why no connection came about, in words that say what to do."""
    text = str(error) or type(error).__name__
    host = url.partition("://")[2].partition("/")[0]
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return (
            "http: server gave HTTP response to HTTPS client: "
            f"if it is yours, start the daemon with --insecure-registry {host}"
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return (
            f"tls: failed to verify certificate: {why or text}: put the registry's authority into "
            f"/etc/docker/certs.d/{host}/ca.crt, or start the daemon with "
            f"--insecure-registry {host}"
        )
    if "Name or service not known" in text or "name resolution" in text:
        why = text.rpartition("] ")[2].lower()  # without Python's [Errno -2]
        return f"dial tcp: lookup {host_of(host)}: no such host ({why})"
    if (number := kernels_reason(error)) is not None:
        return f"dial tcp {host}: connect: {os.strerror(number).lower()}"
    return f"dial tcp {host}: {text}"


def kernels_reason(error: BaseException | None) -> int | None:
    """The errno at the bottom of an exception: httpx and anyio wrap it three times."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = inner or error.__cause__ or error.__context__
    return None
