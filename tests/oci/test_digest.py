"""Digests and chain IDs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.oci.chain import chain_id, chain_ids
from minidocker.oci.digest import check_digest, digest_of, hex_of, parse_digest, short_id
from tests.oci.texts import digests


@given(st.binary())
def test_a_digest_is_the_hash_of_the_bytes(data: bytes) -> None:
    digest = digest_of(data)
    assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert parse_digest(digest) == digest
    assert hex_of(digest) == digest.removeprefix("sha256:")
    assert hex_of(digest).startswith(short_id(digest))
    assert len(short_id(digest)) == 12


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "invalid checksum digest format"),
        ("sha256", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        (":" + "a" * 64, "invalid checksum digest format"),
        ("sha256:" + "a" * 63, "invalid checksum digest length"),
        ("sha256:" + "a" * 65, "invalid checksum digest length"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("sha256:" + "g" * 64, "invalid checksum digest format"),
        ("sha256:" + "a" * 64 + "\n", "invalid checksum digest format"),
        ("sha256:../../../../etc/passwd", "invalid checksum digest format"),
        ("md5:" + "a" * 32, "unsupported digest algorithm"),
    ],
)
def test_what_is_no_digest_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=f"^{said}$"):
        parse_digest(text)


def test_sha512_is_a_digest_that_the_store_does_not_hold() -> None:
    digest = "sha512:" + "a" * 128
    assert check_digest(digest) == digest
    with pytest.raises(InvalidParameter, match="only sha256"):
        parse_digest(digest)


@given(st.text(max_size=80))
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        assert parse_digest(text) == text
    except InvalidParameter:
        return
    assert len(text) == 71
    assert "/" not in text


@given(st.lists(digests, max_size=5), digests)
def test_a_chain_grows_from_its_parent(lower: list[str], top: str) -> None:
    chain = chain_ids([*lower, top])
    assert chain[:-1] == chain_ids(lower)
    assert chain[-1] == chain_id(chain[-2] if lower else None, top)


def test_the_chain_ids_of_the_specification() -> None:
    """config.md: ChainID(A) = DiffID(A), ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B))."""
    a, b, c = (digest_of(text) for text in (b"a", b"b", b"c"))
    ab = "sha256:" + hashlib.sha256(f"{a} {b}".encode()).hexdigest()
    abc = "sha256:" + hashlib.sha256(f"{ab} {c}".encode()).hexdigest()
    assert chain_ids([a, b, c]) == [a, ab, abc]
    assert chain_ids([]) == []


@given(st.lists(digests, min_size=2, max_size=5, unique=True))
def test_the_order_of_layers_is_part_of_the_name(diff_ids: list[str]) -> None:
    assert chain_ids(diff_ids)[-1] != chain_ids(reversed(diff_ids))[-1]
