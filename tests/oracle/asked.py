"""Raw requests to be had with any daemon, as data, and how their answers are compared.

What the docker command checks by itself, or never asks, reaches a daemon only so.  A
session is a few requests, answered in order by one daemon; ``$IT`` is its container's
name.  Two answers are compared leaf by leaf of their JSON: each key, each null.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle.sessions import container_of, normal

PATIENCE = 30  # seconds for an answer
FRAME = re.compile(rb"[\x01\x02]\0\0\0.{4}", re.DOTALL)  # the head of a piece of a log
NUMBERS = re.compile(r"(\.(Pid|Created)|\.Processes.*)$")  # of the run, where they are not 0
FORWARDING = "IPv4 forwarding is disabled. Networking will not work."


@dataclass(frozen=True)
class Asked:
    """One request.  ``until``: ask again, up to some seconds, until this regular expression
    is found in the answer.

    ``key``: as differences.toml names it; of itself method, path and body.  ``only``: what
    counts of each object in a list.
    """

    method: str
    path: str
    body: Any = None
    until: str = ""
    key: str = ""
    only: str = ""

    def __post_init__(self) -> None:
        body = "" if self.body is None else f" {json.dumps(self.body)}"
        object.__setattr__(self, "key", self.key or f"{self.method} {self.path}{body}")


def get(path: str, until: str = "") -> Asked:
    return Asked("GET", path, until=until)


def post(path: str, body: Any = None) -> Asked:
    return Asked("POST", path, body)


def delete(path: str) -> Asked:
    return Asked("DELETE", path)


def create(**host: Any) -> Asked:
    """A container without a name; ``host``: its HostConfig."""
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": host}
    return Asked("POST", "/containers/create", body, key=f"create {json.dumps(host)}")


def config(**fields: Any) -> Asked:
    """A container without a name; ``fields``: of its Config."""
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}, **fields}
    return Asked("POST", "/containers/create", body, key=f"create {json.dumps(fields)}")


class Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


def answer(socket: Path, asked: Asked, container: str) -> tuple[int, Any]:
    """The status, and the JSON of the body; text where it is none."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status, body = _once(socket, asked, container)
        if re.search(asked.until, json.dumps(body)) or time.monotonic() > deadline:
            return status, body
        time.sleep(0.05)


def _once(socket: Path, asked: Asked, container: str) -> tuple[int, Any]:
    connection = Connection(socket)
    body, headers = None, {}
    if asked.body is not None:
        body = json.dumps(asked.body).replace("$IT", container)
        headers = {"Content-Type": "application/json"}
    try:
        connection.request(asked.method, asked.path.replace("$IT", container), body, headers)
        reply = connection.getresponse()
        raw = reply.read()
    finally:
        connection.close()
    try:
        found = json.loads(raw)
        if asked.only and isinstance(found, list):
            found = [each[asked.only] for each in found]
        return reply.status, found
    except ValueError:
        return reply.status, FRAME.sub(b"", raw).decode("latin-1")


def play(daemon: Path, name: str, session: tuple[Asked, ...]) -> list[tuple[int, Any]]:
    """The answers of the daemon whose socket it is; the containers made are removed."""
    container = container_of(name)
    answers: list[tuple[int, Any]] = []
    try:
        for asked in session:
            answers.append(answer(daemon, asked, container))
    finally:
        made = [body["Id"] for status, body in answers if status == 201 and "Warnings" in body]
        for id in made:
            answer(daemon, delete(f"/containers/{id}?force=1"), container)
    return answers


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """(".HostConfig.Dns[0]", JSON text) for everything in ``value`` that has no inside."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{place}.{key}")
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from leaves(each, f"{place}[{index}]")
    else:
        yield place, json.dumps(value, ensure_ascii=False)


def shown(answered: tuple[int, Any], root: Path, container: str) -> dict[str, str]:
    """Place -> text, without what no two daemons share; of a refusal its status and words."""
    status, body = answered
    if isinstance(body, dict) and "Mounts" in body:  # Docker has them in no order
        body = {**body, "Mounts": sorted(body["Mounts"], key=lambda each: each["Destination"])}
    if status >= 300:
        message = body["message"] if isinstance(body, dict) and "message" in body else body
        return {"": normal(f"{status} {message}".strip(), root, container)}
    if isinstance(body, dict) and "Warnings" in body:
        body = {**body, "Warnings": [each for each in body["Warnings"] or () if each != FORWARDING]}
    return {"": str(status)} | {
        normal(place or " body", root, container): "<number>"
        if NUMBERS.search(place) and text != "0"
        else normal(text, root, container)
        for place, text in leaves(body)
    }


def differences(
    key: str, theirs: dict[str, str], ours: dict[str, str]
) -> list[tuple[str, str, str]]:
    """(the request and the place in its answer, Docker's value, ours)."""
    both = theirs[""] == ours[""]
    return [
        (f"{key} {place}".strip(), theirs.get(place, "absent"), ours.get(place, "absent"))
        for place in sorted(theirs.keys() | ours.keys() if both else [""])
        if theirs.get(place) != ours.get(place)
    ]
