"""What --log-driver and --log-opt ask for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.container import Container
from minidocker.containers.log_options import (
    DRIVERS,
    LogOptions,
    attributes,
    log_options,
    parse_size,
)
from minidocker.containers.spec import ContainerSpec, LogConfig
from minidocker.errors import InvalidParameter, Refused

MB = 1 << 20


@given(st.integers(0, 1 << 20), st.sampled_from(["", "k", "m", "G", "tb", "KiB"]))
def test_sizes_are_powers_of_1024(number: int, unit: str) -> None:
    power = " kmgt".index(unit[:1].lower() or " ")
    assert parse_size(f"{number}{unit}") == number * 1024**power


@pytest.mark.parametrize("text", ["", "m", "1x", "-2", "1 2", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("driver", "options", "meant"),
    [
        ("", {}, LogOptions("json-file", 20 * MB, 5, False, 0)),
        ("json-file", {"max-size": "1k"}, LogOptions("json-file", 1024, 1, False, 0)),
        ("json-file", {"max-file": "3"}, LogOptions("json-file", 20 * MB, 3, False, 0)),
        ("json-file", {"max-size": "-1"}, LogOptions("json-file", -1, 1, False, 0)),
        ("json-file", {"compress": "true"}, LogOptions("json-file", 20 * MB, 5, True, 0)),
        ("local", {}, LogOptions("local", 20 * MB, 5, True, 0)),
        ("local", {"max-size": "1k"}, LogOptions("local", 1024, 5, True, 0)),
        ("local", {"max-file": "1"}, LogOptions("local", 20 * MB, 1, False, 0)),
        ("local", {"compress": "0"}, LogOptions("local", 20 * MB, 5, False, 0)),
        ("local", {"mode": "blocking"}, LogOptions("local", 20 * MB, 5, True, 0)),
        ("local", {"mode": "non-blocking"}, LogOptions("local", 20 * MB, 5, True, MB)),
        (
            "local",
            {"mode": "non-blocking", "max-buffer-size": "2k"},
            LogOptions("local", 20 * MB, 5, True, 2048),
        ),
    ],
)
def test_a_log_rotates_by_itself_unless_told_otherwise(
    driver: str, options: dict[str, str], meant: LogOptions
) -> None:
    assert log_options(LogConfig(driver, options)) == meant


@pytest.mark.parametrize(
    ("driver", "options", "said"),
    [
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("json-file", {"magic": "1"}, "unknown log opt 'magic' for json-file log driver"),
        ("local", {"labels": "a"}, "unknown log opt 'labels' for log driver local"),
        ("none", {"magic": "1"}, "unknown log opt 'magic' for log driver none"),
        ("json-file", {"max-size": "many"}, "invalid size: 'many'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, 'max-file: parsing "x": invalid syntax'),
        ("json-file", {"compress": "yes"}, 'compress: parsing "yes": invalid syntax'),
        ("local", {"max-file": "1", "compress": "true"}, "compress cannot be true when max-file"),
        ("json-file", {"max-size": "-1", "max-file": "2", "compress": "t"}, "compress cannot be"),
        ("json-file", {"mode": "x"}, "logger: logging mode not supported: x"),
        ("json-file", {"max-buffer-size": "1m"}, "only supported with 'mode=non-blocking'"),
        (
            "json-file",
            {"mode": "non-blocking", "max-buffer-size": "x"},
            "error parsing option max-buffer-size: invalid size: 'x'",
        ),
        ("json-file", {"env-regex": "("}, "log option env-regex: error parsing regexp"),
        ("json-file", {"tag": "{{.Nope}}"}, "log option tag={{.Nope}} is not supported"),
        ("json-file", {"tag": "{{"}, "log option tag={{ is not supported"),
        ("json-file", {"tag": "{{.Name | upper}}"}, "it may hold {{.ID}}"),
    ],
)
def test_what_is_wrong_is_said(driver: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(said)):
        log_options(LogConfig(driver, options))


names = st.sampled_from(
    ["max-size", "max-file", "compress", "mode", "max-buffer-size", "labels", "env-regex", "tag"]
)
values = st.sampled_from(["", "1", "-1", "5m", "true", "non-blocking", "a,b", "{{.Name}}", "^a"])


@given(st.sampled_from(DRIVERS), st.dictionaries(names, values, max_size=4))
def test_any_options_are_read_or_refused(driver: str, options: dict[str, str]) -> None:
    try:
        read = log_options(LogConfig(driver, options))
    except (InvalidParameter, Refused):
        return
    assert read.max_file >= 1
    assert read.max_size == -1 or read.max_size > 0
    assert not (read.compress and (read.max_file == 1 or read.max_size == -1))
    assert (read.buffer > 0) == (options.get("mode") == "non-blocking")


# What every line carries

ID, IMAGE = "ab" * 32, "sha256:" + "cd" * 32


def carried(options: dict[str, str], **how: Any) -> dict[str, str]:
    labels = {"tier": "front", "team": "red", "other": ""}
    spec = ContainerSpec(image="app:1", labels=labels, log=LogConfig("json-file", options), **how)
    container = Container(ID, "web", spec, IMAGE)
    return attributes(container, ["PATH=/bin", "MODE=a=b", "EMPTY="])


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({}, {}),
        ({"labels": "tier,nobody"}, {"tier": "front"}),
        ({"labels-regex": "^te|^ti"}, {"team": "red", "tier": "front"}),
        ({"env": "MODE,EMPTY"}, {"EMPTY": "", "MODE": "a=b"}),
        ({"env-regex": "A"}, {"PATH": "/bin"}),
        ({"labels": "tier", "env": "PATH"}, {"PATH": "/bin", "tier": "front"}),
        ({"tag": "x"}, {"tag": "x"}),
        (
            {"tag": "{{.Name}}/{{ .ID }} {{.FullID}}"},
            {"tag": f"web/{ID[:12]} {ID}"},
        ),
        (
            {"tag": "{{.ImageName}} {{.ImageID}} {{.ImageFullID}} {{.DaemonName}}"},
            {"tag": f"app:1 sha256:cdcdc {IMAGE} docker"},
        ),
    ],
)
def test_a_line_carries_what_its_options_name(
    options: dict[str, str], meant: dict[str, str]
) -> None:
    assert list(carried(options).items()) == list(meant.items())
