"""The table of routes, and the rules that are the same for all of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.daemon import routes
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import RawConnection, Request, Response
from minidocker.daemon.routes import NEWEST, OLDEST, ROUTES, Router, match, split_version
from minidocker.daemon.unserved import UNSERVED
from minidocker.errors import InvalidParameter, NotModified, StartFailed
from tests.daemon import api

versions = st.tuples(st.integers(0, 3), st.integers(0, 99))


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def no_hijack(content_type: str, accept: str = "") -> RawConnection:
    raise AssertionError


def request(method: str, path: str) -> Request:
    return Request(method, path, "", {}, nothing(), no_hijack)


def ask(method: str, path: str) -> Response:
    """The answer to a request that needs no engine."""

    async def run() -> Any:
        return await Router(cast(Engine, None)).job(request(method, path)).run()

    answer = asyncio.run(run())
    assert isinstance(answer, Response)
    return answer


def test_every_route_is_the_apis_own_operation() -> None:
    operations = api.operations()
    for route in ROUTES:
        if not route.pattern.startswith("/minidocker/"):
            assert operations[route.operation] == (route.method, route.pattern)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.pattern}")
def test_every_route_is_found_with_its_parameters(route: routes.Route) -> None:
    names = re.findall(r"\{(\w+)\}", route.pattern)
    values = dict.fromkeys(names, "a/b:c")
    assert match(route.method, route.pattern.format(**values)) == (route, values)


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "BREW"]), st.text(max_size=20))
def test_any_path_is_matched_or_is_none(method: str, path: str) -> None:
    found = match(method, f"/{path}")
    assert found is None or found[0].method == method


def test_an_id_may_hold_anything_but_is_never_empty() -> None:
    for id in ("a/b", "..", "a\nb", "json", "a/json"):
        found = match("GET", f"/containers/{id}/json")
        assert found is not None
        assert (found[0].operation, found[1]) == ("ContainerInspect", {"id": id})
    assert match("GET", "/containers//json") is None


@given(versions)
def test_versions_that_are_served_are_taken_off(version: tuple[int, int]) -> None:
    path = f"/v{version[0]}.{version[1]}/info"
    if OLDEST <= version <= NEWEST:
        assert split_version(path) == (version, "/info")
    else:
        with pytest.raises(InvalidParameter, match=r"is too (old|new)"):
            split_version(path)


def test_without_a_version_the_newest_is_meant() -> None:
    assert split_version("/info") == (NEWEST, "/info")
    assert split_version("/v2/info") == (NEWEST, "/v2/info")


@pytest.mark.parametrize("path", ["/nope", "/v1.50/nope", "/", "/v1.50", "/containers"])
def test_what_there_is_not_is_a_page_not_found(path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status, answer.content_type) == (404, "application/json")
    assert json.loads(answer.body) == {"message": "page not found"}
    api.check("ErrorResponse", json.loads(answer.body))


def test_what_is_not_served_yet_is_refused_by_the_commands_name() -> None:
    operations = set(api.operations().values())
    for method, pattern, command in UNSERVED:
        assert (method, pattern) in operations
        answer = ask(method, pattern.replace("{name}", "a/b").replace("{id}", "x"))
        assert answer.status == 400
        assert json.loads(answer.body)["message"].startswith(f"{command} is not supported")


def test_every_operation_outside_of_swarm_is_served_or_refused_by_name() -> None:
    ours = {(route.method, route.pattern) for route in ROUTES}
    ours |= {(method, pattern) for method, pattern, _ in UNSERVED}
    swarm = ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/plugins")
    missing = {each for each in api.operations().values() if each not in ours}
    assert {path for _, path in missing if not path.startswith(swarm)} == {"/volumes/{name}"}


def test_ping_has_the_headers_that_clients_look_for() -> None:
    for method in ("GET", "HEAD"):
        answer = ask(method, "/v1.24/_ping")
        headers = dict(answer.headers)
        assert (answer.status, answer.body) == (200, b"OK")
        assert headers["Builder-Version"] == "1"
        assert headers["Swarm"] == "inactive"
        assert "no-cache" in headers["Cache-Control"]
    assert dict(Router.headers)["Api-Version"] == "1.50"
    assert dict(Router.headers)["Ostype"] == "linux"


def test_there_is_no_swarm_to_leave() -> None:
    answer = ask("POST", "/swarm/leave")
    assert answer.status == 503
    assert json.loads(answer.body) == {"message": "This node is not part of a swarm"}


def test_version_is_what_the_api_says() -> None:
    shown = json.loads(ask("GET", "/version").body)
    api.check("SystemVersion", shown)
    assert (shown["ApiVersion"], shown["MinAPIVersion"]) == ("1.50", "1.24")


def test_304_has_no_body_and_a_failed_start_has_its_status() -> None:
    assert routes.answer_for(NotModified("so already")) == Response(304)
    assert routes.answer_for(StartFailed("no such file", 127)).status == 400
    assert routes.answer_for(StartFailed("mount: refused")).status == 500


def test_a_kernels_refusal_names_the_path() -> None:
    full = OSError(28, "No space left on device", "/data/upper/x")
    assert routes.describe_os_error(full).startswith("/data/upper/x: no space left on device")
    denied = OSError(13, "Permission denied", "/data")
    assert routes.describe_os_error(denied) == "/data: permission denied"


def test_a_mistake_in_a_handler_is_a_500_and_not_the_end() -> None:
    answer = ask("GET", "/info")  # there is no engine
    assert answer.status == 500
    assert "AttributeError" in json.loads(answer.body)["message"]


def test_the_table_says_what_only_waits_for_its_client() -> None:
    lasting = {route.operation for route in ROUTES if route.lasting}
    streams = {"SystemEvents", "ContainerStats", "ContainerLogs", "ContainerWait", "ImageCreate"}
    streams |= {"ImageSearch", "DistributionInspect"}
    assert lasting == streams
