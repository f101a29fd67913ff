"""Mirrors and insecure registries: who is asked, in which order, and how safely."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.images.endpoints import (
    Endpoint,
    RegistryConfig,
    endpoints,
    host_of,
    is_insecure,
    parse_insecure,
    parse_mirror,
)

hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,5}){1,2}", fullmatch=True)
ports = st.one_of(st.just(""), st.integers(1, 65535).map(lambda port: f":{port}"))
domains = st.tuples(hosts, ports).map("".join)
public = st.ip_addresses(v=4).map(str).filter(lambda a: not a.startswith("127."))


@given(st.lists(domains, max_size=3), st.lists(domains, max_size=3))
def test_hub_is_last_and_verified_whatever_the_flags(
    mirrors: list[str], insecure: list[str]
) -> None:
    config = RegistryConfig(tuple(f"https://{each}" for each in mirrors), tuple(insecure))
    tried = endpoints("docker.io", config)
    assert [each.url for each in tried[:-1]] == list(config.mirrors)
    assert all(each.mirror for each in tried[:-1])
    assert tried[-1] == Endpoint("https://registry-1.docker.io")


@given(domains, st.lists(domains), public)
def test_mirrors_are_for_docker_hub_only(domain: str, mirrors: list[str], address: str) -> None:
    config = RegistryConfig(tuple(f"https://{each}" for each in mirrors))
    assert endpoints(domain, config, [address]) == [Endpoint(f"https://{domain}")]


@given(domains)
def test_plain_http_is_the_second_try_and_only_of_the_insecure(domain: str) -> None:
    tried = endpoints(domain, RegistryConfig(insecure=(domain,)))
    assert tried == [Endpoint(f"https://{domain}", verify=False), Endpoint(f"http://{domain}")]
    assert all(
        each.verify and each.url.startswith("https") for each in endpoints(domain, RegistryConfig())
    )


@given(st.ip_addresses(network="127.0.0.0/8"), ports)
def test_loopback_is_insecure_by_default(address: ipaddress.IPv4Address, port: str) -> None:
    assert is_insecure(f"{address}{port}", ())
    assert is_insecure(f"[::1]{port}", ())
    assert is_insecure(f"localhost{port}", ())


@given(public, ports)
def test_a_public_address_is_secure_by_default(address: str, port: str) -> None:
    assert not is_insecure(f"{address}{port}", ())


@given(st.ip_addresses(v=4), st.integers(0, 32), ports)
def test_a_cidr_covers_its_addresses(
    address: ipaddress.IPv4Address, prefix: int, port: str
) -> None:
    network = str(ipaddress.ip_network((int(address), prefix), strict=False))
    assert is_insecure(f"{address}{port}", (network,))
    assert is_insecure(f"registry.example{port}", (network,), [str(address)])


@given(hosts, st.integers(1, 65534))
def test_a_name_with_a_port_covers_this_port_only(host: str, port: int) -> None:
    assert is_insecure(f"{host}:{port}", (f"{host}:{port}",))
    assert not is_insecure(f"{host}:{port + 1}", (f"{host}:{port}",))
    assert is_insecure(f"{host}:{port}", (host,))


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_strange_names_are_decided_without_a_crash(domain: str, insecure: list[str]) -> None:
    assert isinstance(is_insecure(domain, insecure), bool)


def test_hosts_are_found_in_names() -> None:
    assert [host_of(t) for t in ("a", "a:1", "[::1]", "[::1]:5000")] == ["a", "a", "::1", "::1"]


@given(domains, st.sampled_from(["http", "https"]), st.sampled_from(["", "/"]))
def test_a_mirror_loses_its_slash(domain: str, scheme: str, slash: str) -> None:
    assert parse_mirror(f"{scheme}://{domain}{slash}") == f"{scheme}://{domain}"


@pytest.mark.parametrize(
    "text", ["", "mirror", "ftp://m", "http://", "https://m/path", "https://m/?q", "https://u:p@m"]
)
def test_a_bad_mirror_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid mirror"):
        parse_mirror(text)


@pytest.mark.parametrize("text", ["", "-x", "http://r", "10.0.0.0/99", "host/path"])
def test_a_bad_insecure_registry_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter, match="insecure registry"):
        parse_insecure(text)


@pytest.mark.parametrize("text", ["r", "r:5000", "10.0.0.0/8", "::1/128"])
def test_a_good_insecure_registry_stays_as_it_is(text: str) -> None:
    assert parse_insecure(text) == text
