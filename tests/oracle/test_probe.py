"""Isolation equal to Docker's: one probe in both engines, and every difference explained.

The probe (probe.sh) runs with many sets of ``docker run`` flags, since each
flag changes what isolation means.  What differs must be in differences.toml,
and what is there must differ: the table in docs/isolation.md is made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracle import explained, probe
from tests.support.cli import DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

FLAGS = {
    "terminal": ("-t",),
    "user": ("-u", "app"),
    "user and group": ("-u", "1234:2000", "--group-add", "extra"),
    "read-only": ("--read-only", "--tmpfs", "/tmp:size=8m,exec"),
    "no capabilities": ("--cap-drop", "ALL"),
    "one capability more": ("--cap-add", "SYS_ADMIN", "--cap-drop", "MKNOD"),
    "no new privileges": ("--security-opt", "no-new-privileges"),
    "no seccomp": ("--security-opt", "seccomp=unconfined"),
    "host's pid": ("--pid", "host"),
    "host's network": ("--net", "host"),
    "host's ipc and uts": ("--ipc", "host", "--uts", "host"),
    "private cgroup namespace": ("--cgroupns", "private"),
    "init": ("--init",),
    "limits": (
        *("-m", "64m", "--pids-limit", "50", "--cpus", "0.5", "--ulimit", "nofile=100:200"),
        *("--oom-score-adj", "100", "--shm-size", "1m"),
    ),
    "names": (
        *("--hostname", "box", "--domainname", "example.org", "--add-host", "other:10.1.2.3"),
        *("--dns", "192.0.2.1", "--dns-search", "example.org", "--sysctl", "kernel.shmmax=65536"),
    ),
    "mounts": (
        *("-v", "/usr/share/doc:/doc:ro", "--mount", "type=tmpfs,target=/scratch,tmpfs-size=1m"),
        *("--device", "/dev/fuse", "-w", "/var/made/here", "-e", "A=b", "-e", "HOME=/elsewhere"),
    ),
}


def ask(docker: DockerCli, root: Path, flags: tuple[str, ...]) -> dict[str, str]:
    """What the probe says in a container of the daemon that lives in ``root``."""
    network = () if "--net" in flags else ("--net", "none")
    # In the host's namespaces it only looks: a mistake of ours must not hurt the machine.
    look = ("probe", "look") if "host" in flags else ()
    command = ("busybox", "sh", "-c", probe.SCRIPT, *look)
    answer = docker("run", "--rm", *network, *flags, *command)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    return probe.read(answer.out.replace("\r\n", "\n"), root)


def found_with_all_flags(
    theirs: Callable[[tuple[str, ...]], dict[str, str]],
    ours: Callable[[tuple[str, ...]], dict[str, str]],
) -> list[tuple[str, str, str]]:
    """(key, Docker's, ours) of each difference; ``flags: key`` for one that is not there
    without flags too, or is another one then."""
    plain = probe.differences(theirs(()), ours(()))
    found = [(key, *values) for key, values in plain.items()]
    for name, flags in FLAGS.items():
        for key, values in probe.differences(theirs(flags), ours(flags)).items():
            if plain.get(key) != values:
                found.append((f"{name}: {key}", *values))
    return found


@pytest.mark.kernel
@pytest.mark.oracle
def test_every_difference_from_docker_is_explained(dockerd: Dockerd, engine: Engine) -> None:
    found = found_with_all_flags(
        lambda flags: ask(dockerd.docker, dockerd.root, flags),
        lambda flags: ask(engine.docker, engine.root, flags),
    )
    verdict = explained.judge(found, explained.load("isolation"))
    assert not verdict.unexplained, "\n".join(verdict.unexplained)
    assert not verdict.stale, "no longer differ:\n" + "\n".join(verdict.stale)


@pytest.mark.kernel
@pytest.mark.oracle
def test_the_probe_gives_the_same_answer_twice(dockerd: Dockerd) -> None:
    """Else a difference between the engines would mean nothing."""
    first, second = (ask(dockerd.docker, dockerd.root, ()) for _ in range(2))
    assert probe.differences(first, second) == {}


def test_a_difference_that_no_flag_makes_is_found_once() -> None:
    def theirs(flags: tuple[str, ...]) -> dict[str, str]:
        return {"umask": "0022", "user": "app" if "-u" in flags else "root"}

    def ours(flags: tuple[str, ...]) -> dict[str, str]:
        return {"umask": "0027", "user": "root"}

    assert found_with_all_flags(theirs, ours) == [
        ("umask", "0022", "0027"),
        ("user: user", "app", "root"),
        ("user and group: user", "app", "root"),
    ]
