"""Filters: both encodings mean the same, and what is wrong is named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.cables import Cable
from minidocker.containers.container import Container, Health, State
from minidocker.containers.network_spec import Attachment
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.container_filters import ALLOWED, choose
from minidocker.daemon.filters import (
    any_matches,
    labels_match,
    one_flag,
    parse_filters,
    parse_time,
)
from minidocker.daemon.network_shapes import Place
from minidocker.errors import InvalidParameter, NotFound
from minidocker.networks.endpoints import HostPort
from minidocker.networks.network import Endpoint, Network

wanted = st.dictionaries(
    st.sampled_from(["name", "label", "status"]),
    st.lists(st.text(max_size=5), min_size=1, max_size=3),
    max_size=3,
)


@given(wanted)
def test_a_list_and_a_map_of_true_are_one(filters: dict[str, list[str]]) -> None:
    as_map = {key: dict.fromkeys(values, True) for key, values in filters.items()}
    meant = {key: frozenset(values) for key, values in filters.items()}
    allowed = ("name", "label", "status")
    assert parse_filters(json.dumps(filters), allowed) == meant
    assert parse_filters(json.dumps(as_map), allowed) == meant


@given(st.text(max_size=30))
def test_nonsense_is_refused_and_never_breaks(text: str) -> None:
    try:
        assert isinstance(parse_filters(text, ()), dict)
    except InvalidParameter:
        pass


@pytest.mark.parametrize("text", ["", "null", "{}", '{"name":{}}', '{"name":{"x":false}}'])
def test_no_filter_is_no_filter(text: str) -> None:
    assert parse_filters(text, ("name",)) == {}


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(InvalidParameter, match="invalid filter 'nmae'"):
        parse_filters('{"nmae":["x"]}', ("name",))


def test_all_labels_must_match() -> None:
    labels = {"a": "1", "b": ""}
    assert labels_match(frozenset({"a", "a=1", "b="}), labels)
    assert not labels_match(frozenset({"a=2"}), labels)
    assert not labels_match(frozenset({"a", "c"}), labels)


def test_a_name_is_a_pattern_and_a_broken_pattern_is_a_name() -> None:
    assert any_matches(frozenset({"^we.$"}), "web")
    assert any_matches(frozenset({"nope", "eb"}), "web")
    assert any_matches(frozenset({"we["}), "we[")
    assert not any_matches(frozenset({"["}), "web")


def test_a_flag_is_one_truth() -> None:
    assert one_flag({"dangling": frozenset({"True"})}, "dangling", False)
    assert not one_flag({}, "dangling", False)
    with pytest.raises(InvalidParameter):
        one_flag({"dangling": frozenset({"yes"})}, "dangling", False)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5", 5 * 10**9),
        ("5.000000001", 5 * 10**9 + 1),
        ("-1.5", -1_500_000_000),
        ("1h30m", 10**18 - 5400 * 10**9),
        ("10ms", 10**18 - 10**7),
        ("1970-01-01T00:00:05Z", 5 * 10**9),
        ("1970-01-01T02:00:05+02:00", 5 * 10**9),
    ],
)
def test_times_in_all_their_spellings(text: str, ns: int) -> None:
    assert parse_time(text, 10**18) == ns


@pytest.mark.parametrize("text", ["soon", "9" * 400, "٣", "0001-01-01", "1" * 400 + "s", "1e3"])
def test_what_is_no_time_is_shown(text: str) -> None:
    with pytest.raises(InvalidParameter, match=f'parsing time "{text}"'):
        parse_time(text, 0)


@given(st.integers(0, 4 * 10**18))
def test_seconds_with_a_fraction_are_exact(ns: int) -> None:
    assert parse_time(f"{ns // 10**9}.{ns % 10**9:09}", 0) == ns


# docker ps --filter


def made(number: int, status: str = "running", name: str = "", **spec: object) -> Container:
    settings = ContainerSpec(**{"network_mode": "none", **spec})  # type: ignore[arg-type]
    state = State(status, finished_at=1 if status == "exited" else 0)
    return Container(
        f"{number:064x}", name or f"c{number}", settings, "image", state=state, created_ns=number
    )


WEB = made(
    3,
    name="web",
    labels={"tier": "front"},
    network_mode="front",
    exposed_ports=("53/udp",),
    attachments=(Attachment("n" * 64, "front"),),
)
OLD = made(2, "exited", name="old")
NEW = made(1, "created", name="new")


NETWORK = Network("n" * 64, "front", 1, ())
IN_FRONT = Attachment(NETWORK.id, "front")
CABLE = Cable(NETWORK, Endpoint("e" * 64, NETWORK.id, "c" * 64, "eth0", ""), IN_FRONT)
PORT = HostPort("c" * 64, "tcp", 80, "0.0.0.0", 8080)
PLACES = {
    "web": Place("", [CABLE], [PORT]),
    "old": Place("none-id"),
    "new": Place("none-id"),
}


def shown(everything: bool = False, limit: int = 0, **filters: str) -> list[str]:
    def lookup(ref: str) -> Container:
        for each in (WEB, OLD, NEW):
            if each.name == ref:
                return each
        raise NotFound(ref)

    parsed = parse_filters(json.dumps({k.rstrip("_"): [v] for k, v in filters.items()}), ALLOWED)
    chosen = choose(
        [WEB, OLD, NEW],
        parsed,
        everything=everything,
        limit=limit,
        lookup=lookup,
        image_ids=lambda ref: frozenset({ref}),
        place_of=lambda container: PLACES[container.name],
    )
    return [each.name for each in chosen]


def test_stopped_ones_are_shown_when_asked_for() -> None:
    assert shown() == ["web"]
    assert shown(everything=True) == ["web", "old", "new"]
    assert shown(limit=2) == ["web", "old"]
    assert shown(status="exited") == ["old"]


def test_each_filter_of_ps() -> None:
    assert shown(True, name="^o") == shown(True, name="^/o") == ["old"]
    assert shown(True, id=f"{3:064x}"[:64]) == ["web"]
    assert shown(True, label="tier=front") == ["web"]
    assert shown(True, before="old") == ["new"]
    assert shown(True, since="old") == ["web"]
    assert shown(True, exited="0") == ["old"]
    assert shown(True, network="host") == []
    assert shown(True, network="front") == shown(True, network="n" * 64) == ["web"]
    assert shown(True, network="none") == ["old", "new"]
    assert shown(True, expose="80") == shown(True, expose="53/udp") == ["web"]
    assert shown(True, expose="70-90/tcp") == shown(True, publish="8080") == ["web"]
    assert shown(True, expose="53") == shown(True, publish="80") == []
    assert shown(True, id="") == []
    assert shown(True, ancestor="image") == ["web", "old", "new"]
    assert shown(True, ancestor="other") == []
    assert shown(True, health="none") == ["web", "old", "new"]
    assert replace(WEB.state, health=Health()).health


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("status", "up"), ("health", "fine"), ("exited", "x"), ("before", "gone")),
        *(("expose", "x"), ("expose", "9-8"), ("publish", "1:2"), ("publish", "80x")),
        ("is-task", "x"),
    ],
)
def test_a_value_that_cannot_be_is_an_error(key: str, value: str) -> None:
    with pytest.raises((InvalidParameter, NotFound), match=value):
        shown(True, **{key: value})
