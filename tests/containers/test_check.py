"""What can be wrong with a spec by itself."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.check import (
    check_modes,
    check_spec,
    parse_signal,
    rlimit,
)
from minidocker.containers.modes import parse_modes
from minidocker.containers.spec import (
    ContainerSpec,
    HealthCheck,
    LogConfig,
    Mount,
    RestartPolicy,
    Ulimit,
)
from minidocker.errors import InvalidParameter

SIGNALS = [each for each in signal.Signals if not each.name.startswith("SIGRT")]
SECOND = 10**9


@given(st.sampled_from(SIGNALS), st.booleans(), st.booleans())
def test_a_signal_may_be_spelled_in_many_ways(sig: signal.Signals, short: bool, low: bool) -> None:
    name = sig.name.removeprefix("SIG") if short else sig.name
    assert parse_signal(name.lower() if low else name) == sig
    assert parse_signal(str(int(sig))) == sig


@pytest.mark.parametrize(
    ("text", "number"), [("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmax-1", 63), ("RTMAX", 64)]
)
def test_real_time_signals_count_from_both_ends(text: str, number: int) -> None:
    assert parse_signal(text) == number


@given(st.text(max_size=8) | st.sampled_from(["0", "65", "-1", "RTMIN-1", "RTMAX+1", "RTMIN+99"]))
def test_any_text_is_a_signal_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert 1 <= parse_signal(text) <= 64


@pytest.mark.parametrize("text", ["0", "65", "RTMIN-1", "RTMAX+1", "", "KILLER", "²"])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid signal"):
        parse_signal(text)


@given(st.integers(-1, 1 << 62), st.integers(-1, 1 << 62))
def test_a_soft_limit_is_never_above_the_hard_one(soft: int, hard: int) -> None:
    endless = 1 << 64
    if (endless if soft == -1 else soft) > (endless if hard == -1 else hard):
        with pytest.raises(InvalidParameter, match="must be less than or equal to hard limit"):
            rlimit("nofile", soft, hard)
    else:
        limit = rlimit("nofile", soft, hard)
        assert limit["type"] == "RLIMIT_NOFILE"
        assert 0 <= int(limit["soft"]) <= int(limit["hard"]) < endless


@pytest.mark.parametrize(
    "wrong",
    [
        {"working_dir": "relative"},
        {"environment": ("",)},
        {"environment": ("=x",)},
        {"stop_signal": "NOPE"},
        {"oom_score_adj": 1001},
        {"oom_score_adj": -1001},
        {"shm_size": -1},
        {"mac_address": "02:42:ac:11:00"},
        {"ulimits": (Ulimit("magic", 1, 1),)},
        {"ulimits": (Ulimit("nofile", 2, 1),)},
        {"sysctls": {"kernel.panic": "1"}},
        {"sysctls": {"net.ipv4/../../kernel.panic": "1"}},
        {"restart": RestartPolicy("sometimes")},
        {"restart": RestartPolicy("always", 3)},
        {"restart": RestartPolicy("on-failure", -1)},
        {"restart": RestartPolicy("always"), "auto_remove": True},
        {"health": HealthCheck(("MAGIC",))},
        {"health": HealthCheck(("CMD",))},
        {"health": HealthCheck(("CMD", "x"), interval=1)},
        {"health": HealthCheck(("CMD", "x"), retries=-1)},
        {"log": LogConfig("syslog")},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    good = ContainerSpec(image="x", command=("true",))
    check_spec(good)
    with pytest.raises(InvalidParameter) as refused:
        check_spec(dataclasses.replace(good, **wrong))
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize(
    "how",
    [
        {"command": ("a\0b",)},
        {"entrypoint": ("a\0b",)},
        {"environment": ("A=b\0c",)},
        {"working_dir": "/a\0"},
        {"user": "a\0"},
        {"hostname": "a\0"},
        {"mounts": (Mount("bind", "/a\0", "/b", create_source=True),)},
        {"mounts": (Mount("tmpfs", "", "/b\0"),)},
    ],
)
def test_a_zero_byte_is_refused(how: dict[str, Any]) -> None:
    """It ends every string of the kernel."""
    with pytest.raises(InvalidParameter, match="zero byte"):
        check_spec(ContainerSpec(**how))


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("kernel.shmmax", {"ipc_mode": "host"}),
        ("kernel.sem", {"ipc_mode": "host"}),
        ("fs.mqueue.msg_max", {"ipc_mode": "container:x"}),
        ("kernel.domainname", {"uts_mode": "host"}),
        ("net.ipv4.ip_forward", {"network_mode": "host"}),
    ],
)
def test_a_setting_of_the_hosts_own_namespace_is_refused(name: str, modes: dict[str, Any]) -> None:
    """It would change the machine, not the container."""
    spec = ContainerSpec(image="x", command=("true",), sysctls={name: "1"}, **modes)
    with pytest.raises(InvalidParameter, match=name):
        check_modes(spec, parse_modes(spec))
