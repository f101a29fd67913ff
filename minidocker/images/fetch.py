"""Fetching a file from a URL, for an import: it comes as it goes, and never all at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from minidocker.errors import InvalidParameter, SystemFailure, Unavailable

TIMEOUT = 60.0  # seconds without a byte


@dataclass(frozen=True)
class Remote:
    """``size``: bytes, 0 when the server does not say."""

    size: int
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def fetch(url: str) -> AsyncIterator[Remote]:
    """The body of what is at ``url``; redirects are followed.

    Raises ``InvalidParameter`` for what is no URL; in Docker's words ``SystemFailure`` when it is
    refused and ``Unavailable`` when nobody answers, also in the middle.
    """
    import httpx

    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            if response.is_error:
                raise SystemFailure(
                    f"failed to GET {url} with status "
                    f"{response.status_code} {response.reason_phrase}: {await _said(response)}"
                )
            length = response.headers.get("content-length", "")
            # What is compressed on the way is what was compressed before.
            yield Remote(int(length) if length.isdigit() else 0, response.aiter_raw())
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidParameter(f"{url!r} cannot be fetched: {error}") from error
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        raise Unavailable(f'Get "{url}": {error or type(error).__name__}') from error


async def _said(response: object) -> str:
    """The beginning of an error's body."""
    import httpx

    assert isinstance(response, httpx.Response)
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > 500:
            break
    return body[:500].decode(errors="replace").strip()
