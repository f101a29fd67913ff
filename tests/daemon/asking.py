"""Requests by the names in the API's text, whose replies are held against that text.

``Ask`` is a client that believes nothing: the status is one that is documented for the
operation, the type of the body is among those that it produces, the body is what its schema
says, to the key, and an error is the API's one object with a message.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from minidocker.wire.jsonstream import JsonDecoder
from tests.daemon import api
from tests.daemon.api_exceptions import MESSAGES, STATUSES
from tests.daemon.talk import Talk

# Of these the body is one JSON message after the other; most are not said in the text.
MESSAGES_OF = {
    "SystemEvents": "EventMessage",
    "ContainerStats": "ContainerStatsResponse",
    **MESSAGES,
}


@dataclass(frozen=True)
class Reply:
    """``messages``: of a stream of JSON.  Else ``json`` is what the body says."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    messages: tuple[Any, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """An error's."""
        return str(self.json["message"])


class Ask:
    """``seen``: operation -> the statuses that it was answered with."""

    def __init__(self, socket: Path, version: str = "/v1.50") -> None:
        self.socket = socket
        self.version = version
        self.seen: dict[str, set[int]] = defaultdict(set)
        self.made: list[str] = []  # containers

    def __call__(
        self,
        operation: str,
        status: int,
        body: Any = None,
        *,
        more: str = "",
        enough: int | None = None,
        **said: Any,
    ) -> Reply:
        """Ask, and check that the answer is ``status`` and what the API says.

        ``said``: the operation's parameters by name.  ``enough``: so many messages of an
        endless stream are enough.
        """
        method, path = api.operations()[operation]
        target, lines = place(operation, path, said)
        talk = Talk(self.socket, version=self.version)
        try:
            got = talk.ask(method, target, body, more + lines)
            reply = read(operation, talk, enough)
        finally:
            talk.close()
        assert got == status, f"{method} {target}: {got} {reply.body[:300]!r}"
        self.seen[operation].add(got)
        if operation == "ContainerCreate" and got == 201:
            self.made.append(reply.json["Id"])
        check(operation, reply)
        return reply

    def container(self, *command: str, name: str | None = None, **more: Any) -> str:
        """The ID of a new container of busybox."""
        wish = {"Image": "busybox", "Cmd": list(command) or ["sleep", "600"], **more}
        return str(self("ContainerCreate", 201, wish, name=name).json["Id"])

    def running(self, *command: str, **more: Any) -> str:
        id = self.container(*command, **more)
        self("ContainerStart", 204, id=id)
        return id

    def exec_of(self, id: str, *command: str, **more: Any) -> str:
        wish = {"Cmd": list(command) or ["true"], **more}
        return str(self("ContainerExec", 201, wish, id=id).json["Id"])

    def close(self) -> None:
        """Remove what was made."""
        while self.made:
            id = self.made.pop()
            talk = Talk(self.socket, version=self.version)
            talk.ask("DELETE", f"/containers/{id}?force=1")
            talk.close()


def place(operation: str, path: str, said: dict[str, Any]) -> tuple[str, str]:
    """The target of a request, and lines for its head: each parameter where it belongs.

    A name that the operation does not have is an error of the test.
    """
    query: list[tuple[str, Any]] = []
    lines = ""
    for name, value in said.items():
        where = api.operation(operation)["parameters"][name]["in"]
        if where == "path":
            path = path.replace(f"{{{name}}}", quote(value, safe="/:@" if name == "name" else ""))
        elif where == "header":
            lines += f"{name}: {value}\r\n"
        elif value is not None:
            query.append((name, json.dumps(value) if isinstance(value, dict) else value))
    return path + (f"?{urlencode(query, doseq=True)}" if query else ""), lines


def read(operation: str, talk: Talk, enough: int | None = None) -> Reply:
    """The answer whose head was read; with ``enough`` of 0 without its body."""
    if enough == 0 and talk.status < 400:
        return Reply(talk.status, talk.headers)
    if operation not in MESSAGES_OF or talk.status >= 400:
        return Reply(talk.status, talk.headers, talk.whole())
    decoder, whole, messages = JsonDecoder(), b"", []
    pieces = iter(talk.chunk, b"") if "transfer-encoding" in talk.headers else [talk.whole()]
    for piece in pieces:
        whole += piece
        messages += decoder.feed(piece)
        if enough and len(messages) >= enough:
            break
    else:
        assert decoder.complete, f"cut: {whole[-200:]!r}"
    return Reply(talk.status, talk.headers, whole, tuple(messages))


def check(operation: str, reply: Reply) -> None:
    """Raises ``AssertionError`` unless a reply is one that the API's text knows."""
    told = api.operation(operation)
    method = api.operations()[operation][0]
    kind = reply.headers.get("content-type", "").partition(";")[0]
    documented = told["responses"].get(str(reply.status))
    if documented is None:
        known = reply.status == 400 or (operation, reply.status) in STATUSES
        assert known, f"{operation}: the status {reply.status} is not documented"
        documented = {"schema": {"$ref": "#/definitions/ErrorResponse"}}
    missing = {name for name in documented.get("headers", ()) if name.lower() not in reply.headers}
    assert not missing, f"{operation} {reply.status}: no {missing}"
    if reply.status in (101, 204, 304) or method == "HEAD":
        assert not reply.body
        return
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/json"
    elif reply.body and "produces" in told:
        assert kind in told["produces"], f"{operation} {reply.status}: {kind}"
    if operation in MESSAGES_OF and reply.status < 400:
        for message in reply.messages:
            api.check(MESSAGES_OF[operation], message)
    elif kind == "application/json" and reply.body:
        assert "schema" in documented, f"{operation} {reply.status}: JSON without a schema"
        wrong = api.complaint(documented["schema"], reply.json, operation)
        assert wrong is None, wrong
