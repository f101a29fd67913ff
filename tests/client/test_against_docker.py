"""What the docker command would send for the same line, field by field."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.command_lines import ENVIRONMENT, body_of
from tests.client.fake import Exchange, FakeDaemon
from tests.support.cli import DockerCli, run
from tests.support.need import need_program

pytestmark = pytest.mark.oracle

LINES = """
busybox
busybox sh -c 'echo "$HOME"' -x
-i busybox cat
-a stdout -a STDERR busybox
-m 64m --memory-swap -1 --memory-reservation 1g --cpus 1.5 --cpu-shares 5 x
--cpuset-cpus 0-1 --cpuset-mems 0 --pids-limit 10 --blkio-weight 100 --oom-score-adj 5 x
--cpu-period 5 --cpu-quota 6 --cgroup-parent /x --memory-swappiness 5 --oom-kill-disable x
--cpu-rt-period 5 --cpu-rt-runtime 4 --blkio-weight-device /dev/a:50 x
--device-read-bps /dev/a:1mb --device-write-bps /dev/c:5 x
--device-read-iops /dev/b:5 --device-write-iops /dev/a:100 x
-v /a:/b:ro -v /c -v .:/here -v named:/n -v /d:/e:ro,z x
--tmpfs /t:size=1m --tmpfs /u x
--mount type=bind,src=/a,dst=/q,readonly --mount type=tmpfs,target=/w,tmpfs-size=1m x
--mount type=tmpfs,target=/w,tmpfs-mode=1777 --mount type=bind,src=/a,dst=/b,readonly=false x
--mount type=bind,src=/a,dst=/b,bind-propagation=shared,consistency=cached x
--mount type=bind,src=/a,dst=/b,bind-recursive=disabled --mount type=volume,src=a,dst=/b x
--mount src=a,dst=/b,volume-nocopy,volume-driver=d,volume-opt=a=b,volume-label=x=y x
--mount '"type=bind","src=/a,b",dst=/c' x
--ulimit nofile=1:2 --ulimit core=-1 --ulimit nproc=5:-1 x
--device /dev/a --device /dev/b:/c:r --device /dev/d:rw --device-cgroup-rule 'c 1:3 rwm' x
--sysctl net.a=b=c --sysctl net.b= --sysctl kernel.msgmax=5 x
--restart on-failure:3 x
--restart always x
--label a=b --label c -l d= x
-e A=B -e HOME -e NOPE -e EMPTY x
--entrypoint '' x
--entrypoint sh x -c y
--net host --pid host --ipc host --uts host --userns host --cgroupns host x
--network container:foo --pid container:abc --ipc container:q x
--network none --mac-address 92:d0:c6:0a:29:33 x
--network foo --ip 1.2.3.4 x
--shm-size 1g --group-add 5 --group-add audio -u 5:6 -w /w --domainname dd --hostname h x
--stop-signal INT --stop-timeout 5 --read-only --init --privileged x
--stop-timeout 0 --init=false --rm=false x
--cap-add NET_ADMIN --cap-drop all --cap-add CAP_SYS_ADMIN --cap-drop net_admin x
--security-opt no-new-privileges --security-opt seccomp=unconfined x
--security-opt label:disable --security-opt systempaths=unconfined x
--log-driver json-file --log-opt max-size=1m --log-opt x x
--add-host a:1.2.3.4 --add-host b=::1 --add-host c:host-gateway x
--dns 1.1.1.1 --dns-search s --dns-option o x
--no-healthcheck x
--health-cmd true --health-interval 1s --health-retries 3 --health-timeout 1m30s x
--health-cmd a --health-start-period 1s --health-start-interval 2s x
-p 80:80 -p 127.0.0.1:90:91/udp --expose 5 --expose 80-82/udp -P x
-p 8000-8001:80-81 -p 9000 x
--annotation a=b --volumes-from c --runtime r --storage-opt size=1 --volume-driver vd x
--link b:c --memory 1.5g x
-t --rm x
""".strip().splitlines()

# Absent and zero are the same to the daemon, but not for these.
TELLING = {"StopTimeout", "Init", "MaskedPaths", "ReadonlyPaths"}


# How the docker command says nothing, where that is no zero.
SILENCE = {
    "MemorySwappiness": -1,
    "RestartPolicy": {"Name": "no"},
    "ConsoleSize": [0, 0],
}


def said(value: Any) -> Any:
    """``value`` without what says nothing: null, empty and zero fields."""
    if isinstance(value, list):
        return [said(inner) if isinstance(inner, dict) else inner for inner in value]
    if not isinstance(value, dict):
        return value
    pruned = {key: said(inner) for key, inner in value.items()}
    return {
        key: inner
        for key, inner in pruned.items()
        if inner is not None
        and (key in TELLING or inner not in ("", 0, False, [], {}))
        and SILENCE.get(key) != inner
    }


def explained(body: dict[str, Any]) -> Any:
    """The request without the differences that have a reason."""
    body = said(body)
    # The docker command keeps variables and binds in Go maps: their order is random.
    for holder, key in ((body, "Env"), (body["HostConfig"], "Binds")):
        if key in holder:
            holder[key] = sorted(holder[key])
    # An endpoint that says nothing is the network mode said twice.
    networks = body.get("NetworkingConfig", {}).get("EndpointsConfig")
    if not networks:
        body.pop("NetworkingConfig", None)
    return body


def volumes(body: dict[str, Any]) -> set[str]:
    return {*(body.get("Volumes") or ()), *(body.get("ExposedPorts") or ())}


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeDaemon]:
    need_program("docker")

    def answer(exchange: Exchange) -> None:
        if exchange.asked.path == "/_ping":
            exchange.json("OK")
        elif exchange.asked.path == "/containers/create":
            exchange.json({"Id": "a" * 64, "Warnings": []}, 201)
        else:
            exchange.refuse(404, "page not found")

    with FakeDaemon(tmp_path_factory.mktemp("recorder") / "s", answer) as daemon:
        yield daemon


@pytest.mark.parametrize("line", LINES)
def test_the_request_is_the_one_that_docker_sends(
    recorder: FakeDaemon, tmp_path: Path, line: str
) -> None:
    docker = DockerCli(recorder.socket_path, tmp_path)
    words = shlex.split(line)
    environment = {**docker.environment, **ENVIRONMENT}
    environment.pop("NOPE", None)
    recorder.requests.clear()
    run(docker.argv("create", *words), env=environment).ok()
    [theirs] = [each.json() for each in recorder.requests if each.path == "/containers/create"]
    ours = body_of(*words, cwd=os.getcwd())
    assert volumes(ours) == volumes(theirs)
    assert explained(ours) == explained(theirs)
