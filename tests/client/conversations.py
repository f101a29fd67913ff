"""A fake engine that knows the conversation around one container, and a client to talk to it."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from minidocker.wire import frames
from tests.client.fake import Exchange
from tests.support.cli import Answer, run

ID = "c" * 64
PROJECT = Path(__file__).resolve().parents[2]

Program = Callable[[socket.socket], int]


class Container:
    """Answers as a daemon does for one container whose ``program`` is given the raw connection.

    It runs once it has been started and attached to, and its return value is the exit code.
    """

    def __init__(self, program: Program, *, tty: bool = False, known: bool = True) -> None:
        self.program, self.tty, self.known = program, tty, known
        self.started, self.ended = threading.Event(), threading.Event()
        self.signalled = threading.Event()
        self.sizes: list[tuple[int, int]] = []
        self.start_failure: tuple[int, str] | None = None
        self.code = 0

    def __call__(self, exchange: Exchange) -> None:
        asked = exchange.asked
        if asked.line == "POST /containers/create":
            if self.known:
                exchange.json({"Id": ID, "Warnings": ["a warning"]}, 201)
            else:
                exchange.refuse(404, "No such image: nope:latest")
        elif asked.line == "POST /images/create":
            self.known = True
            exchange.chunks(
                b'{"status":"Pulling from library/nope","id":"latest"}\r\n{"status":"Pul',
                b'ling fs layer","progressDetail":{},"id":"abc"}\r\n',
                b'{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"abc"}',
            )
        else:
            self._life(exchange, asked.path.removeprefix(f"/containers/{ID}"))

    def _life(self, exchange: Exchange, action: str) -> None:
        query = exchange.asked.query
        if action == "/attach":
            kind = "raw" if self.tty else "multiplexed"
            exchange.hijack(f"application/vnd.docker.{kind}-stream")
            if self.started.wait(10):
                self.code = self.program(exchange.connection)
            exchange.connection.close()
            self.ended.set()
        elif action == "/wait":
            exchange.send_response(200)
            exchange.send_header("Transfer-Encoding", "chunked")
            exchange.end_headers()
            exchange.wfile.flush()
            self.ended.wait(10)
            body = b'{"StatusCode":%d}' % self.code
            exchange.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        elif action == "/start" and self.start_failure:
            exchange.refuse(*self.start_failure)
            self.ended.set()
        elif action == "/start":
            exchange.empty()
            self.started.set()
        elif action == "/kill":
            exchange.empty()
            self.signalled.set()
        elif action == "/resize":
            self.sizes.append((int(query["h"]), int(query["w"])))
            exchange.empty(200)
        elif action == f"/minidocker{exchange.asked.path[len('/minidocker') :]}":
            exchange.json([])
        else:
            exchange.refuse(404, "page not found")


def out(text: str) -> bytes:
    return frames.encode(frames.STDOUT, text.encode())


def err(text: str) -> bytes:
    return frames.encode(frames.STDERR, text.encode())


def argv(daemon: Path, *line: str) -> list[str]:
    return [sys.executable, "-m", "minidocker", "-H", f"unix://{daemon}", *line]


def environment(**more: str) -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), **more}


def client(daemon: Path, *line: str, input: str = "") -> Answer:
    """The command line in a process of its own, against the daemon on the socket ``daemon``."""
    return run(argv(daemon, *line), env=environment(), input=input)
