"""A network's options and names: what is meant by them, and what is refused."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.networks.network import (
    BRIDGE_NAME,
    DEFAULT_BRIDGE,
    HOST_BINDING,
    ICC,
    INTERFACE_PREFIX,
    MASQUERADE,
    MTU,
    Endpoint,
    Network,
    check_name,
    check_options,
    flag,
    own_names,
)
from minidocker.networks.subnets import read_subnet

FLAGS = [ICC, MASQUERADE, DEFAULT_BRIDGE]
KNOWN = [*FLAGS, BRIDGE_NAME, HOST_BINDING, INTERFACE_PREFIX, MTU]
# strconv.ParseBool of Go: https://pkg.go.dev/strconv#ParseBool
YES = ["1", "t", "T", "TRUE", "true", "True"]
NO = ["0", "f", "F", "FALSE", "false", "False"]

likely = st.sampled_from([*YES, *NO, "", "1500", "0", "br0", "::1", "10.0.0.1", "yes", "tRUE"])
texts = likely | st.text(max_size=18) | st.integers(-10, 1 << 70).map(str)
options = st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=8), texts, max_size=4)


def network(options: dict[str, str], **how: Any) -> Network:
    return Network("a1" * 32, "n", 0, (), options=options, **how)


@given(options)
def test_options_are_refused_by_name_or_have_a_meaning(options: dict[str, str]) -> None:
    try:
        check_options(options)
    except InvalidParameter as error:
        named = [name for name in options if name in error.message]
        assert named or "MTU" in error.message  # noqa: PT017 - either outcome is right
        return
    made = network(options)
    assert made.mtu == 1500 or 68 <= made.mtu <= 65535
    assert made.icc == (options.get(ICC, "1") in YES)
    assert made.masquerade == (options.get(MASQUERADE, "1") in YES)
    for name in (made.bridge, f"{made.interface_prefix}999"):
        assert 1 <= len(name.encode()) <= 15
        assert re.fullmatch(r"[\w.-]+", name, re.ASCII)
        assert name not in (".", "..")
    if made.host_binding:
        ip_address(made.host_binding)


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_read_as_go_reads_it(name: str) -> None:
    assert all(flag({name: each}, name, False) for each in YES)
    assert not any(flag({name: each}, name, True) for each in NO)
    assert flag({}, name, True)
    assert not flag({}, name, False)
    for each in ("", "yes", "on", "tRUE", " true", "١", "2"):
        with pytest.raises(InvalidParameter) as caught:
            check_options({name: each})
        assert caught.value.message == (
            f'failed to parse {name} value: {each} (strconv.ParseBool: parsing "{each}": '
            "invalid syntax)"
        )


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        (MTU, "x", f'failed to parse {MTU} value: x (strconv.Atoi: parsing "x": invalid syntax)'),
        (MTU, "", f'failed to parse {MTU} value:  (strconv.Atoi: parsing "": invalid syntax)'),
        (MTU, "1" * 5000, "invalid syntax"),  # longer than Python makes a number of
        (MTU, "٣٠٠", "invalid syntax"),
        (MTU, "-5", "invalid MTU number: -5"),
        (MTU, "67", "invalid MTU number: 67"),
        (MTU, "65536", "invalid MTU number: 65536"),
        (HOST_BINDING, "abc", f"failed to parse {HOST_BINDING} value: abc (nil ip)"),
        (HOST_BINDING, "", f"failed to parse {HOST_BINDING} value:  (nil ip)"),
        (BRIDGE_NAME, "a" * 16, "15 characters"),
        (BRIDGE_NAME, "é" * 8, "letters, digits"),
        (BRIDGE_NAME, "..", "letters, digits"),
        (BRIDGE_NAME, 'x" drop', "letters, digits"),
        (BRIDGE_NAME, "eth*", "letters, digits"),  # to nft(8), every one that begins so
        (BRIDGE_NAME, "a\nb", "letters, digits"),
        (BRIDGE_NAME, "br0\n", "letters, digits"),
        (INTERFACE_PREFIX, "../all/", "letters, digits"),
        (INTERFACE_PREFIX, "a" * 13, "15 characters"),
        ("com.docker.network.bridge.inhibit_ipv4", "1", "unknown option"),
    ],
)
def test_a_value_without_sense_is_refused(name: str, value: str, why: str) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(why)):
        check_options({name: value})


def test_a_packet_of_ipv6_has_room_in_a_network_of_ipv6() -> None:
    check_options({MTU: "1279"})
    check_options({MTU: "1280"}, ipv6=True)
    with pytest.raises(InvalidParameter, match="invalid MTU number: 1279: here it is 1280 to"):
        check_options({MTU: "1279"}, ipv6=True)


def test_what_is_not_said_is_as_in_docker() -> None:
    made = network({})
    assert (made.bridge, made.interface_prefix, made.mtu) == ("br-a1a1a1a1a1a1", "eth", 1500)
    assert (made.icc, made.masquerade, made.host_binding) == (True, True, "")
    empty = {BRIDGE_NAME: "", INTERFACE_PREFIX: "", MTU: "0", HOST_BINDING: "0.0.0.0"}
    check_options(empty)
    assert network(empty).bridge == made.bridge
    assert (network(empty).mtu, network(empty).host_binding) == (1500, "")


def test_nobody_is_masqueraded_who_cannot_go_out() -> None:
    assert not network({MASQUERADE: "true"}, internal=True).masquerade


def test_the_bridge_has_the_gateways() -> None:
    subnets = (read_subnet("10.7.0.0/16"), read_subnet("fd00::/64", "fd00::9"))
    made = Network("a" * 64, "n", 0, subnets)
    assert made.gateways() == [ip_interface("10.7.0.1/16"), ip_interface("fd00::9/64")]


@given(st.text(max_size=10))
def test_a_name_is_docker_s_or_refused(name: str) -> None:
    good = name[:1].isascii() and name[:1].isalnum() and not set(name) - set(ALLOWED)
    if good:
        assert check_name(name) == name
    else:
        with pytest.raises(InvalidParameter, match="includes invalid characters"):
            check_name(name)


ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


@given(st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_the_host_s_end_has_a_name_that_the_kernel_takes(id: str) -> None:
    end = Endpoint(id, "", "", "eth0", "").host_interface
    assert len(end) <= 15
    assert end.startswith("veth")


folders = st.text(max_size=30) | st.binary(max_size=30).map(os.fsdecode)


@given(folders, folders)
def test_daemons_of_two_folders_share_no_interface_and_no_table(one: str, other: str) -> None:
    for bridge, table in (own_names(one), own_names(other)):
        assert len(bridge) <= 15
        assert re.fullmatch(r"minidocker[a-f0-9-]*", table)
    if one != other:
        assert not set(own_names(one)) & set(own_names(other))


def test_the_usual_folder_has_the_usual_names() -> None:
    assert own_names("/var/lib/minidocker") == ("minidocker0", "minidocker")
