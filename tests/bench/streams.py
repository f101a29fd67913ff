"""Streams and lists: what takes long when there is much of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from tests.bench.figures import Aim, Figure
from tests.support.cli import DockerCli

LINES = 1_000_000
MEGABYTES = 100
CONTAINERS = 200
ROUNDS = 3  # of each; dockerd needs seconds for one

LINE = "a line of a log as programs write them, of sixty bytes or so"
WRITER = f"yes '{LINE}' | head -n {LINES}"
# From a file, since busybox's own writing of so many lines would be the slowest of all.
SPEAKER = (
    f"yes '{LINE}' | head -c 1048576 >/f; i=0; "
    f"while [ $i -lt {MEGABYTES} ]; do cat /f; i=$((i+1)); done"
)


def figures(theirs: DockerCli, ours: DockerCli, say: Callable[[str], None]) -> list[Figure]:
    """In ms; each command to one engine, then to the other."""
    samples: dict[str, tuple[list[float], list[float]]] = {}

    def took(name: str, side: int, milliseconds: float) -> None:
        samples.setdefault(name, ([], []))[side].append(milliseconds)

    for number in range(ROUNDS):
        say(f"streams, {number + 1} of {ROUNDS}")
        for side, docker in enumerate((theirs, ours)):
            took("log writing", side, writing(docker, "written"))
            took("docker logs", side, milliseconds(docker, "logs", "written"))
            took("attach", side, milliseconds(docker, *ATTACHED))
            docker("rm", "-f", "written").ok()
    for side, docker in enumerate((theirs, ours)):
        say(f"docker ps with {CONTAINERS} containers")
        ids = [docker("create", "--net", "none", "busybox").ok() for _ in range(CONTAINERS)]
        for _ in range(ROUNDS):
            took("docker ps", side, milliseconds(docker, "ps", "-a"))
        docker("rm", *ids).ok()
    return [
        figure(f"writing {LINES} lines of log", samples["log writing"], 0.5),
        figure(f"docker logs of {LINES} lines", samples["docker logs"], 0.5),
        figure(f"{MEGABYTES} MB through attach", samples["attach"], 0.2),
        figure(f"docker ps -a of {CONTAINERS}", samples["docker ps"], 1.0),
    ]


ATTACHED = ("run", "--rm", "--net", "none", "busybox", "sh", "-c", SPEAKER)


def figure(name: str, samples: tuple[Sequence[float], Sequence[float]], limit: float) -> Figure:
    theirs, ours = samples
    return Figure(name, "ms", tuple(theirs), tuple(ours), Aim(limit, ratio=True))


def writing(docker: DockerCli, name: str) -> float:
    """From the start of a container that writes as fast as it can, to its end."""
    docker("create", "--net", "none", "--name", name, "busybox", "sh", "-c", WRITER).ok()
    began = time.perf_counter()
    docker("start", name).ok()
    docker("wait", name, timeout=600).ok()
    return (time.perf_counter() - began) * 1000


def milliseconds(docker: DockerCli, *args: str) -> float:
    """How long the command takes; what it says goes nowhere.  It must succeed."""
    began = time.perf_counter()
    subprocess.run(
        docker.argv(*args),
        env=docker.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - began) * 1000
