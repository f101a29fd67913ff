"""Image configs: the bytes are the identity, so they come back as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.oci.image_config import History, ImageConfig, ImageHealthcheck, RunDefaults
from minidocker.oci.platform import Platform
from tests.oci.schemas import validator
from tests.oci.texts import digests, lists, maps, maybe_lists, words

numbers = st.integers(0, 2**62)
names = st.lists(st.text(min_size=1, max_size=8), max_size=3, unique=True).map(tuple)
healthchecks = st.builds(ImageHealthcheck, lists, numbers, numbers, numbers, numbers, numbers)
defaults = st.builds(
    RunDefaults,
    user=words,
    exposed_ports=names,
    env=lists,
    entrypoint=maybe_lists,
    cmd=maybe_lists,
    volumes=names,
    working_dir=words,
    labels=maps,
    stop_signal=words,
    healthcheck=st.none() | healthchecks,
    shell=maybe_lists,
    on_build=lists,
    args_escaped=st.booleans(),
)
configs = st.builds(
    ImageConfig,
    st.sampled_from(["amd64", "arm64"]),
    st.just("linux"),
    st.lists(digests, max_size=3).map(tuple),
    defaults,
    st.lists(st.builds(History, words, words, words, words, st.booleans()), max_size=3).map(tuple),
    st.sampled_from(["", "2024-05-01T10:00:00Z"]),
    words,
    st.sampled_from(["", "v8"]),
    words,
    lists,
    words,
    words,
    st.dictionaries(words, words | st.none() | lists.map(list), max_size=2),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}


@given(configs)
def test_a_config_is_read_back_and_fits_the_schema(config: ImageConfig) -> None:
    data = config.to_bytes()
    assert ImageConfig.from_bytes(data) == config
    validator("config-schema.json").validate(json.loads(data))


@given(
    configs,
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.dictionaries(st.text("xyz", min_size=1), json_values, max_size=2),
)
def test_what_was_read_is_written_byte_for_byte(
    config: ImageConfig, indent: Any, sort: bool, unknown: dict[str, Any]
) -> None:
    said = json.loads(config.to_bytes()) | unknown
    data = json.dumps(said, indent=indent, sort_keys=sort).encode() + b"\n" * sort
    assert ImageConfig.from_bytes(data).to_bytes() == data


@given(configs, st.dictionaries(st.text("xyz", min_size=1), json_values, max_size=2), words)
def test_a_change_keeps_the_unknown_fields(
    config: ImageConfig, unknown: dict[str, Any], author: str
) -> None:
    said = json.loads(config.to_bytes())
    inner = {**said.get("config", {}), **unknown}
    read = ImageConfig.from_bytes(json.dumps(said | unknown | {"config": inner}).encode())
    changed = replace(read, author=author + "!", config=replace(read.config, user="somebody"))
    written = json.loads(changed.to_bytes())
    assert written["author"] == author + "!"
    assert written["config"]["User"] == "somebody"
    assert {key: written[key] for key in unknown} == unknown
    assert {key: written["config"][key] for key in unknown} == unknown
    assert ImageConfig.from_bytes(changed.to_bytes()) == changed


def test_null_means_not_said() -> None:
    """Go writes null for an empty list or map."""
    keys = [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "Labels",
        "Healthcheck",
        "Shell",
        "OnBuild",
    ]
    said = CONFIG | {"config": dict.fromkeys(keys), "history": None, "created": None}
    assert ImageConfig.from_bytes(json.dumps(said).encode()) == ImageConfig("amd64", "linux")
    assert ImageConfig.from_bytes(json.dumps(CONFIG | {"config": None}).encode()) == (
        ImageConfig("amd64", "linux")
    )


def test_an_empty_command_is_not_a_missing_one() -> None:
    empty = ImageConfig.from_bytes(json.dumps(CONFIG | {"config": {"Cmd": []}}).encode())
    assert empty.config.cmd == ()
    assert ImageConfig("amd64", "linux").config.cmd is None


def test_dockers_additions_are_read() -> None:
    health = {"Test": ["CMD", "true"], "Interval": 1, "Timeout": 2, "StartPeriod": 3, "Retries": 4}
    inner = {
        "Healthcheck": health | {"StartInterval": 5},
        "Shell": ["/bin/sh", "-c"],
        "OnBuild": ["RUN x"],
        "ArgsEscaped": True,
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
    }
    config = ImageConfig.from_bytes(json.dumps(CONFIG | {"config": inner}).encode()).config
    assert config.healthcheck == ImageHealthcheck(("CMD", "true"), 1, 2, 3, 5, 4)
    assert config.shell == ("/bin/sh", "-c")
    assert config.on_build == ("RUN x",)
    assert config.args_escaped
    assert (config.exposed_ports, config.volumes) == (("80/tcp",), ("/data",))


def test_the_platform_is_a_normalized_one() -> None:
    assert ImageConfig("aarch64", "linux", variant="v8").platform == Platform("linux", "arm64")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rootfs": None}, '"rootfs" has type "None"'),
        ({"rootfs": {"type": "tree"}}, '"rootfs" has type "tree"'),
        ({"rootfs": {"type": "layers", "diff_ids": ["x"]}}, "checksum digest"),
        ({"rootfs": {"type": "layers", "diff_ids": "x"}}, '"diff_ids" must be list'),
        ({"rootfs": 3}, '"rootfs" must be dict'),
        ({"architecture": 3}, '"architecture" must be str'),
        ({"config": {"Env": ["a", 3]}}, '"Env" must be str'),
        ({"config": {"Labels": {"a": 1}}}, '"Labels" must be str'),
        ({"config": {"Cmd": "sh"}}, '"Cmd" must be list'),
        ({"config": {"Healthcheck": {"Interval": "1s"}}}, '"Interval" must be int'),
        ({"history": [None]}, '"history" must be dict'),
        ({"history": {"a": 1}}, '"history" must be list'),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        ImageConfig.from_bytes(json.dumps(CONFIG | change).encode())


@given(st.sampled_from([*CONFIG, "config", "history", "created"]), json_values)
def test_a_strange_field_is_taken_or_refused_in_words(key: str, value: Any) -> None:
    try:
        config = ImageConfig.from_bytes(json.dumps(CONFIG | {key: value}).encode())
    except InvalidParameter:
        return
    assert json.loads(config.to_bytes())[key] == value
