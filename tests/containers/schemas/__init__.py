"""The OCI runtime specification's JSON schemas, copied: an oracle for what the launcher is asked.

https://github.com/opencontainers/runtime-spec/tree/main/schema
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


@cache
def validator(name: str = "config-schema.json") -> jsonschema.Draft4Validator:
    """The validator for the schema in the file ``name``."""
    loaded: dict[str, Any] = {
        path.name: json.loads(path.read_text("utf-8")) for path in HERE.glob("*.json")
    }
    for schema in loaded.values():
        schema.pop("id", None)  # an address that the references between the files do not go by
    registry: Registry[Any] = Registry().with_resources(
        [
            (file, Resource.from_contents(schema, default_specification=DRAFT4))
            for file, schema in loaded.items()
        ]
    )
    return jsonschema.Draft4Validator(loaded[name], registry=registry)
