"""From flags to the create request: what is said is there, and nothing else."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.body import DEFAULTS, HOST, LIMITS, TOP, create_body
from minidocker.client.run_flags import FLAGS
from tests.client.command_lines import body_of, host, refusal

word = st.text(alphabet="abcxyz019_./", min_size=1, max_size=8)


def test_the_shortest_request_names_the_image_and_the_streams() -> None:
    assert body_of("busybox") == {
        "Image": "busybox",
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {"NetworkMode": "default"},
    }
    assert body_of("-d", "busybox", "a", "-b") == {
        "Image": "busybox",
        "Cmd": ["a", "-b"],
        "HostConfig": {"NetworkMode": "default"},
    }


@given(word, st.lists(st.text(max_size=8), max_size=4))
def test_what_follows_the_image_is_the_command_whatever_it_looks_like(
    image: str, command: list[str]
) -> None:
    body = body_of("-d", "--", image, *command)
    assert body["Image"] == image
    assert body.get("Cmd", []) == command


PLAIN = [
    flag
    for flag in FLAGS
    if flag.key in {**TOP, **HOST, **LIMITS} and flag.kind in ("string", "int", "bool", "bytes")
]
MODES = {"pid": "host", "uts": "host", "userns": "host", "cgroupns": "private"}


def sample(flag: Any) -> st.SearchStrategy[Any]:
    if flag.key in MODES:
        return st.just(MODES[flag.key])
    if flag.key == "memory_swappiness":
        return st.integers(0, 100)
    return {
        "string": word,
        "int": st.integers(1, 1 << 40),
        "bytes": st.integers(1, 1 << 40),
        "bool": st.just(True),
    }[flag.kind]


@given(st.data())
def test_each_plain_flag_puts_its_value_into_its_own_field(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(PLAIN), unique_by=lambda flag: flag.key))
    values = {flag.key: data.draw(sample(flag)) for flag in chosen}
    body = create_body(values, "x", [], host())
    config = body["HostConfig"]
    for key, value in values.items():
        found = body[TOP[key]] if key in TOP else config[{**HOST, **LIMITS}[key]]
        assert found == value
    fields = {name for key in values for name in [{**HOST, **LIMITS}.get(key)] if name}
    assert set(config) == {"NetworkMode"} | fields


@given(st.data())
def test_the_order_of_flags_means_nothing(data: st.DataObject) -> None:
    line = [["--rm"], ["-m", "64m"], ["--net=host"], ["-e", "A=b"], ["-it"], ["--name", "n"]]
    order = [word for words in data.draw(st.permutations(line)) for word in words]
    assert body_of(*order, "x") == body_of(*chain.from_iterable(line), "x")


def test_every_flag_has_a_default_and_a_sentence() -> None:
    assert set(DEFAULTS) == {flag.key for flag in FLAGS}
    assert all(flag.help and not flag.help.endswith(".") for flag in FLAGS)
    assert len({flag.short for flag in FLAGS if flag.short}) == sum(
        bool(flag.short) for flag in FLAGS
    )


def test_stdin_once_goes_with_attached_stdin_only() -> None:
    assert body_of("-i", "x")["StdinOnce"]
    assert "StdinOnce" not in body_of("-i", "-d", "x")
    assert "StdinOnce" not in body_of("-i", "-a", "stdout", "x")


def test_variables_come_from_files_first_then_from_flags() -> None:
    files = {"f": "A=file\nHOME\n", "l": "a=1\nb\n"}
    body = body_of(
        "-e", "A=flag", "--env-file", "f", "--label-file", "l", "-l", "a=2", "x", files=files
    )
    assert body["Env"] == ["A=file", "HOME=/root", "A=flag"]
    assert body["Labels"] == {"a": "2", "b": ""}


def test_a_seccomp_profile_travels_in_the_request() -> None:
    files = {"p": '{ "defaultAction": "SCMP_ACT_ALLOW" }'}
    body = body_of("--security-opt", "seccomp=p", "x", files=files)
    [option] = body["HostConfig"]["SecurityOpt"]
    assert json.loads(option.removeprefix("seccomp=")) == {"defaultAction": "SCMP_ACT_ALLOW"}


def test_zero_and_false_are_said_where_they_differ_from_silence() -> None:
    body = body_of("--stop-timeout", "0", "--init=false", "x")
    assert body["StopTimeout"] == 0
    assert body["HostConfig"]["Init"] is False
    assert "Init" not in body_of("x")["HostConfig"]


def test_each_network_is_asked_for() -> None:
    body = body_of("--net", "one", "--network", "two", "x")
    assert body["HostConfig"]["NetworkMode"] == "one"
    assert set(body["NetworkingConfig"]["EndpointsConfig"]) == {"one", "two"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--memory 1x x", 'invalid argument "1x" for "-m, --memory" flag: invalid suffix: \'x\''),
        ("--cpus x x", 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational'),
        ("--ulimit foo=1 x", 'for "--ulimit" flag: invalid ulimit type: foo'),
        ("--rm --restart always x", "cannot specify both --restart and --rm"),
        ("--device /a:/b:xyz x", "bad mode specified: xyz"),
        ("-e =a x", 'invalid argument "=a" for "-e, --env" flag: invalid environment variable: =a'),
        ("--label =a x", "invalid label '=a': empty name"),
        ("-a foo x", "valid streams are STDIN, STDOUT and STDERR"),
        ("--memory-swappiness 101 x", "Valid memory swappiness range is 0-100"),
        ("--stop-timeout x x", "invalid syntax"),
        ("--restart on-failure:x x", "maximum retry count must be an integer"),
        ("--restart :3 x", "no policy provided before colon"),
        ("--pid foo x", "--pid: invalid PID mode"),
        ("--uts foo x", "--uts: invalid UTS mode"),
        ("--userns foo x", "--userns: invalid USER mode"),
        ("--cgroupns foo x", "--cgroupns: invalid CGROUP mode"),
        ("--net= x", "no name set for network"),
        ("--add-host foo x", 'bad format for add-host: "foo"'),
        ("--dns foo x", "IP address is not correctly formatted: foo"),
        ("--sysctl foo x", "sysctl 'foo' is not allowed"),
        ("--security-opt foo x", 'Invalid --security-opt: "foo"'),
        ("--security-opt seccomp=/no x", "opening seccomp profile (/no) failed: open /no: no such"),
        ("--health-interval -1s --health-cmd x x", "--health-interval cannot be negative"),
        ("--no-healthcheck --health-cmd a x", "--no-healthcheck conflicts with --health-* options"),
        ("--log-driver none --log-opt a=b x", "invalid logging opts for driver none"),
        ("--env-file /no x", "open /no: no such file or directory"),
        ("-v :/b x", "invalid spec: :/b: empty section between colons"),
        ("--storage-opt a x", "invalid storage option"),
        ("--rm=maybe x", 'invalid argument "maybe" for "--rm" flag'),
        ("--network-alias z x", "network-scoped aliases are only supported for user-defined"),
        ("--device-read-bps foo x", "bad format: foo"),
        ("--blkio-weight-device /dev/a:5 x", "invalid weight for device: /dev/a:5"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_dockers_words(line: str, message: str) -> None:
    assert message in refusal(*line.split())
