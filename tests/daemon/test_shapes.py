"""Images, statistics, events, execs and networks as the API shows them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.cgroups.stats import (
    TICK_NS,
    CpuStats,
    IoCount,
    IoStats,
    MemoryStats,
    PidsStats,
    Stats,
)
from minidocker.containers.container import Container
from minidocker.containers.events import BEHIND, Event, EventBus
from minidocker.containers.execs import Exec, ExecSpec
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon import (
    events,
    execs,
    image_shapes,
    images,
    network_shapes,
    networks,
    stats_shapes,
)
from minidocker.daemon.connection import Gone
from minidocker.daemon.filters import parse_filters
from minidocker.daemon.stats_shapes import Sample
from minidocker.errors import InvalidParameter
from minidocker.images.store import Image
from minidocker.networks.network import Network
from minidocker.networks.subnets import read_subnet
from minidocker.oci.image_config import History, ImageConfig, RunDefaults
from tests.daemon import api
from tests.daemon.strategies import containers, lists, maps, words

HEX = "ab" * 32
API = (1, 50)

# Images

defaults = st.builds(
    RunDefaults,
    user=words,
    exposed_ports=lists,
    env=lists,
    entrypoint=st.none() | lists,
    cmd=st.none() | lists,
    volumes=lists,
    labels=maps,
    shell=st.none() | lists,
)
configs = st.builds(
    ImageConfig,
    architecture=st.just("amd64"),
    os=st.just("linux"),
    diff_ids=st.just((f"sha256:{HEX}",)),
    config=defaults,
    history=st.lists(st.builds(History, words, words, words, words, st.booleans()), max_size=3).map(
        tuple
    ),
    created=st.sampled_from(["", "2024-01-02T03:04:05.123456789Z", "nonsense"]),
)
stored = st.builds(
    Image,
    id=st.just(f"sha256:{HEX}"),
    config=configs,
    manifest_digest=st.just(f"sha256:{HEX}"),
    names=lists,
    repo_digests=lists,
    size=st.integers(0, 1 << 40),
)


@given(stored)
@settings(max_examples=30)
def test_images_are_shown_as_the_api_says(image: Image) -> None:
    api.check("ImageInspect", image_shapes.inspect(image, ["/l/2", "/l/1"], API))
    api.check("ImageSummary", image_shapes.summary(image, -1, API))
    api.check_reply("ImageHistory", image_shapes.history(image, [5]))


CONFIG = ImageConfig("arm64", "linux", variant="v8", created="1970-01-01T00:01:00Z")
IMAGE = Image(f"sha256:{HEX}", CONFIG, HEX, ("a:1",), size=7)


def test_older_clients_are_told_as_they_expect() -> None:
    assert image_shapes.inspect(IMAGE, [], (1, 43))["VirtualSize"] == 7
    assert "VirtualSize" not in image_shapes.inspect(IMAGE, [], (1, 44))
    nameless = Image(IMAGE.id, CONFIG, HEX)
    assert image_shapes.summary(nameless, 0, (1, 42))["RepoTags"] == ["<none>:<none>"]
    assert image_shapes.summary(nameless, 0, API)["RepoTags"] == []
    assert image_shapes.summary(IMAGE, 0, API)["Created"] == 60


def test_history_is_newest_first_and_sizes_belong_to_layers() -> None:
    steps = (History(created_by="ADD"), History(created_by="ENV", empty_layer=True), History())
    config = ImageConfig("amd64", "linux", history=steps)
    shown = image_shapes.history(Image(IMAGE.id, config, HEX, ("a:1",)), [5, 9])
    assert [each["Size"] for each in shown] == [9, 0, 5]
    assert [each["Id"] for each in shown] == [IMAGE.id, "<missing>", "<missing>"]
    assert shown[0]["Tags"] == ["a:1"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        *(("alpine", True), ("alpine:3*", True), ("alp*", True), ("alpine:4", False)),
        *(("*/app", True), ("*", True), ("app", False)),
    ],
)
def test_the_reference_filter_stops_at_slashes(pattern: str, found: bool) -> None:
    names = ("me/app:1",) if "app" in pattern else ("alpine:3.20",)
    assert bool(images.matching(frozenset({pattern}), names)) == found


def test_of_an_image_with_several_names_those_are_listed_that_match() -> None:
    names = ("app:1", "app:2", "other:1")
    assert images.matching(frozenset({"app"}), names) == ("app:1", "app:2")


# Statistics

sizes = st.integers(0, (1 << 64) - 1)  # the kernel's counters
counts = st.lists(
    st.builds(IoCount, st.just(8), st.just(0), st.sampled_from(["Read", "write"]), sizes),
    max_size=2,
).map(tuple)
usage = st.builds(
    Stats,
    version=st.sampled_from([1, 2]),
    cpu=st.builds(CpuStats, sizes, sizes, sizes),
    memory=st.builds(MemoryStats, sizes, st.none() | sizes),
    pids=st.builds(PidsStats, sizes, st.none() | sizes),
    io=st.builds(IoStats, counts, counts),
)
samples = st.builds(Sample, usage, st.integers(1, 4 * 10**18), sizes, st.just(2), st.just(1 << 30))


@given(containers, samples, st.none() | samples)
@settings(max_examples=25)
def test_statistics_are_what_the_api_says(
    container: Container, now: Sample, before: Sample | None
) -> None:
    shown = stats_shapes.shape(container, now, before)
    api.check("ContainerStatsResponse", shown)
    assert shown["memory_stats"]["limit"] <= 1 << 30
    assert ("max_usage" in shown["memory_stats"]) == (
        now.stats.version == 1 and now.stats.memory.maximum > 0
    )


def test_a_stopped_container_has_a_name_and_zeros() -> None:
    container = Container(HEX, "web", ContainerSpec(), "i")
    shown = stats_shapes.shape(container, None, None)
    api.check("ContainerStatsResponse", shown)
    assert (shown["name"], shown["id"]) == ("/web", HEX)
    assert shown["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert shown["memory_stats"] == shown["pids_stats"] == {}
    assert shown["read"] == "0001-01-01T00:00:00Z"


def test_the_machines_cpu_time_counts_guests_once() -> None:
    tick = TICK_NS
    assert stats_shapes.system_cpu_ns("cpu  1 2 3 4 5 6 7 8 90 91\ncpu0 9\n") == 36 * tick


# Events

happened = st.builds(
    Event,
    st.sampled_from(["container", "image", "network"]),
    st.sampled_from(["start", "die", "exec_create: ls -l"]),
    st.just(HEX),
    maps,
    st.integers(1, 4 * 10**18),
)


@given(happened)
def test_events_are_what_the_api_says(event: Event) -> None:
    shown = events.shape(event)
    api.check("EventMessage", shown)
    assert shown["timeNano"] // 10**9 == shown["time"]
    if event.kind == "container":
        assert (shown["status"], shown["id"]) == (event.action, event.actor)


START = Event("container", "start", HEX, {"name": "web", "image": "alpine:3", "tier": "front"}, 1)
EXEC = Event("container", "exec_create: ls", HEX, {"name": "web"}, 1)
TAG = Event("image", "tag", f"sha256:{HEX}", {"name": "a.b:5000/x:1"}, 1)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"container": ["web"]}, [START, EXEC]),
        ({"container": ["we"]}, [START, EXEC]),  # the beginning of a name, as of an ID
        ({"container": [""]}, []),
        ({"container": [HEX[:12]]}, [START, EXEC]),
        ({"event": ["exec_create"]}, [EXEC]),
        ({"event": ["start", "tag"]}, [START, TAG]),
        ({"type": ["image"]}, [TAG]),
        ({"image": ["alpine"]}, [START]),
        ({"image": ["a.b:5000/x"]}, [TAG]),
        ({"label": ["tier=front"]}, [START]),
        ({"type": ["container"], "event": ["tag"]}, []),
        ({"network": ["web"]}, []),
        ({}, [START, EXEC, TAG]),
    ],
)
def test_filters_of_events(filters: dict[str, list[str]], found: list[Event]) -> None:
    matches = events.matcher(parse_filters(json.dumps(filters), events.ALLOWED))
    assert [each for each in (START, EXEC, TAG) if matches(each)] == found


def test_the_stream_begins_with_the_past_and_ends_at_until() -> None:
    async def run() -> list[Any]:
        clock = iter(range(1, 100))
        bus = EventBus(clock=lambda: next(clock))
        for action in ("a", "b", "c", "d"):
            bus.publish("container", action, HEX)
        lines = events._lines(bus.subscribe(since_ns=2), until_ns=3)
        return [json.loads(line)["Action"] async for line in lines]

    assert asyncio.run(run()) == ["b", "c"]


def test_who_does_not_take_what_happened_is_cut_off() -> None:
    got = []

    async def run() -> None:
        bus = EventBus()
        lines = events._lines(bus.subscribe(), None)
        for _ in range(BEHIND + 5):
            bus.publish("container", "start", HEX)
        assert bus.listeners == 0
        async for line in lines:
            got.append(line)

    with pytest.raises(Gone):
        asyncio.run(run())
    assert len(got) == BEHIND


# Execs

asked = st.fixed_dictionaries(
    {"Cmd": st.lists(words, min_size=1, max_size=3)},
    optional={
        "AttachStdin": st.booleans(),
        "Tty": st.booleans(),
        "Env": st.lists(words, max_size=2),
        "User": words,
        "Privileged": st.booleans(),
        "WorkingDir": words,
        "ConsoleSize": st.just([24, 80]),
        "DetachKeys": st.sampled_from(["", "ctrl-a", "ctrl-p,ctrl-q"]),
    },
)


@given(asked, st.none() | st.integers(0, 255))
def test_an_exec_is_read_and_shown(body: dict[str, Any], code: int | None) -> None:
    spec = execs.read_exec(body)
    assert list(spec.command) == body["Cmd"]
    shown = execs.shape(Exec("e" * 64, HEX, spec, exit_code=code))
    api.check("ExecInspectResponse", shown | ({} if code is not None else {"ExitCode": 0}))
    assert shown["ExitCode"] == code
    assert [shown["ProcessConfig"]["entrypoint"], *shown["ProcessConfig"]["arguments"]] == body[
        "Cmd"
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "No exec command specified"),
        ({"Cmd": []}, "No exec command specified"),
        ({"Cmd": ["a"], "Comand": ["b"]}, "comand: there is no such field"),
        ({"Cmd": ["a"], "DetachKeys": "ctrl-"}, "Invalid escape keys"),
        ({"Cmd": ["a"], "Tty": 1}, "Tty must be true or false"),
    ],
)
def test_an_exec_that_cannot_be_says_why(body: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        execs.read_exec(body)
    assert ExecSpec(("a",)).command == ("a",)


# Networks

NONE = network_shapes.builtin("none", "null", HEX, 5, ())


def test_a_network_is_what_the_api_says() -> None:
    api.check("Network", NONE)
    subnet = read_subnet("10.1.0.0/16", "", "10.1.2.0/24", {"printer": "10.1.2.9"})
    mine = Network(HEX, "mine", 5, (subnet,), labels={"a": "b"})
    shown = network_shapes.network(mine)
    api.check("Network", shown)
    assert shown["IPAM"]["Config"] == [
        {
            "Subnet": "10.1.0.0/16",
            "IPRange": "10.1.2.0/24",
            "Gateway": "10.1.2.0",
            "AuxiliaryAddresses": {"printer": "10.1.2.9"},
        }
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        *(({}, True), ({"name": ["^no"]}, True), ({"driver": ["bridge"]}, False)),
        *(({"type": ["custom"]}, False), ({"dangling": ["true"]}, False)),
        ({"label": ["x"]}, False),
    ],
)
def test_filters_of_networks(filters: dict[str, list[str]], found: bool) -> None:
    parsed = parse_filters(json.dumps(filters), networks._FILTERS)
    assert networks.matches(parsed, NONE, ()) == found
