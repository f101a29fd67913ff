"""The fields about networks and ports in a create's body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.network_spec import Attachment
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.container_shapes import host_config
from minidocker.daemon.create_body import read_create
from minidocker.errors import InvalidParameter, Refused


def no_device(path: str) -> tuple[int, int]:
    raise InvalidParameter(path)


def create(**body: Any) -> ContainerSpec:
    return read_create({"Image": "x", **body}, no_device)


def host(**fields: Any) -> ContainerSpec:
    return create(HostConfig=fields)


@pytest.mark.parametrize(
    ("mode", "meant"),
    [("", "default"), ("default",) * 2, ("none",) * 2, ("my-net",) * 2, ("container:a",) * 2],
)
def test_any_name_may_be_a_networks(mode: str, meant: str) -> None:
    assert host(NetworkMode=mode).network_mode == meant


def test_a_disabled_network_is_none() -> None:
    assert create(NetworkDisabled=True, HostConfig={"NetworkMode": "host"}).network_mode == "none"


def test_a_container_without_interfaces_cannot_have_one_in_a_network() -> None:
    alone = {"HostConfig": {"NetworkMode": "none"}}
    with pytest.raises(InvalidParameter, match="conflicting options: cannot attach"):
        create(NetworkingConfig={"EndpointsConfig": {"none": {"Aliases": ["db"]}}}, **alone)
    with pytest.raises(InvalidParameter, match="no interface in bridge"):
        create(NetworkingConfig={"EndpointsConfig": {"bridge": None}}, **alone)
    assert create(NetworkingConfig={"EndpointsConfig": {"none": None}}, **alone) == create(**alone)


def test_what_is_not_honoured_of_an_endpoint_is_refused_by_name() -> None:
    for asked, said in (
        ({"DriverOpts": {"x": "y"}}, "EndpointsConfig.net.DriverOpts: x is not supported"),
        ({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}, "LinkLocalIPs is not supported"),
    ):
        with pytest.raises(Refused, match=said):
            create(NetworkingConfig={"EndpointsConfig": {"net": asked}})


def test_the_network_of_the_mode_comes_first_and_has_the_containers_address() -> None:
    spec = create(
        MacAddress="02:00:00:00:00:01",
        HostConfig={"NetworkMode": "mine"},
        NetworkingConfig={
            "EndpointsConfig": {"other": {"Aliases": ["db"]}, "mine": {"GwPriority": 3}}
        },
    )
    assert spec.attachments == (
        Attachment("mine", "mine", mac="02:00:00:00:00:01", priority=3),
        Attachment("other", "other", aliases=("db",)),
    )


ports = st.dictionaries(
    st.builds("{}/{}".format, st.integers(1, 65535), st.sampled_from(["tcp", "udp"])),
    st.lists(
        st.fixed_dictionaries(
            {
                "HostIp": st.sampled_from(["", "127.0.0.1", "::1"]),
                "HostPort": st.sampled_from(["", "8080", "8000-8010"]),
            }
        ),
        min_size=1,
        max_size=2,
    ),
    max_size=3,
)


@given(ports)
def test_published_ports_are_shown_as_they_were_asked_for(bindings: dict[str, Any]) -> None:
    assert host_config(host(PortBindings=bindings))["PortBindings"] == bindings


@pytest.mark.parametrize("port", ["", "0", "65536", "80/nope", "80-90/tcp", "x", "80/tcp/udp"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(InvalidParameter, match=r"port|proto"):
        host(PortBindings={port: [{"HostPort": "80"}]})
