"""Each field of each body with a value of every wrong type: refused, by the field's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from minidocker.daemon import network_fields
from minidocker.daemon.create_fields import REFUSED
from minidocker.daemon.routes import ROUTES
from tests.daemon import api
from tests.daemon.talk import talks
from tests.support.engine import Engine

VALUES: dict[str, tuple[Any, ...]] = {
    "string": ("text", ""),
    "integer": (7, 0),
    "boolean": (True, False),
    "array": (["text"], [], [[]]),
    "object": ({"key": 1}, {}),
}
# What a body needs for nothing else to be wrong.
NEEDED: dict[str, dict[str, Any]] = {
    "ContainerCreate": {"Image": "busybox"},
    "ContainerExec": {"Cmd": ["true"]},
    "NetworkCreate": {"Name": "wrong-types"},
    "NetworkConnect": {"Container": "wrong-types"},
    "NetworkDisconnect": {"Container": "wrong-types"},
}
# What an element of a list needs for the same.
ELEMENTS: dict[str, Any] = {"Mounts": {"Type": "bind", "Source": "/etc", "Target": "/x"}}
# What an answer tells, and is not read; what is refused as a whole when it asks for something.
TOLD = {name for name in api.fields("EndpointSettings") if name.lower() in network_fields._TOLD}
WHOLE = {"Ulimits", "Init", "Devices", "DeviceCgroupRules", "CgroupParent"}
UNREAD = {
    "ContainerCreate": {*REFUSED, *TOLD},
    "ContainerUpdate": {*REFUSED, *WHOLE},
    "NetworkConnect": TOLD,
    "NetworkCreate": {"Ingress", "ConfigOnly", "ConfigFrom"},
}
# "a string or a list of strings", as older clients say it.
EITHER = {"Cmd", "Entrypoint"}
Path = tuple[str | int, ...]


def bodies() -> dict[str, dict[str, Any]]:
    """Operation -> the schema of its JSON body."""
    found = {}
    for route in ROUTES:
        told = api.operation(route.operation)["parameters"] if route.operation else {}
        for schema in told.values():
            if schema["in"] == "body" and schema.get("type") != "string":
                found[route.operation] = schema
    return found


def walk(schema: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place below ``schema``, and the type that belongs there."""
    if "$ref" in schema:
        schema = api.definition(schema["$ref"])
    known = api.properties(schema)
    if path:
        kind = "object" if known else str(schema.get("type", "object"))
        yield path, "integer" if kind == "number" else kind
    for name, each in known.items():
        yield from walk(each, (*path, name))
    if "items" in schema:
        yield from walk(schema["items"], (*path, 0))
    if isinstance(values := schema.get("additionalProperties"), dict):
        yield from walk(values, (*path, "80/tcp"))


def put(whole: Any, path: Path, value: Any) -> Any:
    """``whole`` with ``value`` at ``path``, and on the way there whatever it needs."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return [put(whole, rest, value)]
    whole = dict(whole or {})
    return whole | {first: put(whole.get(first, ELEMENTS.get(str(first))), rest, value)}


def named(path: Path) -> str:
    """The last name on the way."""
    return [str(each) for each in path if isinstance(each, str) and each != "80/tcp"][-1]


def wrongs(operation: str) -> Iterator[tuple[Path, Any]]:
    for path, right in walk(bodies()[operation]):
        if UNREAD.get(operation, set()) & {str(each) for each in path}:
            continue
        for kind, values in VALUES.items():
            if kind != right and not (named(path) in EITHER and kind in ("string", "array")):
                yield from ((path, value) for value in values)


def names(message: str, path: Path) -> bool:
    """It names the field; or, of one that is refused as a whole, what the field is in."""
    refused = "not supported" in message or "this engine" in message
    wanted = [str(each).lower() for each in path if each != "HostConfig"]
    return named(path).lower() in message or (refused and any(each in message for each in wanted))


@pytest.mark.kernel
@pytest.mark.parametrize("operation", bodies())
def test_a_value_of_the_wrong_type_is_refused_by_its_name(engine: Engine, operation: str) -> None:
    method, target = api.operations()[operation]
    failures = []
    with talks(engine) as begin:
        control = begin()
        control.ask("POST", "/containers/create?name=wrong-types", {"Image": "busybox"})
        control.body()
        target = target.replace("{id}", "bridge" if "Network" in operation else "wrong-types")
        target += "?container=wrong-types" if operation == "ImageCommit" else ""
        for path, value in wrongs(operation):
            body = put(NEEDED.get(operation, {}), path, value)
            status, said = control.ask(method, target, body), control.body()
            if status != 400 or not names(said["message"].lower(), path):
                failures.append(f"{'.'.join(map(str, path))} = {value!r}: {status} {said}")
        control.ask("DELETE", "/containers/wrong-types?force=1")
    assert not failures, f"{len(failures)}:\n" + "\n".join(failures)
