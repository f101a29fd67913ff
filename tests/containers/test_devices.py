"""Device nodes and the rules that go with them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups.resources import DeviceRule
from minidocker.containers.devices import (
    DEFAULT_RULES,
    EVERYTHING,
    DeviceNode,
    device_rules,
    find_devices,
    parse_rule,
)
from minidocker.containers.spec import Device
from minidocker.errors import InvalidParameter
from tests.containers import strategies as draw

numbers = st.none() | st.integers(0, 4000)


@given(st.sampled_from("acb"), numbers, numbers, st.sampled_from(["r", "rw", "mwr"]))
def test_a_rule_is_read_as_it_is_written(
    kind: str, major: int | None, minor: int | None, access: str
) -> None:
    shown = [("*" if number is None else str(number)) for number in (major, minor)]
    assert parse_rule(f"{kind} {':'.join(shown)} {access}") == DeviceRule(
        True, kind, major, minor, access
    )


@given(st.text(max_size=12))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert parse_rule(text).allow


@pytest.mark.parametrize("line", ["", "c 1:3", "d 1:3 rwm", "c 1:3 x", "c  1:3 r", "c -1:3 r"])
def test_a_malformed_rule_is_refused(line: str) -> None:
    with pytest.raises(InvalidParameter):
        device_rules((), [line], False)


@given(st.lists(draw.nodes, max_size=3))
def test_nothing_is_allowed_before_all_is_forbidden(nodes: list[DeviceNode]) -> None:
    rules = device_rules(nodes, ["c 10:200 rw"], False)
    assert rules[0] == DeviceRule(False)
    assert all(rule.allow for rule in rules[1:])
    assert rules[: len(DEFAULT_RULES)] == DEFAULT_RULES
    for node in nodes:
        assert DeviceRule(True, node.kind, node.major, node.minor, node.permissions) in rules
    assert device_rules(nodes, (), True) == EVERYTHING


def test_a_device_is_found_with_the_hosts_numbers() -> None:
    (null,) = find_devices([Device("/dev/null", "/dev/nothing", "rw")], False)
    assert (null.path, null.kind, null.major, null.minor) == ("/dev/nothing", "c", 1, 3)
    assert null.permissions == "rw"
    assert null.to_oci()["path"] == "/dev/nothing"


def test_privileged_has_the_hosts_devices_but_not_its_terminals() -> None:
    paths = {node.path for node in find_devices([], True)}
    assert "/dev/null" in paths
    assert not any(path.startswith(("/dev/pts", "/dev/shm")) for path in paths)


def test_what_is_no_device_is_refused_by_name(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    for path, why in ((tmp_path / "none", "no such file"), (plain, "not a device node")):
        with pytest.raises(InvalidParameter, match=why):
            find_devices([Device(str(path), str(path))], False)
    with pytest.raises(InvalidParameter, match="invalid device mode: x"):
        find_devices([Device("/dev/null", "/dev/null", "x")], False)
