"""``docker update``: what holds at once, what at the next start, and what dockerd refuses."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups.resources import Resources
from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.update import _write
from minidocker.daemon.container_update import read_update
from minidocker.errors import InvalidParameter, Refused, SystemFailure
from tests.support.cli import Answer, DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

NAME = "updated"


def device(path: str) -> tuple[int, int]:
    return (8, 0)


@given(st.integers(-(1 << 40), 1 << 40))
def test_pids_below_one_are_unlimited(count: int) -> None:
    change, policy = read_update({"PidsLimit": count}, device)
    assert change.pids_limit == (count if count > 0 else -1)
    assert policy is None


def test_what_asks_for_nothing_changes_nothing() -> None:
    zeros = {"Memory": 0, "CpuShares": 0, "CpusetCpus": "", "PidsLimit": None, "Devices": None}
    nothing = {**zeros, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "Ulimits": []}
    assert read_update(nothing, device) == (Resources(), None)


@pytest.mark.parametrize("field", ["Devices", "Ulimits", "CgroupParent", "DeviceRequests"])
def test_what_cannot_change_is_refused_by_name(field: str) -> None:
    with pytest.raises(Refused, match=field):
        read_update({field: ["x"]}, device)
    with pytest.raises(InvalidParameter, match="Memoryy"):
        read_update({"Memoryy": 5}, device)


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EINVAL, InvalidParameter), (errno.EBUSY, SystemFailure)]
)
def test_what_the_kernel_takes_for_nonsense_is_the_requests_fault(
    number: int, error: type[Exception]
) -> None:
    container = Container("f" * 64, "name", ContainerSpec(), "image")
    asked = []

    class Group:
        def update(self, resources: Resources) -> None:
            asked.append(resources)
            if resources.cpu_shares:
                raise OSError(number, os.strerror(number), "/cgroup/cpu.shares")

    core = cast(Core, SimpleNamespace(cgroup=lambda _: Group()))
    with pytest.raises(error, match=r"^Cannot update container f{64}: /cgroup/cpu.shares: "):
        _write(core, container, Resources(cpu_shares=7))
    assert asked == [Resources(cpu_shares=7), Resources()]


@pytest.fixture
def ours(engine: Engine) -> Iterator[DockerCli]:
    yield engine.docker
    engine.docker("rm", "-f", NAME).ok()


def run(docker: DockerCli, *flags: str) -> None:
    docker("run", "-d", "--name", NAME, "--net", "none", *flags, "busybox", "sleep", "1000").ok()


def inspected(docker: DockerCli) -> Any:
    return json.loads(docker("inspect", NAME).ok())[0]


def limit(docker: DockerCli, file: str) -> str:
    """What the container's own view of its cgroup says."""
    found = docker("exec", NAME, "sh", "-c", f"cat /sys/fs/cgroup/{file} /sys/fs/cgroup/*/{file}")
    return found.out.strip()


@pytest.mark.kernel
def test_limits_hold_at_once_and_after_a_restart(ours: DockerCli) -> None:
    run(ours, "-m", "64m")
    ours("update", "-m", "128m", "--memory-swap", "256m", "--pids-limit", "50", NAME).ok()
    for _ in range(2):
        assert limit(ours, "pids.max") == "50"
        assert limit(ours, "memory.limit_in_bytes memory.max").split()[:1] in (
            [str(128 << 20)],
            [],
        )
        shown = inspected(ours)["HostConfig"]
        assert (shown["Memory"], shown["MemorySwap"]) == (128 << 20, 256 << 20)
        assert shown["PidsLimit"] == 50
        ours("restart", "-t", "0", NAME).ok()


@pytest.mark.kernel
def test_a_stopped_container_has_them_at_its_next_start(ours: DockerCli) -> None:
    run(ours)
    ours("stop", "-t", "0", NAME).ok()
    ours("update", "--pids-limit", "40", "--restart", "on-failure:3", NAME).ok()
    ours("start", NAME).ok()
    assert limit(ours, "pids.max") == "40"
    policy = inspected(ours)["HostConfig"]["RestartPolicy"]
    assert policy == {"Name": "on-failure", "MaximumRetryCount": 3}
    ours("update", "--pids-limit", "-1", NAME).ok()
    assert limit(ours, "pids.max") == "max"


@pytest.mark.kernel
def test_the_policy_stays_when_limits_change(ours: DockerCli) -> None:
    run(ours, "--restart", "always")
    ours("update", "--cpu-shares", "512", NAME).ok()
    assert inspected(ours)["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert inspected(ours)["HostConfig"]["CpuShares"] == 512


@pytest.mark.kernel
def test_a_new_policy_is_followed(ours: DockerCli) -> None:
    line = ("run", "-d", "--name", NAME, "--net", "none", "--restart", "always", "busybox")
    ours(*line, "sleep", "1000").ok()
    ours("update", "--restart", "no", NAME).ok()
    ours("exec", NAME, "kill", "-9", "-1")
    ours("exec", NAME, "kill", "1")
    ours("kill", NAME)
    assert inspected(ours)["State"]["Status"] == "exited"
    assert inspected(ours)["RestartCount"] == 0


@pytest.mark.kernel
def test_it_survives_the_daemon(new_engine: Any) -> None:
    engine = new_engine()
    engine.docker("pull", "-q", "busybox").ok()
    run(engine.docker)
    engine.docker("update", "--pids-limit", "33", NAME).ok()
    engine.kill()
    engine.start()
    assert inspected(engine.docker)["HostConfig"]["PidsLimit"] == 33


@pytest.mark.kernel
def test_an_event_tells_of_it(ours: DockerCli) -> None:
    run(ours)
    ours("update", "--pids-limit", "30", NAME).ok()
    told = ours("events", "--since", "1m", "--until", "0s", "--filter", "event=update").ok()
    assert f"name={NAME}" in told


LINES = {
    "too little": ("", "-m 1m"),
    "above the swap": ("-m 64m --memory-swap 128m", "-m 256m"),
    "no swap there": ("", "-m 64m"),
    "with swap": ("", "-m 64m --memory-swap -1"),
    "cpus with a quota": ("--cpu-quota 50000", "--cpus 0.5"),
    "a quota with cpus": ("--cpus 0.5", "--cpu-quota 50000"),
    "a period with cpus": ("--cpus 0.5", "--cpu-period 50000"),
    "more cpus": ("--cpus 0.5", "--cpus 1"),
    "too many cpus": ("", "--cpus 9999"),
    "no such cpu": ("", "--cpuset-cpus 999"),
    "bad list": ("", "--cpuset-cpus x"),
    "with --rm": ("--rm", "--restart always"),
    "none with --rm": ("--rm", "--restart no"),
    "nothing": ("", ""),
    "shares": ("", "--cpu-shares 700"),
}


# Of the machine, for networks that we do not have yet.
FORWARDING = "IPv4 forwarding is disabled. Networking will not work.\n"


def told(answer: Answer) -> tuple[int, str, str]:
    text = re.sub("[0-9a-f]{64}", "<id>", answer.err)
    return answer.code, answer.out.replace(FORWARDING, ""), text.strip()


# What dockerd 20.10 leaves to the kernel or says in other words than newer versions.
REFUSED = {
    "--memory-swap 32m": "Minimum memoryswap limit should be larger than memory limit, see usage",
    "--cpu-shares 1": "the minimum allowed cpu-shares is 2",
    "--restart sometimes": "invalid restart policy: unknown policy 'sometimes'; use one of "
    "'no', 'always', 'on-failure', or 'unless-stopped'",
    "--restart always:3": "invalid restart policy: maximum retry count can only be used with "
    "'on-failure'",
}


@pytest.mark.kernel
def test_what_is_refused_changes_nothing(ours: DockerCli) -> None:
    run(ours, "-m", "64m")
    before = inspected(ours)["HostConfig"]
    for line, text in REFUSED.items():
        answer = ours("update", "--pids-limit", "7", *line.split(), NAME)
        assert answer.err.strip() == f"Error response from daemon: {text}"
        assert inspected(ours)["HostConfig"] == before
        assert limit(ours, "pids.max") == "max"


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.parametrize("state", ["running", "created"])
@pytest.mark.parametrize("name", LINES)
def test_it_says_what_dockerd_says(engine: Engine, dockerd: Dockerd, name: str, state: str) -> None:
    flags, change = (line.split() for line in LINES[name])
    seen = []
    for docker in (dockerd.docker, engine.docker):
        verb = ("run", "-d") if state == "running" else ("create",)
        line = (*verb, "--name", NAME, "--net", "none", *flags, "busybox", "sleep", "1000")
        docker(*line).ok()
        try:
            answer = docker("update", *change, NAME)
            host = inspected(docker)["HostConfig"]
            keys = ("Memory", "MemorySwap", "NanoCpus", "CpuQuota", "CpuShares", "RestartPolicy")
            seen.append((told(answer), {key: host[key] for key in keys}))
        finally:
            docker("rm", "-f", NAME).ok()
    assert seen[1] == seen[0]


@pytest.mark.kernel
def test_our_own_client_says_the_same(engine: Engine) -> None:
    run(engine.docker)
    try:
        for line in ([], ["-m", "1m"], ["--pids-limit", "20"], ["--restart", "bad:x"]):
            theirs, own = (client("update", *line, NAME) for client in (engine.docker, engine.own))
            assert (own.code, own.out, own.err) == (theirs.code, theirs.out, theirs.err)
    finally:
        engine.docker("rm", "-f", NAME).ok()


@pytest.mark.kernel
def test_prune_takes_what_stands_still(engine: Engine, tmp_path: Path) -> None:
    docker = engine.docker
    run(docker)
    try:
        for name, label in (("one", "a=1"), ("two", "a=2"), ("three", "b=1")):
            line = ("run", "--name", name, "--net", "none", "--label", label, "busybox")
            docker(*line, "sh", "-c", "head -c 10000 /dev/zero > /x").ok()
        prune = ("container", "prune", "-f")
        assert docker(*prune, "--filter", "until=24h").ok() == "Total reclaimed space: 0B"
        assert "Total reclaimed space: 10kB" in docker(*prune, "--filter", "label=a=1").ok()
        assert docker("inspect", "one").code == 1
        docker(*prune, "--filter", "label!=a").ok()
        assert docker("ps", "-a", "--format", "{{.Names}}").ok().split() == ["two", NAME]
        assert "invalid filter" in docker(*prune, "--filter", "name=x").err
        assert engine.own("container", "prune", input="n\n").code == 0
        said = engine.own("container", "prune", input="y\n").ok()
        assert "Total reclaimed space: 10kB" in said
        assert docker("ps", "-a", "--format", "{{.Names}}").ok().split() == [NAME]
    finally:
        docker.remove_all_containers()
