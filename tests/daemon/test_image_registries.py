"""Login, search and distribution, against a real registry and a search of our own."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import docker
import pytest

from minidocker.daemon.registries import least_stars, registry_domain, search_domain, shown
from minidocker.errors import InvalidParameter
from tests.daemon import api
from tests.images.pulls import HERE, SAMPLE
from tests.images.samples import sample, write_layout
from tests.support.engine import Engine
from tests.support.registry import PASSWORD, USER, Registry, serve_front, serve_registry


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://a.b:5000/v2/", "a.b:5000"),
        ("localhost", "localhost"),
    ],
)
def test_which_registry_an_address_means(address: str, domain: str) -> None:
    assert registry_domain(address) == domain


def test_which_registry_a_term_means() -> None:
    assert search_domain("alpine") == search_domain("library/alpine") == ("docker.io", "alpine")
    assert search_domain("me/alpine") == ("docker.io", "me/alpine")
    assert search_domain("a.b:5/library/x") == ("a.b:5", "library/x")
    with pytest.raises(InvalidParameter, match="should not have a scheme"):
        search_domain("http://a.b/x")
    assert least_stars({"stars": frozenset({"3", "10"})}) == 10
    with pytest.raises(InvalidParameter):
        least_stars({"stars": frozenset({"x"})})
    assert shown({"name": "x"}, "a.b")["name"] == "a.b/x"


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a password, which has a/it:1 and, for two platforms, a/two:1."""
    root = tmp_path_factory.mktemp("locked")
    with serve_registry(root / "registry", password=True) as registry:
        registry.push(write_layout(root / "one", [SAMPLE]), "a/it:1")
        both = [sample([{"a": b"1"}], architecture=each) for each in ("amd64", "arm64")]
        registry.push(write_layout(root / "two", both, index=True), "a/two:1")
        yield registry


RESULTS = [
    {"name": "a/b", "description": "one\ntwo " * 20, "star_count": 2, "is_official": False},
    {"name": "c", "description": "", "star_count": 5, "is_official": True},
]


@contextlib.contextmanager
def serve_search() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A registry that has /v1/search: its host, and what it was asked."""
    asked: list[dict[str, list[str]]] = []

    class Search(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked.append(parse_qs(parts.query))
            found = parts.path == "/v1/search"
            body = json.dumps({"results": RESULTS}).encode() if found else b"no"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Search) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.kernel
def test_login_asks_the_registry(client: docker.DockerClient, locked: Registry) -> None:
    said = client.api.login(USER, PASSWORD, registry=locked.host, reauth=True)
    assert said == {"IdentityToken": "", "Status": "Login Succeeded"}
    with pytest.raises(docker.errors.APIError) as refused:
        client.api.login(USER, "wrong", registry=locked.host, reauth=True)
    assert refused.value.status_code == 401
    assert refused.value.explanation == (
        f"login attempt to http://{locked.host}/v2/ failed with status: 401 Unauthorized"
    )
    with pytest.raises(docker.errors.APIError, match="connection refused"):
        client.api.login(USER, PASSWORD, registry="127.0.0.1:1", reauth=True)
    with pytest.raises(docker.errors.APIError, match="no credentials"):
        client.api.login("", "", registry=locked.host, reauth=True)


@pytest.mark.kernel
def test_both_commands_log_in_and_out_alike(engine: Engine, locked: Registry) -> None:
    config = Path(engine.environment["DOCKER_CONFIG"]) / "config.json"
    config.write_text('{"psFormat": "x"}')
    texts = []
    try:
        for cli in (engine.docker, engine.own):
            line = ("login", locked.host, "-u", USER, "--password-stdin")
            logged_in = cli(*line, input=f"{PASSWORD}\n")
            kept = json.loads(config.read_text())
            assert kept["psFormat"] == "x"
            wrong = cli("login", locked.host, "-u", USER, "-p", "wrong")
            again = cli("login", locked.host)
            out = cli("logout", locked.host), cli("logout", locked.host)
            left = json.loads(config.read_text())
            texts.append((logged_in, kept, wrong, again.code, out, left))
    finally:
        config.unlink()
    assert texts[1] == texts[0]
    assert texts[0][0].code == 0
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert texts[0][1]["auths"] == {locked.host: {"auth": auth}}
    assert engine.own("login", locked.host).err.strip() == (
        "Error: Cannot perform an interactive login from a non TTY device"
    )
    assert not config.exists()


@pytest.mark.kernel
def test_distribution_names_the_platforms(client: docker.DockerClient, locked: Registry) -> None:
    auth = {"username": USER, "password": PASSWORD}
    one = client.api.inspect_distribution(f"{locked.host}/a/it:1", auth_config=auth)
    assert one["Descriptor"]["digest"] == SAMPLE.descriptor["digest"]
    assert one["Platforms"] == [{"architecture": HERE, "os": "linux"}]
    api.check("OCIDescriptor", one["Descriptor"])
    two = client.api.inspect_distribution(f"{locked.host}/a/two:1", auth_config=auth)
    assert [each["architecture"] for each in two["Platforms"]] == ["amd64", "arm64"]
    assert "index" in two["Descriptor"]["mediaType"]
    for name, status, text in (
        (f"{locked.host}/a/it:2", 404, "manifest unknown"),
        ("UPPER", 400, "must be lowercase"),
        ("127.0.0.1:1/x", 503, "connection refused"),
    ):
        with pytest.raises(docker.errors.APIError, match=text) as refused:
            client.api.inspect_distribution(name, auth_config=auth)
        assert refused.value.status_code == status
    with pytest.raises(docker.errors.APIError, match="no basic auth credentials") as refused:
        client.api.inspect_distribution(f"{locked.host}/a/it:1", auth_config={"x": "y"})
    assert refused.value.status_code == 401


@pytest.mark.kernel
def test_a_bearer_token_is_bought_for_a_description(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    with serve_registry(tmp_path / "registry") as registry:
        registry.push(write_layout(tmp_path / "one", [SAMPLE]), "a/it:1")
        with serve_front(registry.host, bearer=True) as front:
            found = client.api.inspect_distribution(f"{front.host}/a/it:1")
            assert found["Descriptor"]["digest"] == SAMPLE.descriptor["digest"]


@pytest.mark.kernel
def test_search_of_a_registry_that_has_one(engine: Engine, client: docker.DockerClient) -> None:
    with serve_search() as (host, asked):
        found = client.api.search(f"{host}/x y", limit=7)
        assert asked == [{"q": ["x y"], "n": ["7"]}]
        assert [each["name"] for each in found] == [f"{host}/a/b", f"{host}/c"]
        line = ("search", "--filter", "stars=3", "--filter", "is-official=true", f"{host}/x")
        own, theirs = engine.own(*line), engine.docker(*line)
        assert (own.code, own.out) == (theirs.code, theirs.out)
        assert own.out.splitlines()[1].split() == [f"{host}/c", "5", "[OK]"]
        for more in ((), ("--no-trunc",), ("--format", "{{.Name}} {{.StarCount}}")):
            assert engine.own("search", *more, f"{host}/x").out == (
                engine.docker("search", *more, f"{host}/x").out
            )


@pytest.mark.kernel
def test_a_registry_without_a_search_says_so(engine: Engine, locked: Registry) -> None:
    for line in (
        ("search", f"{locked.host}/x"),
        ("search", "--limit", "200", "x"),
        ("search", "--filter", "bad=1", "x"),
    ):
        own, theirs = engine.own(*line), engine.docker(*line)
        assert (own.code, own.err.strip()) == (theirs.code, theirs.err.strip())
        assert own.code == 1
    assert "Unexpected status code 404" in engine.own("search", f"{locked.host}/x").err
