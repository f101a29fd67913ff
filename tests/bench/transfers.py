"""Copies, loads, saves, commits and pulls: many files, and big ones.

Every command is the user's own; what must be there before it is not timed.  Each round has
files and images of its own, and trees stay until the end: ext4 gives the inodes of files that
have just been removed to nobody, but looks at each of them for every new file, which would
be most of what is measured here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench import sample
from tests.bench.figures import Aim, Figure
from tests.bench.streams import milliseconds
from tests.support.cli import DockerCli
from tests.support.need import need_program

ROUNDS = 3  # of each; dockerd needs seconds for one
MANY, BIG = 3000, 150_000_000  # files; bytes

AIMS: Mapping[str, float] = {
    "docker cp of 3000 files, in": 1.0,
    "docker cp of 3000 files, out": 1.0,
    "docker cp of 150 MB, in": 1.0,
    "docker cp of 150 MB, out": 1.0,
    "docker load of 180 MB": 0.7,
    "docker save of 180 MB": 1.0,
    "docker commit of 180 MB": 1.0,
    "docker pull of 180 MB": 0.5,
}
"""Figure -> the part of dockerd's time that it may take.  The 180 MB are five layers of
10,200 files together; committed they are one."""

Samples = dict[str, tuple[list[float], list[float]]]


@dataclass(frozen=True)
class Goods:
    """What is moved in a round: a folder of ``many`` files, a ``big`` one, the archive of an
    ``image``, another one in a registry (``remote``), and the files of a third as a tar."""

    many: Path
    big: Path
    image: str
    archive: Path
    remote: str
    content: Path


def goods(root: Path, registry: str, number: int) -> Goods:
    """Make them.  ``registry``: "http://HOST:PORT" of one that listens on loopback."""
    root.mkdir()
    names = [f"sample-{number}:loaded", f"sample-{number}:pulled"]
    seeds = [[100 * number + 10 * use + layer for layer in range(5)] for use in range(3)]
    archives = [root / "loaded.tar", root / "pulled.tar"]
    for name, path, each in zip(names, archives, seeds, strict=False):
        sample.image(path, name, each)
    remote = f"{registry.removeprefix('http://')}/{names[1]}"
    push = ("copy", "--quiet", "--dest-tls-verify=false", f"docker-archive:{archives[1]}")
    subprocess.run([need_program("skopeo"), *push, f"docker://{remote}"], check=True)
    archives[1].unlink()
    content, big = root / "content.tar", root / "big"
    content.write_bytes(sample.layer(*seeds[2]))
    big.write_bytes(sample.digits(BIG, number))
    many = sample.write_folder(root / "many", MANY)
    return Goods(many, big, names[0], archives[0], remote, content)


def figures(
    theirs: DockerCli, ours: DockerCli, root: Path, registry: str, say: Callable[[str], None]
) -> list[Figure]:
    """In ms; each command to one engine, then to the other."""
    samples: Samples = {name: ([], []) for name in AIMS}
    for number in range(ROUNDS):
        say(f"transfers, {number + 1} of {ROUNDS}")
        moved = goods(root / f"goods-{number}", registry, number)
        for side, docker in enumerate((theirs, ours)):
            place = root / f"copied-{number}-{side}"
            place.mkdir()
            taken = {**copies(docker, moved, place, f"box-{number}"), **images(docker, moved)}
            for name, took in taken.items():
                samples[name][side].append(took)
        for file in (moved.archive, moved.content, moved.big):
            file.unlink()
    return [
        Figure(name, "ms", tuple(samples[name][0]), tuple(samples[name][1]), Aim(limit, ratio=True))
        for name, limit in AIMS.items()
    ]


def copies(docker: DockerCli, moved: Goods, place: Path, box: str) -> dict[str, float]:
    """Into a container that runs, and out of it to ``place``."""
    docker("run", "-d", "--name", box, "--net", "none", "busybox", "sleep", "1000000").ok()
    taken = {}
    for what, source in (("3000 files", moved.many), ("150 MB", moved.big)):
        inside = f"{box}:/{source.name}"
        taken[f"docker cp of {what}, in"] = settled(docker, "cp", str(source), inside)
        taken[f"docker cp of {what}, out"] = settled(docker, "cp", inside, str(place))
    docker("kill", box).ok()
    return taken


def images(docker: DockerCli, moved: Goods) -> dict[str, float]:
    """Loaded, saved, committed, pulled."""
    load = settled(docker, "load", "-i", str(moved.archive))
    save = settled(docker, "save", moved.image)
    box = docker("create", "busybox").ok()
    with open(moved.content, "rb") as content:
        into = docker.argv("cp", "-", f"{box}:/")
        subprocess.run(into, env=docker.environment, stdin=content, check=True)
    commit = settled(docker, "commit", box)
    pull = settled(docker, "pull", moved.remote)
    return {
        "docker load of 180 MB": load,
        "docker save of 180 MB": save,
        "docker commit of 180 MB": commit,
        "docker pull of 180 MB": pull,
    }


def settled(docker: DockerCli, *args: str) -> float:
    """How long the command takes when nothing that came before is still to be written."""
    os.sync()
    return milliseconds(docker, *args)
