"""Manifests and indexes: what is written is what the specification's schemas allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Manifest,
    parse_manifest,
)
from tests.oci.schemas import validator
from tests.oci.texts import annotations, descriptors

manifests = st.builds(
    Manifest,
    st.sampled_from([OCI_MANIFEST, DOCKER_MANIFEST]),
    descriptors,
    st.lists(descriptors, min_size=1, max_size=3).map(tuple),
    annotations,
)
indexes = st.builds(
    Index,
    st.sampled_from([OCI_INDEX, DOCKER_LIST]),
    st.lists(descriptors, max_size=3).map(tuple),
    annotations,
)
DESCRIPTOR = {"mediaType": "a/b", "digest": digest_of(b""), "size": 0}
MANIFEST = {"schemaVersion": 2, "config": DESCRIPTOR, "layers": [DESCRIPTOR]}
INDEX = {"schemaVersion": 2, "manifests": [DESCRIPTOR]}


@given(manifests)
def test_a_manifest_is_read_back_and_fits_the_schema(manifest: Manifest) -> None:
    data = manifest.to_bytes()
    assert parse_manifest(data) == manifest
    assert parse_manifest(data, manifest.media_type) == manifest
    validator("image-manifest-schema.json").validate(json.loads(data))


@given(indexes)
def test_an_index_is_read_back_and_fits_the_schema(index: Index) -> None:
    data = index.to_bytes()
    assert parse_manifest(data, index.media_type) == index
    validator("image-index-schema.json").validate(json.loads(data))


@given(descriptors)
def test_a_descriptor_is_read_back_and_fits_the_schema(descriptor: Descriptor) -> None:
    assert Descriptor.from_json(descriptor.to_json()) == descriptor
    validator("content-descriptor.json").validate(descriptor.to_json())


@pytest.mark.parametrize(
    ("claimed", "body", "kind"),
    [
        ("", MANIFEST, OCI_MANIFEST),
        ("application/json", MANIFEST, OCI_MANIFEST),
        (OCI_MANIFEST, MANIFEST, OCI_MANIFEST),
        (DOCKER_MANIFEST, MANIFEST, DOCKER_MANIFEST),
        ("text/plain", MANIFEST | {"mediaType": DOCKER_MANIFEST}, DOCKER_MANIFEST),
        ("", INDEX, OCI_INDEX),
        (DOCKER_LIST, INDEX, DOCKER_LIST),
    ],
)
def test_the_type_is_the_bodys_then_the_servers(
    claimed: str, body: dict[str, Any], kind: str
) -> None:
    assert parse_manifest(json.dumps(body).encode(), claimed).media_type == kind


@pytest.mark.parametrize(
    ("claimed", "body", "said"),
    [
        ("", [], "a JSON object is wanted"),
        ("", {}, "unsupported media type"),
        ("", {"schemaVersion": 2, "manifests": [], "layers": []}, "both a manifest and an index"),
        (OCI_INDEX, MANIFEST | {"mediaType": OCI_MANIFEST}, "was sent as"),
        ("", MANIFEST | {"mediaType": OCI_INDEX}, "unsupported media type"),
        ("", MANIFEST | {"mediaType": "text/html"}, "unsupported media type"),
        ("", MANIFEST | {"mediaType": 7}, '"mediaType" must be str'),
        ("", MANIFEST | {"schemaVersion": 1}, '"schemaVersion" must be 2'),
        ("", MANIFEST | {"schemaVersion": True}, '"schemaVersion" must be int'),
        ("", MANIFEST | {"layers": {}}, '"layers" must be list'),
        ("", MANIFEST | {"layers": "x"}, '"layers" must be list'),
        ("", MANIFEST | {"layers": [3]}, '"layers" must be dict'),
        ("", MANIFEST | {"config": None}, 'without "mediaType"'),
        ("", MANIFEST | {"config": DESCRIPTOR | {"size": -1}}, 'good "size"'),
        ("", MANIFEST | {"config": DESCRIPTOR | {"size": 1.5}}, '"size" must be int'),
        ("", MANIFEST | {"config": DESCRIPTOR | {"digest": "x"}}, "checksum digest format"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", {}, "no longer supported"),
    ],
)
def test_what_is_no_manifest_is_refused_by_its_fault(claimed: str, body: Any, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        parse_manifest(json.dumps(body).encode(), claimed)


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 100_000, b'{"a": 1e999999}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        parse_manifest(data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["mediaType", "digest", "size", "platform"]), inner)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from([MANIFEST, INDEX]),
    st.dictionaries(st.sampled_from([*MANIFEST, *INDEX]), anything),
)
def test_what_is_accepted_fits_the_schema(body: dict[str, Any], broken: dict[str, Any]) -> None:
    """Whatever the fault, it is refused in words; what passes is valid to the schema too
    (but for null, which Go writes for what is empty)."""
    said = {key: value for key, value in (body | broken).items() if value is not None}
    check: Callable[[Any], None] = validator(
        "image-index-schema.json" if "manifests" in said else "image-manifest-schema.json"
    ).validate
    try:
        parsed = parse_manifest(json.dumps(said).encode())
    except InvalidParameter:
        return
    if isinstance(parsed, Index) or parsed.layers:
        check(json.loads(parsed.to_bytes()))


def test_the_schemas_refuse_something() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator("image-manifest-schema.json").validate({"schemaVersion": 2})
    assert (Path(__file__).parent / "schemas" / "defs.json").is_file()
