"""The three files that the engine writes into a container, read back as libc reads them."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.files import (
    DEFAULT_SERVERS,
    LOCAL_NAMES,
    HostFiles,
    hostname_of,
    hosts_text,
    parse_extra_host,
    resolv_conf_text,
    share_files,
    write_files,
)
from minidocker.containers.modes import parse_modes
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter, Refused
from tests.containers.strategies import words

addresses = st.ip_addresses().filter(lambda address: "%" not in str(address)).map(str)
hosts = st.lists(st.tuples(words, addresses, st.sampled_from([":", "="])), max_size=4)
private, host = (ContainerSpec(network_mode=mode) for mode in ("none", "host"))


def entries(text: str) -> list[tuple[str, ...]]:
    """hosts(5): an address and its names a line, up to a #."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [tuple(fields) for fields in lines if fields]


@given(hosts)
def test_hosts_has_the_local_names_and_then_the_users(extra: list[tuple[str, str, str]]) -> None:
    asked = [f"{name}{sign}{address}" for name, address, sign in extra]
    local = [(address, *names.split()) for address, names in LOCAL_NAMES]
    found = entries(hosts_text(asked, parse_modes(private), "10.0.0.1 not-seen"))
    assert found == local + [(address, name) for name, address, _ in extra]


@given(hosts, st.sampled_from(["10.0.0.1 box\n::1 here # and there", "10.0.0.1 box\n"]))
def test_with_the_hosts_network_hosts_is_the_hosts_and_then_the_users(
    extra: list[tuple[str, str, str]], of_host: str
) -> None:
    asked = [f"{name}{sign}{address}" for name, address, sign in extra]
    found = entries(hosts_text(asked, parse_modes(host), of_host))
    assert found == entries(of_host) + [(address, name) for name, address, _ in extra]
    assert hosts_text((), parse_modes(host), "") == hosts_text((), parse_modes(private), "")


@given(words, st.ip_addresses(v=6).map(str))
def test_an_address_may_stand_in_brackets(name: str, address: str) -> None:
    assert parse_extra_host(f"{name}:[{address}]") == (address, name)


@given(st.text(max_size=12) | st.text(max_size=6).map("box:fe80::1{}".format))
def test_any_text_is_an_address_for_a_name_or_refused(text: str) -> None:
    try:
        address, name = parse_extra_host(text)
    except (InvalidParameter, Refused):
        return
    assert name
    # What has no blank and no line's end in it cannot say more than it should in hosts(5).
    assert set(str(ipaddress.ip_address(address))) <= set("0123456789abcdef.:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box",
        ":1.2.3.4",
        "box:",
        "box:1.2.3",
        "box:1.2.3.4.5",
        "box:::g",
        "x:fe80::1%a\n::2 evil",
    ],
)
def test_what_is_no_address_for_a_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="add-host"):
        parse_extra_host(text)


servers = st.sampled_from(["10.0.0.53", "127.0.0.53", "127.9.9.9", "::1", "fd00::53", "8.8.8.8"])
lines = st.one_of(
    servers.map("nameserver {}".format),
    servers.map("nameserver  {}  # near".format),
    st.lists(words, min_size=1, max_size=2).map(lambda some: f"search {' '.join(some)}"),
    words.map("domain {}".format),
    st.lists(words, min_size=1, max_size=2).map(lambda some: f"options {' '.join(some)}"),
    st.sampled_from(
        ["", "# nameserver 1.1.1.1", "; search no", "nameserver", "search", "sortlist x"]
    ),
)
texts = st.lists(lines, max_size=8).map("\n".join)
asked = st.builds(
    ContainerSpec,
    dns=st.lists(servers, max_size=2).map(tuple),
    dns_search=st.lists(words, max_size=2).map(tuple),
    dns_options=st.lists(words, max_size=2).map(tuple),
)


def read(text: str) -> tuple[list[str], list[str], list[str]]:
    """resolv.conf(5) as libc and moby's resolvconf.go read it: servers, search list, options."""
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.split("\n"):
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", first, *rest]:
                search = [first, *rest] if [first, *rest] != ["."] else []
            case ["options", *rest]:
                options += rest
    return servers, search, options


@given(asked, texts)
def test_resolv_conf_is_the_hosts_but_for_what_the_user_says(
    spec: ContainerSpec, text: str
) -> None:
    servers, search, options = read(resolv_conf_text(spec, parse_modes(spec), text))
    theirs = read(text)
    reachable = [each for each in theirs[0] if not ipaddress.ip_address(each).is_loopback]
    assert servers == (list(spec.dns) or reachable or list(DEFAULT_SERVERS))
    if spec.dns_search != (".",):
        assert search == (list(spec.dns_search) or theirs[1])
    assert options == (list(spec.dns_options) or theirs[2])


@given(asked, texts)
def test_whoever_has_names_asks_the_name_service_which_asks_the_others(
    spec: ContainerSpec, text: str
) -> None:
    found = resolv_conf_text(spec, parse_modes(spec), text, named=True)
    servers, _, options = read(found)
    assert servers == ["127.0.0.11"]
    assert options[: len(spec.dns_options)] == list(spec.dns_options)
    assert any(each.startswith("ndots:") for each in options)


@given(texts)
def test_with_the_hosts_network_and_no_wishes_it_is_the_hosts_to_the_letter(text: str) -> None:
    assert resolv_conf_text(host, parse_modes(host), text) == text


@given(asked, texts)
def test_with_the_hosts_network_its_own_servers_are_in_reach(
    spec: ContainerSpec, text: str
) -> None:
    spec = replace(spec, network_mode="host")
    found = resolv_conf_text(spec, parse_modes(spec), text)
    if spec.dns or spec.dns_search or spec.dns_options:
        assert read(found)[0] == (list(spec.dns) or read(text)[0])


@given(texts)
def test_a_search_of_a_dot_is_none(text: str) -> None:
    spec = ContainerSpec(dns_search=(".",))
    assert "search" not in resolv_conf_text(spec, parse_modes(spec), text)
    assert "search" not in resolv_conf_text(private, parse_modes(private), "search .\n")


@given(st.just("") | words, st.sampled_from(["none", "host"]), st.sampled_from(["", "host"]))
def test_the_host_name_is_the_hosts_where_its_namespace_is(
    wish: str, network: str, uts: str
) -> None:
    spec = ContainerSpec(hostname=wish, network_mode=network, uts_mode=uts)
    found = hostname_of(spec, parse_modes(spec), "short", "of-host")
    if uts == "host":
        assert found == "of-host"
    elif wish:
        assert found == wish
    else:
        assert found == ("of-host" if network == "host" else "short")


def test_two_containers_of_one_network_see_the_same_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        directory.mkdir()
        write_files(directory, private, parse_modes(private), directory.name, HostFiles())
    assert (one / "hostname").read_text() == "one\n"
    for _ in range(2):
        share_files(one, other)
    for name in ("hostname", "hosts", "resolv.conf"):
        assert (one / name).samefile(other / name)
    (other / "hosts").write_text("new")
    assert (one / "hosts").read_text() == "new"
