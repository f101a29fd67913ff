"""The API's own text (``engine_api.json``), as JSON Schemas to hold replies against.

The text says little about null: what it does not call nullable is not, but for what
dockerd sends itself.  Keys that it does not know are wrong, but for those that dockerd
sends too.  Both lists are in ``api_exceptions.py``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from tests.daemon.api_exceptions import NULL, UNDOCUMENTED

_FILE = Path(__file__).with_name("engine_api.json")
_CONSTRAINTS = (
    *("type", "format", "enum", "minimum", "maximum", "minItems", "maxItems"),
    *("minLength", "maxLength", "pattern"),
)
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
FORMATS = jsonschema.FormatChecker(formats=())


@cache
def text() -> dict[str, Any]:
    return json.loads(_FILE.read_text())


def operations() -> dict[str, tuple[str, str]]:
    """Operation -> (method, path)."""
    return {operation: (method, path) for method, path, operation in text()["operations"]}


def operation(name: str) -> dict[str, Any]:
    """What is said of an operation: ``parameters``, ``responses``, ``produces``."""
    found: dict[str, Any] = text()["details"][name]
    return found


def definition(reference: str) -> dict[str, Any]:
    """The definition that ``#/definitions/NAME`` or NAME means."""
    found: dict[str, Any] = text()["definitions"][reference.rpartition("/")[2]]
    return found


def fields(name: str) -> set[str]:
    """The keys of a definition, with those of the definitions it is made of."""
    return set(properties(definition(name)))


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    """Key -> schema, of all that ``schema`` is made of."""
    found: dict[str, Any] = {}
    for part in schema.get("allOf", [schema]):
        if "$ref" in part:
            part = definition(part["$ref"])
            found |= properties(part)
        found |= part.get("properties", {})
    return found


def strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """As JSON Schema: no unknown key, no null that is not allowed by name.

    ``name``: where it stands, with its definition: "HostConfig.Mounts[].Type".
    """
    found = _strict(schema, name)
    if schema.get("x-nullable") or name in NULL:
        return {"anyOf": [found, {"type": "null"}]}
    return found


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    made: dict[str, Any] = {key: schema[key] for key in _CONSTRAINTS if key in schema}
    if "items" in schema:
        made["items"] = strict(schema["items"], f"{name}[]")
    if known := properties(schema):
        made["properties"] = {key: strict(each, f"{name}.{key}") for key, each in known.items()}
        made["properties"] |= {
            each.rpartition(".")[2]: True
            for each in UNDOCUMENTED
            if each.rpartition(".")[0] == name
        }
        made["additionalProperties"] = False
        made["required"] = [
            key for part in schema.get("allOf", [schema]) for key in part.get("required", ())
        ]
    elif isinstance(values := schema.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(values, f"{name}{{}}")
    return made


@cache
def _definitions() -> dict[str, Any]:
    return {name: strict(each, name) for name, each in text()["definitions"].items()}


def complaint(schema: dict[str, Any], value: Any, name: str) -> str | None:
    """What is wrong with a value that ``schema`` should describe; None: nothing."""
    whole = {**strict(schema, name), "definitions": _definitions()}
    validator = jsonschema.Draft7Validator(whole, format_checker=FORMATS)
    wrong = best_match(validator.iter_errors(value))
    return wrong and f"{name}{wrong.json_path[1:]}: {wrong.message[:300]}"


def check(name: str, value: Any) -> None:
    """Raises ``AssertionError`` unless ``value`` is what the API's ``name`` says, to the key."""
    value = json.loads(json.dumps(value))
    wrong = complaint({"$ref": f"#/definitions/{name}"}, value, name)
    assert wrong is None, wrong


def check_reply(operation_name: str, value: Any, status: int = 200) -> None:
    """The same for the body of an operation's reply."""
    schema = operation(operation_name)["responses"][str(status)]["schema"]
    wrong = complaint(schema, json.loads(json.dumps(value)), operation_name)
    assert wrong is None, wrong


@FORMATS.checks("dateTime")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or _WHEN.fullmatch(value) is not None


def _whole(name: str, low: int, high: int) -> None:
    FORMATS.checks(name)(lambda value: not isinstance(value, int) or low <= value <= high)


_whole("int64", -(1 << 63), (1 << 63) - 1)
_whole("uint64", 0, (1 << 64) - 1)
_whole("uint32", 0, (1 << 32) - 1)
_whole("uint16", 0, (1 << 16) - 1)
