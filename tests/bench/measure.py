"""Taking the samples: both engines get the same commands, in turn, round after round."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import memory, streams
from tests.bench.figures import Aim, Figure
from tests.support.busybox import archive
from tests.support.cli import DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine, mirror

RUN = ("run", "--rm", "--net", "none", "busybox", "true")
CONTAINERS = 10
"""How many idle ones the memory of one is a part of."""

READY_ROUNDS = 3
"""Starts of a daemon; fewer than rounds, each takes dockerd a second."""


@dataclass(frozen=True)
class Side:
    """One daemon under test.  ``pid`` is its process, or None for one that we did not start."""

    docker: DockerCli
    pid: int | None
    root: Path | None

    def processes(self) -> set[int]:
        """The engine's own: the daemon, its descendants, and what names its folder."""
        if self.pid is None or self.root is None:
            return set()
        ours = memory.family(self.pid, memory.parents()) | memory.naming(f"{self.root}/")
        return memory.on_the_host(ours)


def figures(rounds: int, against: Path | None, say: Callable[[str], None]) -> list[Figure]:
    """All figures.  ``against``: the socket of a daemon to compare with, instead of a dockerd
    that is started here.  ``say`` is told what is going on."""
    root = Path(tempfile.mkdtemp(prefix="minidocker-bench-"))
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(compiled_once(root / "pycache"))
            image = archive(root / "busybox.tar")
            say("starting the daemons")
            url = stack.enter_context(mirror(root / "mirror"))
            theirs = stack.enter_context(peer(root, against, image))
            engine = stack.enter_context(Engine(folder(root / "ours"), "--registry-mirror", url))
            engine.docker("pull", "--quiet", "busybox").ok()
            ours = Side(engine.docker, engine.process.pid, engine.root)
            return [
                *idle_memory(theirs, ours, say),
                *commands(rounds, theirs, engine, say),
                *ready(root, against is None, say),
                *streams.figures(theirs.docker, ours.docker, say),
            ]
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def compiled_once(path: Path) -> Iterator[None]:
    """As where people work: Python keeps what it has compiled, whatever is set here."""
    before = dict(os.environ)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(path)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@contextlib.contextmanager
def peer(root: Path, against: Path | None, image: Path) -> Iterator[Side]:
    """The daemon to compare with, with the image loaded."""
    if against is not None:
        docker = DockerCli(against, folder(root / "config"))
        docker("load", "-i", str(image)).ok()
        yield Side(docker, None, None)
        return
    with Dockerd(folder(root / "theirs")) as real:
        real.docker("load", "-i", str(image)).ok()
        yield Side(real.docker, real.process.pid, real.root)


def idle_memory(theirs: Side, ours: Side, say: Callable[[str], None]) -> list[Figure]:
    """Before much else has run: of the daemon, and of what it keeps for each container, in MB."""
    samples: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    for side in (theirs, ours):
        if not side.processes():
            samples.append(((), ()))
            continue
        say("memory of a daemon, and of idle containers")
        daemon = memory.megabytes(side.processes())
        samples.append(((daemon,), (memory_of_a_container(side),)))
    (their_daemon, their_container), (our_daemon, our_container) = samples
    idle, one = "memory of the idle daemon", "memory of an idle container"
    return [
        Figure(idle, "MB", their_daemon, our_daemon, Aim(60, ratio=False)),
        Figure(one, "MB", their_container, our_container, Aim(1.5, ratio=False)),
    ]


def memory_of_a_container(side: Side) -> float:
    """By how much the engine's own memory grows for one more idle container.

    Not the PSS of a shim or a monitor alone: that counts a part of what it shares with
    the others, and which was there before it.
    """
    side.docker(*RUN).ok()  # what the first one makes the daemon load is no container's
    before = memory.megabytes(side.processes())
    ids = [box(side.docker) for _ in range(CONTAINERS)]
    try:
        keepers = memory.on_the_host(pid for id in ids for pid in memory.naming(id[:12]))
        after = memory.megabytes(side.processes() | keepers)
    finally:
        side.docker("rm", "-f", *ids).ok()
    return (after - before) / CONTAINERS


def commands(rounds: int, theirs: Side, engine: Engine, say: Callable[[str], None]) -> list[Figure]:
    """The commands that people wait for, in ms."""
    their_box, our_box = box(theirs.docker), box(engine.docker)
    try:
        cases: Mapping[str, Sequence[str]] = {
            "their run": theirs.docker.argv(*RUN),
            "our run": engine.docker.argv(*RUN),
            "own run": engine.own_argv(*RUN),
            "their exec": theirs.docker.argv("exec", their_box, "true"),
            "our exec": engine.docker.argv("exec", our_box, "true"),
        }
        environments = {
            name: theirs.docker.environment if name.startswith("their") else engine.environment
            for name in cases
        }
        samples: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}" if number else "warming up")
            for name, argv in cases.items():
                took = milliseconds(argv, environments[name])
                if number:
                    samples[name].append(took)
    finally:
        theirs.docker("rm", "-f", their_box)
        engine.docker("rm", "-f", our_box)
    run, exec_, own = "docker run --rm busybox true", "docker exec true", "our own client's run"
    taken = {name: tuple(each) for name, each in samples.items()}
    return [
        Figure(run, "ms", taken["their run"], taken["our run"], Aim(0.25, ratio=True)),
        Figure(own, "ms", taken["their run"], taken["own run"], Aim(0.4, ratio=True)),
        Figure(exec_, "ms", taken["their exec"], taken["our exec"], Aim(0.5, ratio=True)),
    ]


def box(docker: DockerCli) -> str:
    """A container that does nothing, to exec in: its id."""
    return docker("run", "-d", "--net", "none", "busybox", "sleep", "1000000").ok()


def milliseconds(argv: Sequence[str], environment: Mapping[str, str]) -> float:
    """How long the command takes from start to end.  It must succeed."""
    began = time.perf_counter()
    answer = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    took = time.perf_counter() - began
    if answer.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {answer.stderr.decode(errors='replace')}")
    return took * 1000


def ready(root: Path, both: bool, say: Callable[[str], None]) -> list[Figure]:
    """From the start of a daemon in an empty folder to its first answer, in ms."""
    theirs, ours = [], []
    for number in range(READY_ROUNDS):
        say(f"start {number + 1} of {READY_ROUNDS}")
        if both:
            with Dockerd(folder(root / f"their-start-{number}")) as real:
                theirs.append(real.ready_after * 1000)
        with Engine(folder(root / f"our-start-{number}")) as engine:
            ours.append(engine.ready_after * 1000)
    return [Figure("daemon ready", "ms", tuple(theirs), tuple(ours), Aim(500, ratio=False))]
