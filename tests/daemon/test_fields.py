"""Every field of a create is honoured, as can be seen, or refused by its name: fields.toml.

The fields are those of the API's text, so that one which a new text brings is missed here.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minidocker.containers.check import check_spec
from minidocker.daemon.create_body import read_create
from minidocker.daemon.create_fields import REFUSED
from minidocker.errors import InvalidParameter
from tests.daemon import api
from tests.oracle.asked import answer, delete, get, post
from tests.support.engine import Engine

PROJECT = Path(__file__).parents[2]
TABLE: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("fields.toml").read_text("utf-8")
)
ROOT = "fields"  # the name of every container here


def leaves(schema: dict[str, Any], name: str = "") -> Iterator[str]:
    """The way to each field that has no fields itself."""
    if "$ref" in schema:
        schema = api.definition(schema["$ref"])
    values = schema.get("additionalProperties")
    if known := api.properties(schema):
        for key, inner in known.items():
            yield from leaves(inner, f"{name}.{key}".lstrip("."))
    elif "items" in schema:
        yield from leaves(schema["items"], f"{name}[]")
    elif isinstance(values, dict) and values.keys() & {"$ref", "items"}:
        yield from leaves(values, f"{name}{{}}")
    else:
        yield name


def fields(definition: str) -> set[str]:
    return set(leaves(api.definition(definition)))


def named(entry: dict[str, Any]) -> str:
    return " ".join(entry["fields"])


def test_every_field_is_in_the_table_once() -> None:
    there = fields("ContainerConfig") | fields("HostConfig")
    listed = [each for kind in TABLE.values() for entry in kind for each in entry["fields"]]
    assert len(set(listed)) == len(listed)
    # Those that are refused whatever they ask for have their test in test_create_body.py.
    whole = {each for each in there if re.split(r"[.\[{]", each)[0] in REFUSED}
    assert there - set(listed) - whole == set()
    assert set(listed) <= there


@pytest.mark.parametrize("entry", TABLE["elsewhere"], ids=named)
def test_the_test_that_is_elsewhere_exists(entry: dict[str, Any]) -> None:
    path, _, name = entry["test"].partition("::")
    assert re.search(rf"def {name}\(", (PROJECT / path).read_text("utf-8"))


@pytest.mark.parametrize("entry", TABLE["refused"], ids=named)
def test_what_is_not_honoured_is_refused_in_words(entry: dict[str, Any]) -> None:
    body = {"Image": "x", **entry.get("config", {}), "HostConfig": entry.get("host", {})}
    with pytest.raises(InvalidParameter, match=re.escape(entry["said"])):
        check_spec(read_create(body, no_disk))


def no_disk(path: str) -> tuple[int, int]:
    raise InvalidParameter(f"the device {path!r} of a limit: no such file or directory")


# From inside


@pytest.fixture
def words(tmp_path: Path) -> dict[str, str]:
    """What ``$WORD`` in the table means on this machine."""
    (tmp_path / "file").write_text("shared\n")
    disks = [f"/dev/{each}" for each in sorted(os.listdir("/sys/block"))]
    disk = next(each for each in disks if os.path.exists(each))
    device = os.stat(disk).st_rdev
    own = {each.upper(): os.readlink(f"/proc/self/ns/{each}") for each in NAMESPACES}
    numbers = f"{os.major(device)}:{os.minor(device)}"
    return {"SHARED": str(tmp_path), "DISK": disk, "NUMBERS": numbers, **own}


NAMESPACES = ("net", "ipc", "pid", "uts", "user")


def filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, words) for each in value]
    for word, meaning in words.items():
        value = value.replace(f"${word}", meaning) if isinstance(value, str) else value
    return value


def seen(engine: Engine, entry: dict[str, Any], config: Any, host: Any) -> str:
    """What the script prints in a container with these fields."""
    command = {"Cmd": ["sh", "-c", entry["look"]]} if "look" in entry else {}
    body = {"Image": "busybox", **command, **config, "HostConfig": {"NetworkMode": "none", **host}}
    answer(engine.socket, delete(f"/containers/{ROOT}?force=1"), "")
    try:
        for request, wanted in (
            (post(f"/containers/create?name={ROOT}", body), 201),
            (post(f"/containers/{ROOT}/start"), 204),
            (post(f"/containers/{ROOT}/wait"), 200),
        ):
            status, said = answer(engine.socket, request, "")
            assert status == wanted, said
        said = answer(engine.socket, get(f"/containers/{ROOT}/logs?stdout=1&stderr=1"), "")[1]
        return str(said).replace("\r", "").rstrip("\n")
    finally:
        answer(engine.socket, delete(f"/containers/{ROOT}?force=1"), "")


@pytest.mark.kernel
@pytest.mark.parametrize("entry", TABLE["inside"], ids=named)
def test_a_field_is_seen_from_inside(
    entry: dict[str, Any], engine: Engine, words: dict[str, str]
) -> None:
    if "/sys/fs/cgroup/" in entry.get("look", "") and not Path("/sys/fs/cgroup/memory").exists():
        pytest.skip("cgroup v1 is not mounted here; for v2 see tests/guest")
    entry = filled(entry, words)
    assert seen(engine, entry, entry.get("config", {}), entry.get("host", {})) == entry["sees"]
    without = seen(engine, entry, {}, {})
    assert (without == entry["sees"]) == ("either_way" in entry)
