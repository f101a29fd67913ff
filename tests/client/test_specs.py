"""The small languages of ``run``'s flags: what is right comes through, what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client import specs
from minidocker.client.mounts import parse_mount, parse_volume
from minidocker.client.ports import parse_ports
from minidocker.errors import InvalidParameter

name = st.text(alphabet="ABCxyz_09", min_size=1, max_size=8)
value = st.text(alphabet=st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]))
path = st.text(alphabet="abc/.-", min_size=1, max_size=8).map(lambda text: f"/{text}")


@given(st.dictionaries(name, value, max_size=5))
def test_an_env_file_gives_its_variables_in_order(variables: dict[str, str]) -> None:
    text = "\n".join(["# a comment", "", *(f"{key}={variables[key]}" for key in variables), ""])
    expected = [f"{key}={variables[key]}" for key in variables]
    assert specs.parse_env_file(text, "f", {}) == expected
    assert specs.parse_env_file(text.replace("\n", "\r\n"), "f", {}) == expected


def test_a_bare_name_takes_the_hosts_value_or_none() -> None:
    host = {"HOME": "/root"}
    assert specs.parse_env_file("HOME\nNOPE\n A=b ", "f", host) == ["HOME=/root", "A=b "]
    assert specs.parse_environment(["HOME", "NOPE", "A="], host) == ["HOME=/root", "NOPE", "A="]
    assert specs.parse_env_file("bare\n", "labels", None) == ["bare"]


@pytest.mark.parametrize("text", ["=x", "A B=c", "a\tb"])
def test_a_bad_line_of_an_env_file_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"invalid env file \(some\.env\)"):
        specs.parse_env_file(text, "some.env", {})


@given(st.sampled_from(sorted(specs.ULIMITS)), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_a_ulimit_is_soft_then_hard(name: str, a: int, b: int) -> None:
    soft, hard = sorted((a, b))
    assert specs.parse_ulimit(f"{name}={soft}:{hard}") == {"Name": name, "Soft": soft, "Hard": hard}
    assert specs.parse_ulimit(f"{name}={soft}") == {"Name": name, "Soft": soft, "Hard": soft}
    if soft < hard:
        with pytest.raises(InvalidParameter, match="less than or equal"):
            specs.parse_ulimit(f"{name}={hard}:{soft}")


@given(path, path, st.sampled_from(["r", "rw", "rwm", "m", "wr"]))
def test_a_device_in_each_of_its_four_forms(source: str, target: str, mode: str) -> None:
    def device(inside: str, permissions: str) -> dict[str, str]:
        return {
            "PathOnHost": source,
            "PathInContainer": inside,
            "CgroupPermissions": permissions,
        }

    assert specs.parse_device(source) == device(source, "rwm")
    assert specs.parse_device(f"{source}:{mode}") == device(source, mode)
    assert specs.parse_device(f"{source}:{target}") == device(target, "rwm")
    assert specs.parse_device(f"{source}:{target}:{mode}") == device(target, mode)


@pytest.mark.parametrize("text", ["", "/a:/b:xyz", "/a:/b:rr", "/a:/b:r:w", "a:b"])
def test_a_bad_device_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        specs.parse_device(text)


@given(st.integers(0, 10**6), st.integers(0, 999_999_999))
def test_cpus_are_billionths(whole: int, part: int) -> None:
    assert specs.parse_cpus(f"{whole}.{part:09d}") == whole * 1_000_000_000 + part


def test_more_than_billionths_of_a_cpu_are_refused() -> None:
    assert specs.parse_cpus("1/2") == 500_000_000
    with pytest.raises(InvalidParameter, match="too precise"):
        specs.parse_cpus("0.0000000001")
    with pytest.raises(InvalidParameter, match="failed to parse x as a rational number"):
        specs.parse_cpus("x")


@given(st.lists(st.sampled_from(["net_admin", "CAP_NET_ADMIN", "all", "Chown", "cap_chown"])))
def test_capabilities_have_one_spelling_each(names: list[str]) -> None:
    found = specs.normalize_capabilities(names)
    assert found == sorted(set(found)) == specs.normalize_capabilities(found)
    assert set(found) <= {"CAP_NET_ADMIN", "ALL", "CAP_CHOWN"}


@pytest.mark.parametrize("text", ["kernel.msgmax=1", "net.ipv4.ip_forward=1", "fs.mqueue.x="])
def test_a_namespaced_sysctl_is_allowed(text: str) -> None:
    assert "=".join(specs.parse_sysctl(text)) == text


@pytest.mark.parametrize("text", ["vm.swappiness=1", "net.x", "kernel.pid_max=1", ""])
def test_another_sysctl_is_not(text: str) -> None:
    with pytest.raises(InvalidParameter, match=f"sysctl '{text}' is not allowed"):
        specs.parse_sysctl(text)


@given(path, path)
def test_a_bind_keeps_its_words_and_a_dot_means_here(source: str, target: str) -> None:
    assert parse_volume(f"{source}:{target}:ro", "/cwd") == f"{source}:{target}:ro"
    assert parse_volume("./x:/y", "/cwd") == "/cwd/x:/y"
    assert parse_volume(".:/y", "/cwd") == "/cwd:/y"
    assert parse_volume("named:/y", "/cwd") == "named:/y"
    assert parse_volume(target, "/cwd") == target


@given(path, path, st.booleans())
def test_a_mount_is_its_fields(source: str, target: str, read_only: bool) -> None:
    text = f'type=bind,"src={source}",dst={target},ro={str(read_only).lower()}'
    expected = {"Type": "bind", "Source": source, "Target": target}
    assert parse_mount(text) == expected | ({"ReadOnly": True} if read_only else {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "EOF"),
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("type=bind,src=/a", "target is required"),
        ("type=bind,dst=/b,bogus=5", "unexpected key 'bogus' in 'bogus=5'"),
        ("type=bind,dst=/b,tmpfs-size=5", "cannot mix 'tmpfs-\\*' options with mount type 'bind'"),
        ("type=tmpfs,dst=/b,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
        ("type=tmpfs,dst=/b,tmpfs-size=1x", "invalid value for tmpfs-size: 1x"),
        ("type=bind,dst=/b,ro=maybe", "invalid value for ro: maybe"),
    ],
)
def test_a_bad_mount_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        parse_mount(text)


@given(st.integers(1, 60000), st.integers(1, 60000), st.integers(0, 5))
def test_ranges_of_ports_are_published_one_to_one(outer: int, inner: int, more: int) -> None:
    spec = f"127.0.0.1:{outer}-{outer + more}:{inner}-{inner + more}/udp"
    exposed, bindings = parse_ports([spec], [])
    assert len(exposed) == len(bindings) == more + 1
    for offset in range(more + 1):
        bound = [{"HostIp": "127.0.0.1", "HostPort": str(outer + offset)}]
        assert bindings[f"{inner + offset}/udp"] == bound


@pytest.mark.parametrize("spec", ["foo", "1:2:3:4", "80/foo", "80-79", "1-2:1-3", "70000"])
def test_a_bad_port_is_refused(spec: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_ports([spec], [])
