"""A create's body becomes a spec: nothing is lost, nothing is passed over in silence."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.cgroups.resources import DeviceThrottle, Resources
from minidocker.containers.container import Container
from minidocker.containers.network_spec import Attachment
from minidocker.containers.spec import ContainerSpec, Device, Mount, Ulimit
from minidocker.daemon.container_shapes import config, host_config
from minidocker.daemon.create_body import read_create
from minidocker.daemon.create_fields import (
    CONFIG,
    HOST,
    NULLABLE,
    REFUSED,
    RESOURCES,
    THROTTLES,
)
from minidocker.errors import InvalidParameter, Refused
from tests.daemon import api
from tests.daemon.strategies import specs

# What `docker run --rm busybox true` sends (docker 28.2.2, less a few of its many zeros).
OF_THE_CLI: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": ["true"],
    "Image": "busybox",
    "Volumes": {},
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": {},
    "HostConfig": {
        "Binds": None,
        "ContainerIDFile": "",
        "LogConfig": {"Type": "", "Config": {}},
        "NetworkMode": "default",
        "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": True,
        "VolumeDriver": "",
        "VolumesFrom": None,
        "ConsoleSize": [0, 0],
        "CapAdd": None,
        "Dns": [],
        "DnsOptions": [],
        "DnsSearch": [],
        "OomScoreAdj": 0,
        "Privileged": False,
        "ShmSize": 0,
        "Memory": 0,
        "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [],
        "BlkioDeviceWriteBps": [],
        "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteIOps": [],
        "Devices": [],
        "MemorySwappiness": -1,
        "OomKillDisable": False,
        "PidsLimit": 0,
        "Ulimits": [],
        "MaskedPaths": None,
    },
    "NetworkingConfig": {"EndpointsConfig": {"default": {"Aliases": None, "MacAddress": ""}}},
}


def no_device(path: str) -> tuple[int, int]:
    raise AssertionError(path)


def numbered(path: str) -> tuple[int, int]:
    """The numbers in the name that inspect gives a device."""
    major, minor = path.removeprefix("/dev/block/").split(":")
    return int(major), int(minor)


def read(**body: Any) -> ContainerSpec:
    return read_create(body, no_device)


def host(**fields: Any) -> ContainerSpec:
    return read(HostConfig=fields)


@given(specs, st.sets(st.sampled_from(NULLABLE)))
@settings(max_examples=60)
def test_what_inspect_shows_creates_the_same_again(spec: ContainerSpec, left_out: set[str]) -> None:
    shown = host_config(spec)
    left = tuple(name for name in NULLABLE if name in left_out and not shown[name])
    spec = replace(spec, unsaid=left)
    container = Container("a" * 64, "name", spec, "sha256:" + "b" * 64)
    body = config(container) | {"HostConfig": host_config(spec)}
    assert read_create(json.loads(json.dumps(body)), numbered) == spec


def test_the_body_of_the_cli_asks_for_nothing_but_what_was_typed() -> None:
    spec = read_create(OF_THE_CLI, no_device)
    typed = ContainerSpec(
        image="busybox",
        command=("true",),
        attach_stdout=True,
        attach_stderr=True,
        auto_remove=True,
        network_mode="default",
        attachments=(Attachment("bridge", "bridge"),),
    )
    assert spec == typed


def test_a_list_that_was_left_out_is_null_and_one_that_was_empty_is_empty() -> None:
    shown = host_config(read(HostConfig={"Dns": [], "Devices": None}))
    assert (shown["Dns"], shown["Devices"], shown["Ulimits"]) == ([], None, None)
    assert host_config(read_create(OF_THE_CLI, no_device))["Ulimits"] == []


def test_every_field_of_the_api_has_its_line() -> None:
    known = {field.name for field in (*CONFIG, *HOST, *RESOURCES)} | set(REFUSED)
    known |= {name for name, _, _ in THROTTLES}
    elsewhere = {"Binds", "Mounts", "Tmpfs", "Volumes", "VolumeDriver", "NetworkMode", "Runtime"}
    elsewhere |= {"NetworkDisabled", "Isolation", "ContainerIDFile", "PortBindings"}
    assert (api.fields("ContainerConfig") | api.fields("HostConfig")) - known == elsewhere


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_field_that_is_not_honoured_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refused, match=f"HostConfig.{name} is not supported: "):
        host(**{name: ["x"]})
    host(**{name: None})
    host(**{name: []})


def test_an_unknown_field_is_no_silent_mistake() -> None:
    with pytest.raises(InvalidParameter, match="readonlyrootfss: there is no such field"):
        host(ReadonlyRootfss=True)
    with pytest.raises(InvalidParameter, match="there is no such field"):
        read(Comand=["sh"])
    assert read(Comand=None) == read()


def test_keys_match_in_any_case_as_in_go() -> None:
    assert read(image="x", HOSTCONFIG={"capadd": ["ALL"]}).cap_add == ("ALL",)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"Tty": "yes"}, "Tty"),
        ({"Env": "A=1"}, "Env"),
        ({"Env": [1]}, r"Env\[\]"),
        ({"Labels": ["a"]}, "Labels"),
        ({"Cmd": {"a": 1}}, "Cmd"),
        ({"StopTimeout": "3"}, "StopTimeout"),
        ({"HostConfig": []}, "HostConfig"),
        ({"HostConfig": {"Memory": "64m"}}, "HostConfig.Memory"),
        ({"HostConfig": {"Memory": True}}, "HostConfig.Memory"),
        ({"HostConfig": {"Memory": 1 << 63}}, "HostConfig.Memory"),
        ({"HostConfig": {"Memory": 1.5}}, "HostConfig.Memory"),
        ({"HostConfig": {"ConsoleSize": [1]}}, "HostConfig.ConsoleSize"),
        ({"HostConfig": {"Ulimits": [{"Soft": "x"}]}}, r"HostConfig.Ulimits\[\].Soft"),
        ({"HostConfig": {"Binds": "/a:/b"}}, "HostConfig.Binds"),
    ],
)
def test_a_wrong_type_is_named(body: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidParameter, match=f"invalid JSON: {name} must be "):
        read_create(body, no_device)


def test_a_zero_byte_is_no_wrong_json() -> None:
    with pytest.raises(InvalidParameter, match=r"^Env\[\] holds a zero byte, .*: 'A=\\x00'$"):
        read_create({"Env": ["A=\0"]}, no_device)


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_is_an_object(body: Any) -> None:
    with pytest.raises(InvalidParameter, match="must be an object"):
        read_create(body, no_device)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
known_names = st.sampled_from(sorted(api.fields("HostConfig") | api.fields("ContainerConfig")))


@given(
    st.dictionaries(known_names, json_values, max_size=4),
    st.dictionaries(known_names, json_values, max_size=4),
)
@settings(max_examples=150)
def test_nonsense_is_refused_and_never_breaks(top: dict[str, Any], inner: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidParameter):
        read_create(top | {"HostConfig": inner}, lambda path: (8, 0))


# Single fields


def test_limits_of_zero_ask_for_nothing() -> None:
    spec = host(Memory=0, PidsLimit=-1, MemorySwappiness=-1, ShmSize=0, CpuShares=0)
    assert spec == read()
    assert spec.shm_size == 67108864


def test_minus_one_is_unlimited_where_docker_says_so() -> None:
    assert host(MemorySwap=-1).resources == Resources(memory_swap=-1)


def test_a_stop_timeout_of_zero_is_no_default() -> None:
    assert read(StopTimeout=0).stop_timeout == 0
    assert read().stop_timeout is None


def test_a_command_may_be_one_string() -> None:
    assert read(Cmd="ls", Entrypoint="").command == ("ls",)


def test_a_device_keeps_its_name_and_gets_all_access() -> None:
    assert host(Devices=[{"PathOnHost": "/dev/fuse"}]).devices == (
        Device("/dev/fuse", "/dev/fuse", "rwm"),
    )


def test_limits_of_devices_are_by_number() -> None:
    body = {"HostConfig": {"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 9}]}}
    spec = read_create(body, lambda path: {"/dev/sda": (8, 0)}[path])
    assert spec.resources.read_bps == (DeviceThrottle(8, 0, 9),)


def test_ulimits() -> None:
    assert host(Ulimits=[{"Name": "nofile", "Soft": 5, "Hard": 9}]).ulimits == (
        Ulimit("nofile", 5, 9),
    )


# Mounts


def mounted(**fields: Any) -> tuple[Mount, ...]:
    return host(**fields).mounts


def test_the_short_form_makes_its_source_and_the_long_form_does_not() -> None:
    (short,) = mounted(Binds=["/a:/b:ro,rshared"])
    assert short == Mount("bind", "/a", "/b", ("ro", "rshared"), create_source=True)
    (long,) = mounted(Mounts=[{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}])
    assert long == Mount("bind", "/a", "/b", ("ro",), long=True)


def test_tmpfs_in_both_forms() -> None:
    assert mounted(Tmpfs={"/run": "size=1m,exec"}) == (
        Mount("tmpfs", "", "/run", ("size=1m", "exec")),
    )
    options = {"SizeBytes": 1024, "Mode": 0o1700, "Options": [["uid", "5"], ["noexec"]]}
    assert mounted(Mounts=[{"Type": "tmpfs", "Target": "/run", "TmpfsOptions": options}]) == (
        Mount("tmpfs", "", "/run", ("size=1024", "mode=1700", "uid=5", "noexec"), long=True),
    )


@pytest.mark.parametrize("bind", ["data:/b", "/b"])
def test_volumes_are_refused_with_a_way_out(bind: str) -> None:
    with pytest.raises(Refused, match="has no volumes yet; use a bind mount"):
        mounted(Binds=[bind])


def test_an_anonymous_volume_is_refused_unless_it_is_a_binds_target() -> None:
    with pytest.raises(Refused, match="-v /data asks for a volume"):
        read(Volumes={"/data": {}})
    assert read(Volumes={"/data": {}}, HostConfig={"Binds": ["/a:/data/"]}).mounts


@pytest.mark.parametrize("bind", ["", ":/b", "/a:", "/a:/b:ro:rw"])
def test_a_malformed_bind_is_shown(bind: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid volume specification"):
        mounted(Binds=[bind])


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({"Type": "volume", "Target": "/x"}, "type volume at /x"),
        ({"Type": "bind", "Target": "/x"}, "Source must not be empty"),
        ({"Type": "bind", "Source": "/x"}, "Target must not be empty"),
        ({"Type": "tmpfs", "Target": "/x", "Source": "/y"}, "Source must not be specified"),
        ({"Type": "tmpfs", "Target": "/x", "BindOptions": {"NonRecursive": True}}, "bindoptions"),
        (
            {
                "Type": "bind",
                "Target": "/x",
                "Source": "/y",
                "BindOptions": {"ReadOnlyForceRecursive": True},
            },
            "ReadOnlyForceRecursive",
        ),
        (
            {"Type": "bind", "Target": "/x", "Source": "/y", "BindOptions": {"Propagation": "up"}},
            "invalid propagation mode: up",
        ),
    ],
)
def test_a_mount_that_cannot_be_says_why(mount: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        mounted(Mounts=[mount])


def test_there_is_one_runtime_and_it_answers_to_dockers_name_too() -> None:
    assert host(Runtime="").runtime == host(Runtime="minidocker").runtime == "minidocker"
    assert host_config(host(Runtime="runc"))["Runtime"] == "runc"
    with pytest.raises(InvalidParameter, match="unknown or invalid runtime name: crun"):
        host(Runtime="crun")


@pytest.mark.parametrize("said", ["", "default", "Default"])
def test_isolation_is_shown_as_it_was_written(said: str) -> None:
    assert host_config(host(Isolation=said))["Isolation"] == said
    with pytest.raises(InvalidParameter, match="Linux has the default one only"):
        host(Isolation="hyperv")


def test_the_platform_comes_from_the_query() -> None:
    assert replace(read_create({}, no_device, "linux/arm64"), platform="") == read()
