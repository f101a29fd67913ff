"""The runtime spec of any container: valid by OCI's own schema, and as isolated as it should be."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.containers.devices import DeviceNode
from minidocker.containers.merge import command_line
from minidocker.containers.modes import parse_modes
from minidocker.containers.runtime_spec import (
    MASKED_PATHS,
    READONLY_PATHS,
    Surroundings,
    runtime_spec,
)
from minidocker.containers.security import effective_capabilities, parse_security_options
from minidocker.containers.spec import ContainerSpec
from minidocker.namespaces.capabilities import NAMES
from tests.containers import strategies as draw
from tests.containers.schemas import validator

runnable = draw.specs.filter(command_line)
few = settings(max_examples=20, deadline=None)


def around(spec: ContainerSpec, nodes: list[DeviceNode] | None = None) -> Surroundings:
    return Surroundings(
        id="i" * 64,
        directory=Path("/containers/it"),
        hostname=spec.hostname or "it",
        modes=parse_modes(spec),
        security=parse_security_options(spec.security_opt),
        capabilities=effective_capabilities(spec.cap_add, spec.cap_drop, spec.privileged, NAMES),
        devices=tuple(nodes or ()),
        thermal=("/sys/devices/system/cpu/cpu0/thermal_throttle",),
        cgroup_path="minidocker/it",
    )


@few
@given(runnable, st.lists(draw.nodes, max_size=2, unique_by=lambda node: node.path))
def test_it_is_valid_by_ocis_schema(spec: ContainerSpec, nodes: list[DeviceNode]) -> None:
    config = runtime_spec(spec, around(spec, nodes))
    errors = [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
        for e in validator().iter_errors(config)
    ]
    assert not errors


@few
@given(runnable)
def test_a_namespace_is_its_own_unless_it_asks_for_the_hosts(spec: ContainerSpec) -> None:
    own = {each["type"] for each in runtime_spec(spec, around(spec))["linux"]["namespaces"]}
    asked = {
        "network": spec.network_mode,
        "pid": spec.pid_mode,
        "ipc": spec.ipc_mode,
        "uts": spec.uts_mode,
        "cgroup": spec.cgroupns_mode,
    }
    assert own == {"mount"} | {kind for kind, mode in asked.items() if mode != "host"}


@few
@given(runnable)
def test_no_capability_comes_from_nowhere(spec: ContainerSpec) -> None:
    surroundings = around(spec)
    sets = runtime_spec(spec, surroundings)["process"]["capabilities"]
    assert set(sets) == {"bounding", "effective", "permitted"}, "none ambient, none inheritable"
    assert all(names == list(surroundings.capabilities) for names in sets.values())


@few
@given(runnable)
def test_the_hosts_kernel_is_hidden_unless_that_was_given_up(spec: ContainerSpec) -> None:
    linux = runtime_spec(spec, around(spec))["linux"]
    if spec.privileged or "systempaths=unconfined" in spec.security_opt:
        assert linux["maskedPaths"] == linux["readonlyPaths"] == []
        return
    if spec.masked_paths is None:
        assert set(MASKED_PATHS) < set(linux["maskedPaths"])
    if spec.readonly_paths is None:
        assert linux["readonlyPaths"] == list(READONLY_PATHS)


@few
@given(runnable)
def test_the_program_is_what_was_asked_for(spec: ContainerSpec) -> None:
    config = runtime_spec(spec, around(spec))
    process = config["process"]
    assert process["args"] == list(command_line(spec))
    assert process["user"]["username"] == spec.user, "there even when it is empty"
    assert process["cwd"] == (spec.working_dir or "/")
    assert process["terminal"] == spec.tty
    assert ("consoleSize" in process) == (spec.tty and any(spec.console_size))
    assert process["noNewPrivileges"] == ("no-new-privileges" in spec.security_opt)
    assert config["root"]["readonly"] == spec.read_only
    assert ("hostname" in config) == (spec.uts_mode != "host")
    assert config["linux"]["cgroupsPath"] == "/minidocker/it"
