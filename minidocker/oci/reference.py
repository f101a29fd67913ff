"""References: what people call images, and the full name behind a short one.

``alpine`` is ``docker.io/library/alpine:latest``.  The first component is a
registry's host if it looks like one (it has a dot, a colon or a capital, or is
"localhost"); else the registry is Docker Hub, whose official images live under
``library/``.

https://pkg.go.dev/github.com/distribution/reference
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from minidocker.errors import InvalidParameter
from minidocker.oci.digest import DIGEST, check_digest

DEFAULT_DOMAIN = "docker.io"
LEGACY_DOMAIN = "index.docker.io"
OFFICIAL = "library/"
DEFAULT_TAG = "latest"
PATH_LENGTH = 255  # characters
LENGTH = 4096  # of all of it; a longer one is not looked at

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"\w[\w.-]{0,127}"

REFERENCE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{DIGEST}))?",
    re.ASCII,
)
TAG = re.compile(_TAG, re.ASCII)
IMAGE_ID = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, order=True)
class Reference:
    """A full name.  ``tag`` and ``digest`` may both stand, or neither; the digest decides.

    ``domain``: "docker.io", "localhost:5000".  ``path``: "library/alpine".
    """

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """The repository: domain and path."""
        return f"{self.domain}/{self.path}"

    def familiar_name(self) -> str:
        """The repository as people write it: without what is the default anyway."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        short = self.path.removeprefix(OFFICIAL)
        return self.path if "/" in short else short

    def familiar(self) -> str:
        """The whole as people write it: "alpine:latest", "alpine@sha256:..."."""
        return self.familiar_name() + self._suffix()

    def __str__(self) -> str:
        return self.name + self._suffix()

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return tag + (f"@{self.digest}" if self.digest is not None else "")

    def tagged(self, tag: str = DEFAULT_TAG) -> Reference:
        """The tag in this repository, without a digest."""
        return replace(self, tag=tag, digest=None)

    def pinned(self, digest: str) -> Reference:
        """The digest in this repository, without a tag."""
        return replace(self, tag=None, digest=digest)


def parse_reference(text: str, default_tag: bool = True) -> Reference:
    """The reference that ``text`` means.  With ``default_tag``, a bare name gets ":latest".

    Raises ``InvalidParameter`` in Docker's words: "invalid reference format", with
    the reason where there is a nearer one.
    """
    if len(text) > LENGTH:
        raise InvalidParameter(f"invalid reference format: {len(text)} characters are no name")
    if IMAGE_ID.fullmatch(text):
        raise InvalidParameter(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, remainder = split_domain(text)
    path = remainder.partition(":")[0]
    if path.lower() != path:
        raise InvalidParameter(
            f"invalid reference format: repository name ({path}) must be lowercase"
        )
    match = REFERENCE.fullmatch(f"{domain}/{remainder}")
    if match is None:
        raise InvalidParameter("invalid reference format")
    reference = Reference(match["domain"], match["path"], match["tag"], match["digest"])
    if len(reference.path) > PATH_LENGTH:
        raise InvalidParameter(f"repository name must not be more than {PATH_LENGTH} characters")
    if reference.digest is not None:
        check_digest(reference.digest)
    elif reference.tag is None and default_tag:
        return reference.tagged()
    return reference


def split_domain(text: str) -> tuple[str, str]:
    """(domain, the rest): the domain that is written, or Docker Hub's."""
    first, slash, rest = text.partition("/")
    looks_like_a_host = first == "localhost" or first.lower() != first or set(first) & set(".:")
    domain, remainder = (first, rest) if slash and looks_like_a_host else (DEFAULT_DOMAIN, text)
    if domain == LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = OFFICIAL + remainder
    return domain, remainder
