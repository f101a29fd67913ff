"""HTTP/1.1 as bytes on a socket: whatever their pieces, and however rude the client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings

from minidocker.daemon.connection import DRAIN_LIMIT, MAX_HEAD
from minidocker.daemon.heads import http_date
from tests.daemon.wire import Echo, Wire, with_server
from tests.wire.chunks import cut, places

HOST = b"Host: docker\r\n"
UPGRADE = b"POST /hijack HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def get(path: str, more: bytes = b"") -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + HOST + more + b"\r\n"


def post(path: str, body: bytes, more: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode()
    return f"POST {path} HTTP/1.1\r\n".encode() + HOST + length + more + b"\r\n" + body


async def answer(wire: Wire) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (in lower case), body of one answer with a Content-Length."""
    status, headers = await head(wire)
    length = int(headers.get("content-length", 0))
    return status, headers, await wire.reader.readexactly(length)


async def head(wire: Wire) -> tuple[int, dict[str, str]]:
    lines = (await wire.until(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}


async def echoed(wire: Wire) -> Any:
    status, _, body = await answer(wire)
    assert status == 200
    return json.loads(body)


@given(places)
@settings(max_examples=15, deadline=None)
def test_pipelined_requests_are_answered_in_order_however_they_are_cut(where: list[int]) -> None:
    chunked = b"POST /echo/3 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    data = get("/echo/1?a=b%20c") + post("/echo/2%2F", b"x\r\ny") + chunked
    data += b"3\r\nabc\r\n1;e=1\r\nd\r\n0\r\nTrailer: t\r\n\r\n" + get("/echo/4")

    async def talk(wire: Wire, echo: Echo) -> list[Any]:
        for piece in cut(data, where):
            wire.send(piece)
            await wire.writer.drain()
        return [await echoed(wire) for _ in range(4)]

    found = [(one["path"], one["query"], one["body"]) for one in with_server(talk)]
    assert found == [
        ("/echo/1", "a=b%20c", ""),
        ("/echo/2/", "", "x\r\ny"),
        ("/echo/3", "", "abcd"),
        ("/echo/4", "", ""),
    ]


def test_a_client_that_closed_its_writing_half_gets_its_answer() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(get("/echo"))
        wire.half_close()
        return await wire.rest()

    assert with_server(talk).startswith(b"HTTP/1.1 200 OK\r\n")


def test_head_has_the_headers_and_no_body() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(b"HEAD /echo HTTP/1.1\r\n" + HOST + b"\r\n" + get("/nothing"))
        wire.half_close()
        return await wire.rest()

    first, _, second = with_server(talk).partition(b"\r\n\r\n")
    assert b"Content-Length: " in first
    assert second.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"ontent-Length" not in second


def test_a_stream_comes_in_chunks_and_the_connection_lives_on() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(get("/stream"))
        status, headers = await head(wire)
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        body = await wire.until(b"0\r\n\r\n")
        wire.send(get("/echo"))
        await echoed(wire)
        return body

    assert with_server(talk) == b"2\r\n0;\r\n2\r\n1;\r\n2\r\n2;\r\n0\r\n\r\n"


def test_http_1_0_ends_with_the_connection() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(b"GET /stream HTTP/1.0\r\n\r\n")
        return await wire.rest()

    assert with_server(talk).endswith(b"\r\n\r\n0;1;2;")


def test_a_client_that_expects_100_continue_is_told_to_go_on() -> None:
    async def talk(wire: Wire, echo: Echo) -> str:
        wire.send(post("/echo", b"", b"Expect: 100-continue\r\n").replace(b": 0", b": 4"))
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 Continue")
        wire.send(b"body")
        return (await echoed(wire))["body"]

    assert with_server(talk) == "body"


def test_100_continue_is_not_said_when_the_body_is_not_wanted() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(post("/unread", b"", b"Expect: 100-continue\r\n").replace(b": 0", b": 4"))
        return await wire.rest()

    assert with_server(talk).startswith(b"HTTP/1.1 200 OK")


def test_a_small_body_nobody_read_is_skipped_and_a_large_one_ends_the_connection() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(post("/unread", b"x" * 1000) + post("/unread", b"x" * (DRAIN_LIMIT + 100_000)))
        wire.send(get("/echo"))
        return await wire.rest()

    said = with_server(talk)
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b"GET" not in said


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS comes here\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so_in_the_apis_own_form(data: bytes) -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(data)
        return await wire.rest()

    said, _, body = with_server(talk).partition(b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in said
    assert json.loads(body).keys() == {"message"}


CHUNKED = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("path", ["/echo", "/lasting"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (post("/echo", b"{}").replace(b": 2", b": 50"), "received 2 bytes, expected 50"),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", r"illegal chunk header: 'zz\r\n'"),
        (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", r"illegal chunk header: '-2\r\n'"),
        (CHUNKED + b"2\r\n{}XX0\r\n\r\n", "malformed chunk footer: 'XX' (expected"),
        (CHUNKED + b"f" * 20 + b"\r\n{}", "incomplete chunked read"),
        (CHUNKED + b"10\r\n{}", "incomplete chunked read"),
    ],
)
def test_a_body_that_is_cut_or_malformed_is_the_clients_fault(
    path: str, data: bytes, said: str
) -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(data.replace(b"/echo", path.encode()))
        wire.half_close()
        return await wire.rest()

    head, _, body = with_server(talk).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close\r\n" in head
    message = json.loads(body)["message"]
    assert message.startswith("malformed request body: ")
    assert said in message


def test_a_target_may_be_a_whole_url() -> None:
    async def talk(wire: Wire, echo: Echo) -> list[Any]:
        for target in ("http://docker/echo/a?b=c", "http://docker?x", "/echo/http://x/y"):
            wire.send(get(target))
        return [await echoed(wire) for _ in range(3)]

    found = [(each["path"], each["query"]) for each in with_server(talk)]
    assert found == [("/echo/a", "b=c"), ("", "x"), ("/echo/http://x/y", "")]


def test_a_large_head_is_read_and_a_huge_one_refused() -> None:
    async def talk(wire: Wire, echo: Echo) -> int:
        wire.send(get("/echo", b"A: " + b"x" * 200_000 + b"\r\n"))
        await echoed(wire)
        wire.send(get("/echo", b"A: " + b"x" * (MAX_HEAD + 100_000) + b"\r\n"))
        status, _ = await head(wire)
        return status

    assert with_server(talk) == 431


def test_who_goes_away_ends_what_only_waits_for_him() -> None:
    async def talk(wire: Wire, echo: Echo) -> None:
        wire.send(get("/lasting"))
        await head(wire)
        await echo.began.wait()
        wire.close()
        await echo.gone.wait()

    with_server(talk)


def test_who_closed_only_his_writing_half_is_still_waited_for() -> None:
    async def talk(wire: Wire, echo: Echo) -> None:
        wire.send(get("/lasting"))
        wire.half_close()
        await head(wire)
        await echo.began.wait()
        assert not echo.gone.is_set()
        wire.close()
        await echo.gone.wait()

    with_server(talk)


def test_a_hijacked_connection_is_given_away_with_what_came_early() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(UPGRADE + b"early")
        said = await wire.until(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
        assert b"\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" in said
        assert await wire.until(b"EARLY")
        wire.send(b" late")
        wire.half_close()
        return await wire.rest()

    assert with_server(talk) == b" LATE"


@pytest.mark.parametrize("patient", [True, False], ids=["reads it", "never does"])
def test_the_head_is_read_before_the_connection_is_given_away(patient: bool) -> None:
    """docker-py would lose what comes along with the head; but who never reads goes on too."""

    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.pause()
        wire.send(UPGRADE + b"early")
        while b"\r\n\r\n" not in wire.arrived():
            await asyncio.sleep(0)
        assert echo.given == []
        if patient:
            wire.resume()
        while not echo.given:
            await asyncio.sleep(0)
        wire.resume()
        await wire.until(b"\r\n\r\n")
        return await wire.until(b"EARLY")

    assert with_server(talk) == b"EARLY"


def test_without_upgrade_the_stream_follows_a_plain_200() -> None:
    async def talk(wire: Wire, echo: Echo) -> bytes:
        wire.send(post("/hijack", b"{}") + b"abc")
        wire.half_close()
        return await wire.rest()

    said = with_server(talk)
    assert said.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream")
    assert said.endswith(b"\r\n\r\nABC")


def test_a_slow_reader_gets_all_of_a_large_answer() -> None:
    body = b"y" * 3_000_000

    async def talk(wire: Wire, echo: Echo) -> str:
        wire.send(post("/echo", body))
        return (await echoed(wire))["body"]

    assert with_server(talk) == body.decode()


def test_dates_are_those_of_rfc_9110() -> None:
    assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
