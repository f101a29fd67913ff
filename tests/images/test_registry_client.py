"""The registry client against the real docker-registry, and what its refusals say."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import MinidockerError
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import Endpoint
from minidocker.images.registry_client import (
    Answer,
    Interrupted,
    Repository,
    Unreachable,
    connection_trouble,
    range_start,
    refusal,
    tags_of,
)
from tests.images.samples import OCI, digest, sample, write_layout
from tests.support.registry import PASSWORD, USER, Registry, serve_front, serve_registry

T = TypeVar("T")
ME = Credentials(USER, PASSWORD)
MANIFEST = f"{OCI}.manifest.v1+json"
SAMPLE = sample([{"a": b"x" * 5000}])
LAYER = digest(SAMPLE.layers[0])
KEYS = ["tags", "errors", "code", "message", "details"]
json_values = st.recursive(
    st.none() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=6,
)


def test_an_unknown_host_is_said_without_pythons_errno() -> None:
    error = OSError("[Errno -2] Name or service not known")
    said = connection_trouble(error, "https://registry.example:5000/v2/")
    assert said == ("dial tcp: lookup registry.example: no such host (name or service not known)")


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_content_range_is_read(first: int, more: int) -> None:
    assert range_start(f"bytes {first}-{first + more}/*") == first


@given(st.text(max_size=30))
def test_a_strange_content_range_is_no_number_of_bytes(text: str) -> None:
    assert range_start(text) >= -1


@given(st.integers(400, 599), st.text(max_size=10), st.binary(max_size=60))
def test_every_refusal_becomes_a_sentence(status: int, reason: str, body: bytes) -> None:
    error = refusal(status, reason, body)
    assert error.message
    assert isinstance(error, Interrupted) == (status == 429 or status >= 500)


@given(json_values)
def test_no_json_is_too_strange_for_a_refusal(said: object) -> None:
    assert isinstance(refusal(404, "", json.dumps(said).encode()), MinidockerError)


def test_a_refusal_reads_as_dockers() -> None:
    body = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}'
    error = refusal(404, "Not Found", body)
    assert isinstance(error, Answer)
    assert (error.code, error.message) == ("MANIFEST_UNKNOWN", "manifest unknown: manifest unknown")


def ask(
    endpoint: Endpoint,
    question: Callable[[Repository], Awaitable[T]],
    credentials: Credentials | None = None,
    certificates: Path | None = None,
    path: str = "client/it",
) -> T:
    async def run() -> T:
        async with Repository(endpoint, path, credentials, certificates) as repository:
            return await question(repository)

    return asyncio.run(run())


async def get_manifest(repository: Repository) -> bytes:
    return (await repository.manifest("latest", MANIFEST)).body


async def get_layer(repository: Repository, offset: int = 0) -> tuple[int, bytes]:
    async with repository.blob(LAYER, offset) as (begins, chunks):
        return begins, b"".join([chunk async for chunk in chunks])


def push(registry: Registry, tmp_path: Path) -> None:
    registry.push(write_layout(tmp_path / "layout", [SAMPLE]), "client/it:latest")


@pytest.mark.oracle
def test_manifests_and_blobs_come_as_they_were_pushed(registry: Registry, tmp_path: Path) -> None:
    push(registry, tmp_path)
    endpoint = Endpoint(f"http://{registry.host}")

    async def fetch(repository: Repository) -> None:
        fetched = await repository.manifest("latest", MANIFEST)
        assert fetched.body == SAMPLE.manifest
        assert fetched.media_type == MANIFEST
        assert fetched.claimed_digest == digest(SAMPLE.manifest)
        begins, body = await get_layer(repository, 7)
        assert (begins, body) == (7, SAMPLE.layers[0][7:])

    ask(endpoint, fetch)


@pytest.mark.oracle
def test_what_is_not_there_is_named_with_the_registrys_words(registry: Registry) -> None:
    with pytest.raises(Answer, match="manifest unknown") as caught:
        ask(Endpoint(f"http://{registry.host}"), get_manifest, path="no/such")
    assert caught.value.code == "MANIFEST_UNKNOWN"


@given(json_values)
def test_a_list_of_tags_is_one_or_is_refused(said: object) -> None:
    try:
        tags = tags_of(json.dumps(said).encode(), "url")
    except Answer:
        return
    assert isinstance(said, dict)
    assert tags == (said["tags"] or [])
    assert all(isinstance(tag, str) for tag in tags)


def test_what_is_no_json_is_no_list_of_tags() -> None:
    with pytest.raises(Answer, match="the answer of url is no list of tags"):
        tags_of(b"<html>", "url")
    assert tags_of(b'{"name": "it", "tags": null}', "url") == []


@pytest.mark.oracle
def test_the_tags_are_those_that_were_pushed(registry: Registry, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", [SAMPLE])
    for tag in ("latest", "two", "10"):
        registry.push(layout, f"client/tags:{tag}")
    endpoint = Endpoint(f"http://{registry.host}")
    assert sorted(ask(endpoint, Repository.tags, path="client/tags")) == ["10", "latest", "two"]
    with pytest.raises(Answer, match="repository name not known to registry"):
        ask(endpoint, Repository.tags, path="no/such")


@pytest.mark.parametrize("host", ["", "http://127.0.0.2:1"])
def test_the_tags_come_page_after_page_from_the_same_registry(host: str) -> None:
    """A link to another host is followed on this one; a page that brings nothing is the last."""
    pages = {"": ["a", "b"], "b": ["c"], "c": ["c"]}
    asked = []

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            tags = pages[self.path.partition("last=")[2]]
            self.send_response(200)
            self.send_header("Link", f'<{host}/v2/it/tags/list?n=2&last={tags[-1]}>; rel="next"')
            self.end_headers()
            self.wfile.write(json.dumps({"name": "it", "tags": tags}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            endpoint = Endpoint(f"http://127.0.0.1:{server.server_address[1]}")
            assert ask(endpoint, Repository.tags, path="it") == ["a", "b", "c"]
        finally:
            server.shutdown()
            thread.join()
    first = "/v2/it/tags/list"
    assert asked == [first, f"{first}?n=2&last=b", f"{first}?n=2&last=c"]


@pytest.mark.oracle
def test_a_password_is_given_when_it_is_asked_for(tmp_path: Path) -> None:
    with serve_registry(tmp_path / "registry", password=True) as locked:
        push(locked, tmp_path)
        endpoint = Endpoint(f"http://{locked.host}")
        assert ask(endpoint, get_manifest, ME) == SAMPLE.manifest
        with pytest.raises(Answer, match="no basic auth credentials"):
            ask(endpoint, get_manifest)
        with pytest.raises(Answer, match="unauthorized: authentication required"):
            ask(endpoint, get_manifest, Credentials(USER, "wrong"))


@pytest.mark.oracle
def test_tls_is_verified_against_the_registrys_own_authority(tmp_path: Path) -> None:
    with serve_registry(tmp_path / "registry", tls=True) as secure:
        push(secure, tmp_path)
        trusted = tmp_path / "certs" / secure.host
        trusted.mkdir(parents=True)
        assert secure.authority is not None
        (trusted / "ca.crt").write_bytes(secure.authority.read_bytes())
        endpoint = Endpoint(f"https://{secure.host}")
        assert ask(endpoint, get_manifest, certificates=tmp_path / "certs") == SAMPLE.manifest
        with pytest.raises(Unreachable, match=r"certificate.*ca\.crt.*--insecure-registry"):
            ask(endpoint, get_manifest)
        unverified = Endpoint(f"https://{secure.host}", verify=False)
        assert ask(unverified, get_manifest) == SAMPLE.manifest


@pytest.mark.oracle
def test_plain_http_behind_https_is_said_so(registry: Registry) -> None:
    with pytest.raises(Unreachable, match="server gave HTTP response to HTTPS client"):
        ask(Endpoint(f"https://{registry.host}", verify=False), get_manifest)


def test_nobody_listening_is_unreachable_with_the_address(unused_address: str) -> None:
    with pytest.raises(
        Unreachable, match=f"dial tcp {unused_address}: connect: connection refused"
    ):
        ask(Endpoint(f"http://{unused_address}"), get_manifest)


@pytest.mark.oracle
def test_one_token_is_bought_and_used_for_all(registry: Registry, tmp_path: Path) -> None:
    push(registry, tmp_path)

    async def four(repository: Repository) -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(get_layer(repository) for _ in range(4)))

    with serve_front(registry.host, bearer=True) as front:
        got = ask(Endpoint(f"http://{front.host}"), four)
        assert {hashlib.sha256(body).hexdigest() for _, body in got} == {LAYER[7:]}
        assert sum(path.startswith("/token") for path, _ in front.requests) == 1
        scopes = [path for path, _ in front.requests if path.startswith("/token")]
        assert "scope=repository%3Aclient%2Fit%3Apull" in scopes[0]


@pytest.mark.oracle
def test_a_token_server_that_knows_us_not_is_heard(registry: Registry, tmp_path: Path) -> None:
    push(registry, tmp_path)
    with serve_front(registry.host, bearer=True, anonymous=False) as front:
        endpoint = Endpoint(f"http://{front.host}")
        assert ask(endpoint, get_manifest, ME) == SAMPLE.manifest
        with pytest.raises(Answer, match="unauthorized: incorrect username or password"):
            ask(endpoint, get_manifest, Credentials(USER, "wrong"))


@pytest.mark.oracle
def test_a_cut_transfer_is_an_interruption(registry: Registry, tmp_path: Path) -> None:
    push(registry, tmp_path)
    with serve_front(registry.host, cut_after=10) as front, pytest.raises(Interrupted):
        ask(Endpoint(f"http://{front.host}"), get_layer)
