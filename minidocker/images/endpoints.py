"""Where a repository may be asked for: the registry itself, its mirrors, and how safely.

Pure decisions.  Docker Hub (and only it) may have mirrors, which go first.  A
registry is spoken to over verified TLS, unless the user called it insecure or
it lives on this very machine: then TLS is not verified, and plain HTTP is the
second try.

https://docs.docker.com/reference/cli/dockerd/#insecure-registries
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from minidocker.errors import InvalidParameter

DOCKER_HUB = "docker.io"
DOCKER_HUB_URL = "https://registry-1.docker.io"
LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class RegistryConfig:
    """What the daemon's flags say about registries.

    ``mirrors``: URLs (``--registry-mirror``).  ``insecure``: "host", "host:port"
    or CIDR (``--insecure-registry``); loopback always is.  ``certificates``: a
    directory with one directory per registry ("host:port"), which may hold
    ``*.crt`` (authorities to trust) and ``*.cert`` with ``*.key`` (our own).
    ``retry_delay``: seconds before the second try of a blob; it doubles.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    certificates: Path = Path("/etc/docker/certs.d")
    attempts: int = 5
    retry_delay: float = 1.0
    layers_at_once: int = 3


@dataclass(frozen=True)
class Endpoint:
    """One place to ask.  ``url`` has no trailing slash."""

    url: str
    mirror: bool = False
    verify: bool = True

    @property
    def host(self) -> str:
        """ "host" or "host:port"."""
        return urlsplit(self.url).netloc


def endpoints(domain: str, config: RegistryConfig, addresses: Sequence[str] = ()) -> list[Endpoint]:
    """The endpoints to try for a reference's ``domain``, in order.

    ``addresses``: what the domain's host name resolves to; an IP address
    written as such needs none.
    """
    if domain == DOCKER_HUB:
        mirrors = [
            Endpoint(
                url, mirror=True, verify=not is_insecure(urlsplit(url).netloc, config.insecure)
            )
            for url in config.mirrors
        ]
        return [*mirrors, Endpoint(DOCKER_HUB_URL)]
    if is_insecure(domain, config.insecure, addresses):
        return [Endpoint(f"https://{domain}", verify=False), Endpoint(f"http://{domain}")]
    return [Endpoint(f"https://{domain}")]


def is_insecure(domain: str, insecure: Sequence[str], addresses: Sequence[str] = ()) -> bool:
    """Whether ``domain`` ("host" or "host:port") need not prove who it is.

    So it is when the user listed it by name (with its port, or without one for
    every port), or when one of its addresses is in a listed network or loopback.
    """
    host = host_of(domain)
    if domain in insecure or host in insecure:
        return True
    networks = [
        network for text in (*insecure, *LOOPBACK) if (network := _network(text)) is not None
    ]
    known = [address for text in (host, *addresses) if (address := _address(text)) is not None]
    if host == "localhost":
        return True
    return any(address in network for address in known for network in networks)


def host_of(domain: str) -> str:
    """The host of "host", "host:port", "[::1]:port", without port and brackets."""
    if domain.startswith("["):
        return domain[1:].partition("]")[0]
    return domain.partition(":")[0]


def parse_mirror(text: str) -> str:
    """A ``--registry-mirror`` value, checked; the URL without its trailing slash.

    Raises ``InvalidParameter`` for what is no http(s) URL or has more than a host.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise InvalidParameter(f'invalid mirror: unsupported scheme "{parts.scheme}" in "{text}"')
    if not parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidParameter(
            f'invalid mirror: path, query, or fragment at end of the URI "{text}"'
        )
    if parts.username is not None:
        raise InvalidParameter(f'invalid mirror: username/password not allowed in URI "{text}"')
    return f"{parts.scheme}://{parts.netloc}"


def parse_insecure(text: str) -> str:
    """An ``--insecure-registry`` value, checked.  Raises ``InvalidParameter``."""
    if "://" in text:
        raise InvalidParameter(f"insecure registry {text} should not contain '://'")
    if not text or text.startswith("-"):
        raise InvalidParameter(f'invalid insecure registry "{text}": a host, host:port or CIDR')
    if "/" in text and _network(text) is None:
        raise InvalidParameter(f'insecure registry "{text}" is not a valid CIDR or host[:port]')
    return text


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
