"""Digests: the name of a content is the hash of its bytes.

``sha256:<64 hex digits>``.  Whoever asked for a digest can check what came,
whoever it came from; that one idea carries registries, layers and image IDs.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

from __future__ import annotations

import hashlib
import re

from minidocker.errors import InvalidParameter

PREFIX = "sha256:"

# digest ::= algorithm ":" encoded, as Docker restricts it.
DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}"
HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


def digest_of(data: bytes) -> str:
    """The digest of these bytes."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def check_digest(text: str) -> str:
    """``text``, if it is a digest of any registered algorithm.

    Raises ``InvalidParameter`` in Docker's words: the format, the algorithm
    (sha256, sha384, sha512), the number of digits.
    """
    algorithm, colon, encoded = text.partition(":")
    if not colon or not re.fullmatch(DIGEST + r"|[a-z0-9+._-]+:[0-9a-zA-Z=_-]+", text):
        raise InvalidParameter("invalid checksum digest format")
    if algorithm not in HEX_DIGITS:
        raise InvalidParameter("unsupported digest algorithm")
    if len(encoded) != HEX_DIGITS[algorithm]:
        raise InvalidParameter("invalid checksum digest length")
    if not re.fullmatch(r"[0-9a-f]+", encoded):
        raise InvalidParameter("invalid checksum digest format")
    return text


def parse_digest(text: str) -> str:
    """``text``, if it is a digest that the store can hold: ``sha256:`` and 64 hex digits.

    Raises ``InvalidParameter`` for all else; sha512 is a digest too, but the
    store has only one algorithm.
    """
    check_digest(text)
    if not text.startswith(PREFIX):
        raise InvalidParameter(f"unsupported digest algorithm: {text}: only sha256 is stored")
    return text


def hex_of(digest: str) -> str:
    """The digits without the algorithm: the blob's file name."""
    return digest.partition(":")[2]


def short_id(digest: str) -> str:
    """The first 12 digits, as people see them in lists."""
    return digest.removeprefix(PREFIX)[:12]
