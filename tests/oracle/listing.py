"""Sessions of requests that list containers: every filter, alone and with others, also wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tests.oracle.asked import Asked, delete, get, post

# Of a whole row only this differs between the containers of a session.
SLEEP = ["sleep", "1000"]


def make(name: str, *command: str, **body: Any) -> Asked:
    body = {"Image": "busybox", "Cmd": list(command), "HostConfig": {"NetworkMode": "none"}, **body}
    return post(f"/containers/create?name=$IT-{name}", body)


def do(name: str, what: str) -> Asked:
    return post(f"/containers/$IT-{name}/{what}")


def rows(query: str = "all=1", **filters: Any) -> Asked:
    """The list; an underscore in a filter's name stands for what Python does not take."""
    return replace(ps(query, **filters), key=f"rows {query}", only="")


def ps(query: str = "all=1", **filters: Any) -> Asked:
    """Who is in it."""
    given = {name.replace("_", "-"): value for name, value in filters.items()}
    text = json.dumps({"name": ["$IT"], **given})
    path = f"/containers/json?{query}&filters={quote(text, safe='$')}"
    return Asked("GET", path, key=f"ps {query} {json.dumps(given)}", only="Names")


FILTERS: tuple[Asked, ...] = (
    rows(),
    rows("all=1&size=1"),
    ps(),
    ps("all=0"),
    ps("all=false"),
    ps("limit=1"),
    ps("limit=0"),
    ps("limit=-1"),
    ps("limit=2&all=1"),
    ps("limit=x"),
    ps(status=["running"]),
    ps(status=["exited", "created"]),
    ps("all=0", status=["exited"]),
    ps("all=0", status=["paused"]),
    ps(status=["dead"]),
    ps(status=["removing"]),
    ps(status=["restarting"]),
    ps(status=["Running"]),
    ps(status=["nope"]),
    ps(exited=["3"]),
    ps(exited=["0"]),
    ps("all=0", exited=["3"]),
    ps(exited=["x"]),
    ps(exited=["-1"]),
    ps(ancestor=["busybox"]),
    ps(ancestor=["busybox:latest"]),
    ps(ancestor=["docker.io/library/busybox"]),
    ps(ancestor=["nope"]),
    ps(ancestor=["Bad Name"]),
    ps(before=["$IT-c"]),
    ps(since=["$IT-a"]),
    ps(before=["$IT-c"], since=["$IT-a"]),
    ps(before=["nobody"]),
    ps(since=["nobody"]),
    ps(before=[""]),
    ps(expose=["80"]),
    ps(expose=["80/tcp"]),
    ps(expose=["80/udp"]),
    ps(expose=["70-90/tcp"]),
    ps(expose=["x"]),
    ps(expose=["90-70"]),
    ps(publish=["80"]),
    ps(publish=["x"]),
    ps(publish=["a:b"]),
    ps(health=["none"]),
    ps(health=["starting"]),
    ps(health=["healthy", "unhealthy"]),
    ps(health=["nope"]),
    ps(id=["zz"]),
    ps(id=[""]),
    ps(is_task=["true"]),
    ps(is_task=["false"]),
    ps(is_task=["x"]),
    ps(is_task=["true", "false"]),
    ps(isolation=["default"]),
    ps(isolation=["hyperv"]),
    ps(isolation=[""]),
    ps(label=["k"]),
    ps(label=["k=v"]),
    ps(label=["k=x"]),
    ps(label=["k=v", "l"]),
    ps(label=["k", "nope"]),
    ps(label=[""]),
    ps(name=["$IT-a"]),
    ps(name=["^/$IT-a$"]),
    ps(name=["^$IT-[ab]$"]),
    ps(name=["/$IT-b"]),
    ps(name=["$IT-a", "$IT-b"]),
    ps(name=["["]),
    ps(name=["nobody-here"]),
    ps(network=["none"]),
    ps(network=["nope"]),
    ps(volume=["/etc"]),
    ps(volume=["/vol"]),
    ps(volume=["/nope"]),
    get('/containers/json?filters={"status":{"running":true},"name":{"$IT":true}}'),
    ps(status="running"),
    ps(status=[1]),
    ps(nope=["1"]),
    ps(status=["running"], label=["k"]),
    get("/containers/json?filters=x"),
    get("/containers/json?filters=[]"),
    get("/containers/json?filters=null"),
    get('/containers/json?filters={"name":null}'),
)

LISTING: dict[str, tuple[Asked, ...]] = {
    "ps": (
        make("a", *SLEEP, Labels={"k": "v"}, ExposedPorts={"80/tcp": {}}),
        make(
            "b",
            "sh",
            "-c",
            "exit 3",
            Labels={"k": "v", "l": ""},
            HostConfig={"NetworkMode": "none", "Binds": ["/etc:/vol"]},
        ),
        make("c", *SLEEP, Healthcheck={"Test": ["CMD", "true"], "Interval": 10**12}),
        make("d", "true"),
        do("a", "start"),
        do("b", "start"),
        do("b", "wait"),
        do("c", "start"),
        do("c", "pause"),
        *FILTERS,
    ),
    "ps: of descendants": (
        make("a", "true"),
        post("/commit?container=$IT-a&repo=session-child", {}),
        make("b", "true", Image="session-child"),
        post("/commit?container=$IT-b&repo=session-grandchild", {}),
        make("c", "true", Image="session-grandchild"),
        ps(ancestor=["busybox"]),
        ps(ancestor=["session-child"]),
        ps(ancestor=["session-grandchild"]),
        ps(ancestor=["session-child", "session-grandchild"]),
        delete("/images/session-grandchild?force=1"),
        delete("/images/session-child?force=1"),
        ps(ancestor=["session-child"]),
        ps(ancestor=["busybox"]),
    ),
    "ps: in every state": (
        make("a", "false"),
        rows(),
        do("a", "start"),
        do("a", "wait"),
        rows(),
        make("b", *SLEEP),
        do("b", "start"),
        do("b", "pause"),
        rows(),
        do("b", "unpause"),
        rows(),
        do("b", "kill?signal=KILL"),
        do("b", "wait"),
        rows(),
        delete("/containers/$IT-b"),
        rows(),
    ),
}
