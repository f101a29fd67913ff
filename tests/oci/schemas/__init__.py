"""The OCI image specification's JSON schemas, copied: an oracle for what we write.

https://github.com/opencontainers/image-spec/tree/main/schema
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

HERE = Path(__file__).parent


def _without_ids(value: Any) -> Any:
    """The schemas' ``id`` fields name addresses that their own references do not go by."""
    if isinstance(value, dict):
        return {
            key: _without_ids(each)
            for key, each in value.items()
            if key != "id" or not isinstance(each, str)
        }
    if isinstance(value, list):
        return [_without_ids(each) for each in value]
    return value


@cache
def validator(name: str) -> jsonschema.Draft4Validator:
    """The validator for the schema in the file ``name``."""
    loaded = {
        path.name: _without_ids(json.loads(path.read_text("utf-8"))) for path in HERE.glob("*.json")
    }
    registry: Registry[Any] = Registry().with_resources(
        [
            (file, Resource.from_contents(schema, default_specification=DRAFT4))
            for file, schema in loaded.items()
        ]
    )
    return jsonschema.Draft4Validator(loaded[name], registry=registry)
