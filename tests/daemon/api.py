"""The API's own definitions (``engine_api.json``), as JSON Schemas to hold shapes against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

_FILE = Path(__file__).with_name("engine_api.json")

# Shown by dockerd 28 and missing from the API's text.
UNDOCUMENTED = {
    "SystemInfo": {
        *("IPv4Forwarding", "BridgeNfIp6tables", "SystemStatus"),
    },
    "RegistryServiceConfig": {
        "AllowNondistributableArtifactsCIDRs",
        "AllowNondistributableArtifactsHostnames",
    },
    "EventMessage": {"status", "id", "from"},
    "ImageInspect": {"Parent", "Comment", "DockerVersion", "GraphDriver"},
    "HostConfig": {"KernelMemory"},
}
# Pointers in dockerd's Go, that the text does not call nullable.
POINTERS = {"HostConfig": {"MemorySwappiness"}}


@cache
def text() -> dict[str, Any]:
    return json.loads(_FILE.read_text())


def operations() -> dict[str, tuple[str, str]]:
    """Operation -> (method, path)."""
    return {operation: (method, path) for method, path, operation in text()["operations"]}


def fields(name: str) -> set[str]:
    """The keys of a definition, with those of the definitions it is made of."""
    return set(_properties(text()["definitions"][name]))


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in schema.get("allOf", [schema]):
        if "$ref" in part:
            part = text()["definitions"][part["$ref"].rpartition("/")[2]]
            found |= _properties(part)
        found |= part.get("properties", {})
    return found


@cache
def _schemas() -> dict[str, Any]:
    definitions = text()["definitions"]
    return {name: _schema(name, definition) for name, definition in definitions.items()}


def _schema(name: str, definition: dict[str, Any]) -> Any:
    properties = _properties(definition)
    if not properties:
        return _strict(definition)
    known = {key: _strict(value) for key, value in properties.items()}
    known |= dict.fromkeys(UNDOCUMENTED.get(name, ()), True)
    known |= {key: {"anyOf": [known[key], {"type": "null"}]} for key in POINTERS.get(name, ())}
    required = [key for part in definition.get("allOf", [definition]) for key in _required(part)]
    return {
        "type": "object",
        "properties": known,
        "required": required,
        "additionalProperties": False,
    }


def _required(part: dict[str, Any]) -> list[str]:
    return part.get("required", [])


def _strict(value: Any) -> Any:
    """No unknown keys; null where Go has a nil map, list or pointer."""
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {"anyOf": [value, {"type": "null"}]}
    if "allOf" in value:
        return {"anyOf": [*map(_strict, value["allOf"]), {"type": "null"}]}
    plain = {key: each for key, each in value.items() if not key.startswith("x-")}
    plain.pop("format", None)
    kind = plain.get("type")
    if "enum" in plain:
        plain["enum"] = [*plain["enum"], None]
    if "properties" in plain:
        plain["properties"] = {key: _strict(each) for key, each in plain["properties"].items()}
        plain.setdefault("additionalProperties", False)
    if isinstance(plain.get("additionalProperties"), dict):
        plain["additionalProperties"] = _strict(plain["additionalProperties"])
    if "items" in plain:
        plain["items"] = _strict(plain["items"])
    nullable = kind in ("array", "object") or value.get("x-nullable") or value.get("x-omitempty")
    return {**plain, "type": [kind, "null"]} if kind and nullable else plain


def check(name: str, value: Any) -> None:
    """Raises ``AssertionError`` unless ``value`` is what the API's ``name`` says, to the key."""
    value = json.loads(json.dumps(value))
    schema = {"$ref": f"#/definitions/{name}", "definitions": _schemas()}
    wrong = best_match(jsonschema.Draft7Validator(schema).iter_errors(value))
    assert wrong is None, f"{name}{wrong.json_path[1:]}: {wrong.message[:300]}"
