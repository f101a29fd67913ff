"""Clients that vanish, stall, come in crowds or only listen: the daemon is as before."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import socket
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

from minidocker.daemon.exchange import MAX_JSON
from minidocker.wire.frames import FrameDecoder
from tests.daemon.asking import Ask
from tests.daemon.replies.streams import WEBSOCKET
from tests.daemon.steady import steady
from tests.daemon.talk import UPGRADE, Talk
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel

LARGE = 24 << 20  # bytes; more than any buffer between here and there
TAR = "Content-Type: application/x-tar\r\n"
CHATTER = "while :; do echo 0123456789; done"


@pytest.fixture
def ask(engine: Engine) -> Iterator[Ask]:
    with contextlib.closing(Ask(engine.socket)) as ask:
        yield ask


@pytest.fixture(scope="module")
def large(engine: Engine) -> Iterator[str]:
    """The name of an image of one file, which does not compress."""
    with contextlib.closing(Ask(engine.socket)) as ask:
        ask("ImageCreate", 200, archive(), more=TAR, fromSrc="-", repo="rude/large")
        yield "rude/large"
        ask("ImageDelete", 200, name="rude/large", force=1)


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        info = tarfile.TarInfo("large")
        info.size = LARGE
        made.addfile(info, io.BytesIO(os.urandom(LARGE)))
    return buffer.getvalue()


def begin(ask: Ask, method: str, target: str, body: Any = None, more: str = "") -> Talk:
    """A connection on which the head of the answer has come, and nothing else was read."""
    talk = Talk(ask.socket)
    status = talk.ask(method, target, body, more)
    assert status < 300, talk.whole()
    return talk


def stream_of(ask: Ask, name: str, large: str) -> Talk:
    """A stream that would go on for ever, or for long."""
    if name in ("save", "events"):
        return begin(ask, "GET", f"/images/{large}/get" if name == "save" else "/events")
    if name in ("export", "copy"):
        id = str(ask("ContainerCreate", 201, {"Image": large, "Cmd": ["x"]}).json["Id"])
        path = "export" if name == "export" else "archive?path=/large"
        return begin(ask, "GET", f"/containers/{id}/{path}")
    id = ask.running("sh", "-c", CHATTER, HostConfig={"LogConfig": {"Config": {"max-size": "1m"}}})
    if name == "exec":
        exec_id = ask.exec_of(id, "sh", "-c", CHATTER, AttachStdout=True)
        return begin(ask, "POST", f"/exec/{exec_id}/start", {}, UPGRADE)
    if name == "attach":
        return begin(ask, "POST", f"/containers/{id}/attach?stream=1&stdout=1", None, UPGRADE)
    if name == "websocket":
        target = f"/containers/{id}/attach/ws?stream=1&stdout=1"
        return begin(ask, "GET", target, None, WEBSOCKET)
    if name == "wait":
        return begin(ask, "POST", f"/containers/{id}/wait")
    query = {"logs": "logs?follow=1&stdout=1", "stats": "stats"}[name]
    return begin(ask, "GET", f"/containers/{id}/{query}")


STREAMS = (
    *("attach", "websocket", "exec", "logs", "events", "stats", "wait"),
    *("save", "export", "copy"),
)


@pytest.mark.parametrize("name", STREAMS)
def test_who_vanishes_in_a_stream_leaves_nothing(
    engine: Engine, ask: Ask, large: str, name: str
) -> None:
    with steady(engine):
        talks = [stream_of(ask, name, large) for _ in range(3)]
        for talk in talks:
            talk.close()
        ask.close()


@pytest.mark.parametrize("name", STREAMS)
def test_who_reads_nothing_costs_little(engine: Engine, ask: Ask, large: str, name: str) -> None:
    with steady(engine):
        talk = stream_of(ask, name, large)
        time.sleep(1)  # what is not read must pile up where it is made, or nowhere
        assert ask("SystemPing", 200).body == b"OK"
        talk.close()
        ask.close()


def half(data: bytes) -> tuple[str, bytes]:
    """Lines of a head that promises all of ``data``, and its first half."""
    return f"{TAR}Content-Length: {len(data)}\r\n", data[: len(data) // 2]


@pytest.mark.parametrize("name", ["load", "import", "copy", "create"])
def test_who_vanishes_in_an_upload_leaves_nothing(engine: Engine, ask: Ask, name: str) -> None:
    id = ask.container()
    method, target = {
        "load": ("POST", "/images/load"),
        "import": ("POST", "/images/create?fromSrc=-&repo=rude/cut"),
        "copy": ("PUT", f"/containers/{id}/archive?path=/tmp"),
        "create": ("POST", "/containers/create"),
    }[name]
    lines, data = half(archive())
    with steady(engine):
        talk = Talk(ask.socket)
        talk.sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: d\r\n{lines}\r\n".encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            talk.sock.sendall(data)  # of a create it is too much, and not read
        talk.close()
    ask("ImageInspect", 404, name="rude/cut")


def test_who_vanishes_in_a_pull_or_a_commit_leaves_nothing(engine: Engine, ask: Ask) -> None:
    id = ask.running("sh", "-c", f"head -c {LARGE} /dev/urandom >/large; sleep 600")
    with steady(engine):
        for target in (
            "/images/create?fromImage=busybox&tag=latest",
            f"/commit?container={id}&repo=rude/commit",
        ):
            talk = Talk(ask.socket)
            talk.sock.sendall(f"POST {target} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
            talk.close()
        deadline = time.monotonic() + 20  # what is begun is brought to its end
        while not ask("ImageList", 200, filters={"reference": ["rude/commit"]}).json:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    ask("ImageDelete", 200, name="rude/commit")
    assert not ask("ContainerInspect", 200, id=id).json["State"]["Paused"]


def test_who_only_listens_hears_to_the_end(engine: Engine, ask: Ask) -> None:
    """A client that has closed its writing half, as ``docker`` does at the end of its input."""
    id = ask.running("sh", "-c", "read line; echo got $line; exit 3", OpenStdin=True)
    exec_id = ask.exec_of(id, "sh", "-c", "cat; echo end", AttachStdin=True, AttachStdout=True)
    with steady(engine):
        run = begin(ask, "POST", f"/exec/{exec_id}/start", {}, UPGRADE)
        logs = begin(ask, "GET", f"/containers/{id}/logs?follow=1&stdout=1")
        wait = begin(ask, "POST", f"/containers/{id}/wait")
        plain = Talk(ask.socket)
        plain.sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        attach = begin(
            ask, "POST", f"/containers/{id}/attach?stream=1&stdin=1&stdout=1", {}, UPGRADE
        )
        run.sock.sendall(b"for the exec")
        for talk in (run, logs, wait, plain):
            talk.sock.shutdown(socket.SHUT_WR)
        assert said(run.file.read()) == b"for the execend\n"
        attach.sock.sendall(b"a line\n")
        attach.sock.shutdown(socket.SHUT_WR)
        assert said(attach.file.read()) == b"got a line\n"
        assert said(logs.whole()) == b"got a line\n"
        assert json.loads(wait.whole()) == {"StatusCode": 3}
        assert plain.head() == 200
        assert plain.file.read() == b"OK"
        for talk in (run, logs, wait, plain, attach):
            talk.close()


def said(frames: bytes) -> bytes:
    return b"".join(data for _, data in FrameDecoder().feed(frames))


def test_five_hundred_clients_at_once(engine: Engine, ask: Ask) -> None:
    request = b"GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n"
    with steady(engine, grow=48 << 20), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(contextlib.closing(Talk(ask.socket))) for _ in range(500)]
        for talk in talks:
            talk.sock.sendall(request[:-5])
        assert ask("SystemPing", 200).body == b"OK"
        for talk in talks:
            talk.sock.sendall(request[-5:])
        assert {talk.head() for talk in talks} == {200}
        assert {talk.whole() for talk in talks} == {b"[]\n"}


@pytest.mark.parametrize("target", ["/containers/create", "/auth", "/containers/x/wait"])
def test_a_body_without_end_is_refused_early(engine: Engine, ask: Ask, target: str) -> None:
    head = f"POST {target} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    with steady(engine):
        talk, sent = Talk(ask.socket), 0
        talk.sock.sendall(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())
        while not select.select([talk.sock], [], [], 0)[0]:
            sent += talk.sock.send(b" " * 65536)
        assert sent < 4 * MAX_JSON
        assert talk.head() in (400, 404)
        assert "message" in talk.body()
        talk.close()
