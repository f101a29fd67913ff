"""The conversations of `docker run`, byte for byte, with the running engine."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from minidocker.wire.frames import FrameDecoder
from tests.daemon.talk import UPGRADE, Talk, talks
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel


def create(talk: Talk, *command: str, **body: Any) -> str:
    assert (
        talk.ask("POST", "/containers/create", {"Image": "busybox", "Cmd": command, **body}) == 201
    )
    return talk.body()["Id"]


def remove(talk: Talk, id: str) -> None:
    assert talk.ask("DELETE", f"/containers/{id}?force=1") == 204


def test_a_whole_docker_run(engine: Engine) -> None:
    with talks(engine) as begin:
        control, attach, wait = begin(), begin(), begin()
        id = create(
            control,
            *("sh", "-c", "cat; echo done >&2; exit 7"),
            AttachStdin=True,
            OpenStdin=True,
            StdinOnce=True,
            HostConfig={"AutoRemove": True},
        )
        query = "stream=1&stdin=1&stdout=1&stderr=1"
        assert attach.ask("POST", f"/containers/{id}/attach?{query}", more=UPGRADE) == 101
        assert attach.status_line == "HTTP/1.1 101 UPGRADED"
        assert attach.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
        # Before the start: the client blocks on this head.
        assert wait.ask("POST", f"/containers/{id}/wait?condition=removed") == 200
        assert control.ask("POST", f"/containers/{id}/start") == 204
        attach.sock.sendall(b"from the client")
        attach.sock.shutdown(socket.SHUT_WR)
        said: dict[int, bytes] = {}
        for stream, data in FrameDecoder().feed(attach.file.read()):
            said[stream] = said.get(stream, b"") + data
        assert said == {1: b"from the client", 2: b"done\n"}
        assert json.loads(wait.chunk()) == {"StatusCode": 7}
        assert control.ask("GET", f"/containers/{id}/json") == 404


def test_the_next_exit_is_never_one_of_before(engine: Engine) -> None:
    with talks(engine) as begin:
        control, wait, now = begin(), begin(), begin()
        id = create(control, "sh", "-c", "exit 3")
        assert now.ask("POST", f"/containers/{id}/wait") == 200
        assert json.loads(now.chunk())["StatusCode"] == 0  # it does not run
        assert wait.ask("POST", f"/containers/{id}/wait?condition=next-exit") == 200
        assert control.ask("POST", f"/containers/{id}/start") == 204
        assert json.loads(wait.chunk()) == {"StatusCode": 3}
        assert control.ask("POST", f"/containers/{id}/wait?condition=soon") == 400
        assert control.body() == {"message": 'invalid condition: "soon"'}
        remove(control, id)


def test_streams_send_their_head_before_anything_happens(engine: Engine) -> None:
    with talks(engine) as begin:
        control, logs, events = begin(), begin(), begin()
        id = create(control, "sh", "-c", "read x; echo $x", OpenStdin=True)
        assert control.ask("POST", f"/containers/{id}/start") == 204
        assert logs.ask("GET", f"/containers/{id}/logs?follow=1&stdout=1") == 200
        filters = json.dumps({"container": {id: True}, "event": {"kill": True}})
        quoted = filters.replace('"', "%22").replace(" ", "%20")
        assert events.ask("GET", f"/events?filters={quoted}") == 200
        assert control.ask("POST", f"/containers/{id}/kill?signal=KILL") == 204
        told = json.loads(events.chunk())
        assert (told["Action"], told["id"]) == ("kill", id)
        assert logs.file.readline() == b"0\r\n"  # its end: nothing was said
        remove(control, id)


def test_a_bad_program_is_a_400_that_names_it_and_leaves_no_process(engine: Engine) -> None:
    with talks(engine) as begin:
        control = begin()
        id = create(control, "no-such-program")
        assert control.ask("POST", f"/containers/{id}/start") == 400
        message = control.body()["message"]
        assert "no-such-program" in message
        assert "executable file not found" in message
        assert control.ask("GET", f"/containers/{id}/json") == 200
        state = control.body()["State"]
        assert (state["ExitCode"], state["Pid"], state["Running"]) == (127, 0, False)
        remove(control, id)


def test_an_exec_streams_both_ways(engine: Engine) -> None:
    with talks(engine) as begin:
        control, stream = begin(), begin()
        id = create(control, "sleep", "60")
        assert control.ask("POST", f"/containers/{id}/start") == 204
        wish = {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
        assert control.ask("POST", f"/containers/{id}/exec", wish) == 201
        exec_id = control.body()["Id"]
        begun = {"Detach": False, "Tty": False}
        assert stream.ask("POST", f"/exec/{exec_id}/start", begun, UPGRADE) == 101
        stream.sock.sendall(b"there and back")
        stream.sock.shutdown(socket.SHUT_WR)
        assert FrameDecoder().feed(stream.file.read()) == [(1, b"there and back")]
        assert control.ask("GET", f"/exec/{exec_id}/json") == 200
        shown = control.body()
        assert (shown["Running"], shown["ExitCode"]) == (False, 0)
        assert control.ask("POST", "/exec/gone/start", begun) == 404
        assert control.body() == {"message": "No such exec instance: gone"}
        remove(control, id)


def test_nothing_is_created_of_an_image_that_is_not_there(engine: Engine) -> None:
    with talks(engine) as begin:
        control = begin()
        assert control.ask("POST", "/containers/create", {"Image": "nobody/has-this"}) == 404
        assert control.body() == {"message": "No such image: nobody/has-this:latest"}
