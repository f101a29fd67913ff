"""Containers as the API shows them, held against the API's own definitions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.containers.container import Container, Health, State
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon import container_shapes as shapes
from minidocker.daemon.container_shapes import Around
from minidocker.daemon.network_shapes import Place, builtin_id
from minidocker.daemon.times import NEVER, SECOND, human_duration, rfc3339, rfc3339_fixed
from tests.daemon import api
from tests.daemon.strategies import containers

NOWHERE = Place("n" * 64)
AROUND = Around(Path("/data/c"), Path("/data/c/log"), NOWHERE, "box", ["/l/2", "/l/1"], ["e"])
SPEC = ContainerSpec(image="x", network_mode="none")
PLAIN = Container("0123456789ab" + "c" * 52, "web", SPEC, "i")
NOW = 1_700_000_000 * SECOND
SICK = Health("unhealthy")
UNSURE = "Up 1 second (health: starting)"


@given(containers, st.booleans())
@settings(max_examples=40)
def test_inspect_is_what_the_api_says(container: Container, sized: bool) -> None:
    around = replace(AROUND, size_rw=5, size_root=9) if sized else AROUND
    shown = shapes.inspect(container, around)
    api.check("ContainerInspectResponse", shown)
    assert ("SizeRw" in shown) == sized
    assert shown["Image"] == container.image_id
    assert shown["Name"] == f"/{container.name}"


@given(containers, st.booleans())
@settings(max_examples=40)
def test_a_row_of_the_list_is_what_the_api_says(container: Container, sized: bool) -> None:
    around = replace(AROUND, size_rw=5, size_root=9) if sized else None
    api.check("ContainerSummary", shapes.summary(container, "alpine", NOWHERE, NOW, around))


def test_inspect_has_every_field_that_the_api_has() -> None:
    shown = shapes.inspect(PLAIN, AROUND)
    sometimes = {"SizeRw", "SizeRootFs", "ImageManifestDescriptor"}
    assert api.fields("ContainerInspectResponse") - shown.keys() == sometimes
    left_out = {"Annotations", "Init", "KernelMemoryTCP", "Mounts"}
    left_out |= {"StorageOpt", "Sysctls", "Tmpfs"}
    assert api.fields("HostConfig") - shown["HostConfig"].keys() == left_out
    settings = shown["NetworkSettings"]
    assert api.fields("NetworkSettings") == settings.keys()
    assert api.fields("EndpointSettings") == settings["Networks"]["none"].keys()


def test_empty_lists_maps_and_nulls_are_those_of_docker() -> None:
    shown = shapes.inspect(PLAIN, replace(AROUND, exec_ids=()))
    host = shown["HostConfig"]
    assert shown["ExecIDs"] is None
    assert shown["Mounts"] == []
    assert shown["NetworkSettings"]["Ports"] == {}
    nulls = ("Binds", "CapAdd", "CapDrop", "ExtraHosts", "GroupAdd", "SecurityOpt", "VolumesFrom")
    assert [key for key in nulls if host[key] is not None] == []
    lists = ("Dns", "DnsSearch", "DnsOptions", "Devices", "Ulimits", "BlkioWeightDevice")
    assert [key for key in lists if host[key] != []] == []
    assert host["PortBindings"] == {}
    assert host["PidsLimit"] is host["MemorySwappiness"] is None
    assert host["Memory"] == host["NanoCpus"] == 0
    assert host["MaskedPaths"][0] == "/proc/acpi"
    assert shown["Config"]["Env"] == []
    assert shown["Config"]["Volumes"] is None
    assert shown["State"]["StartedAt"] == NEVER


def test_a_privileged_container_masks_nothing() -> None:
    host = shapes.host_config(ContainerSpec(privileged=True))
    assert host["MaskedPaths"] is host["ReadonlyPaths"] is None


def test_the_network_has_an_id_and_is_not_its_name() -> None:
    one, two = builtin_id("engine", "none"), builtin_id("engine", "host")
    assert len(one) == 64
    assert one != two != builtin_id("other", "host")
    assert shapes.endpoints(PLAIN, Place(one))["none"]["NetworkID"] == one


def test_in_another_containers_network_there_is_none_of_its_own() -> None:
    spec = replace(PLAIN.spec, network_mode="container:abc")
    assert shapes.network_settings(replace(PLAIN, spec=spec), Place())["Networks"] == {}


def hostname(**spec: Any) -> str:
    container = replace(PLAIN, spec=replace(PLAIN.spec, **spec))
    return shapes.config(container, "box")["Hostname"]


def test_the_hostname_is_the_short_id_unless_said_or_shared() -> None:
    assert hostname() == "0123456789ab"
    assert hostname(hostname="db") == "db"
    assert hostname(network_mode="host") == "box"
    assert hostname(uts_mode="host") == ""


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State("created"), "Created"),
        (State("running", started_at=NOW - 300 * SECOND), "Up 5 minutes"),
        (State("paused", started_at=NOW - 3600 * SECOND), "Up About an hour (Paused)"),
        (State("exited", 0, 3, started_at=1, finished_at=NOW - SECOND), "Exited (3) 1 second ago"),
        (State("restarting", 0, 1, finished_at=NOW - 2 * SECOND), "Restarting (1) 2 seconds ago"),
        (State("removing"), "Removal In Progress"),
        (State("dead"), "Dead"),
        (State("running", started_at=NOW - SECOND, health=SICK), "Up 1 second (unhealthy)"),
        (State("running", started_at=NOW - SECOND, health=Health()), UNSURE),
    ],
)
def test_the_status_is_a_sentence(state: State, text: str) -> None:
    assert shapes.status_text(state, NOW) == text


def test_the_command_is_one_line_with_spaces_quoted() -> None:
    container = replace(PLAIN, args=("/bin/sh", "-c", "echo it's me"))
    assert shapes.command_text(container) == """/bin/sh -c 'echo it'"'"'s me'"""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (120, "2 minutes"),
        (46 * 60, "46 minutes"),
        (90 * 60, "2 hours"),
        (47 * 3600, "47 hours"),
        (3 * 86400, "3 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_durations_are_rounded_as_docker_does(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.integers(1, 4 * 10**18))
def test_times_keep_every_nanosecond(ns: int) -> None:
    short, fixed = rfc3339(ns), rfc3339_fixed(ns)
    assert len(fixed) == len("2006-01-02T15:04:05.000000000Z")
    assert fixed.startswith(short[:-1])
    assert int(fixed[20:29]) == ns % SECOND
    assert rfc3339(0) == NEVER
