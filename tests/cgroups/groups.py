"""Cgroups for tests: the drivers of this machine, and groups that go away again."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.cgroups import Cgroup, Driver, Resources, detect, files
from minidocker.cgroups.hierarchies import Hierarchies, parse_mounts
from minidocker.cgroups.v1 import V1, V1Cgroup
from minidocker.cgroups.v2 import V2Cgroup
from minidocker.errors import SystemFailure
from minidocker.linux.plan import perform
from tests.support.need import missing

PARENT = "minidocker-tests"


def here() -> list[str]:
    """The drivers that can be had on this machine: which it is decides the tests' names.

    Where v2 is mounted beside v1, v1 is tried with it and alone, whichever of
    the two the engine would choose.
    """
    try:
        driver = detect()
    except SystemFailure:
        return ["none"]
    if not isinstance(driver, V1):
        return ["v2"]
    return ["v1-alone", "v1-hybrid"] if mounted().unified else ["v1-alone"]


def mounted() -> Hierarchies:
    return parse_mounts(Path("/proc/self/mounts").read_text(), "/sys/fs/cgroup")


def open_driver(name: str) -> Driver:
    """The driver ``name``, one of ``here()``."""
    if name == "none":
        missing("this test needs a cgroup file system: mount -t cgroup2 none /sys/fs/cgroup")
    if name == "v2":
        return detect()
    return V1(mounted().v1, mounted().unified if name == "v1-hybrid" else None)


def new_path() -> str:
    return f"{PARENT}/{secrets.token_hex(8)}"


@contextlib.contextmanager
def group(
    driver: Driver, resources: Resources | None = None, *, path: str | None = None
) -> Iterator[Cgroup]:
    """A group with these limits, made by the plan; at the end it is killed and removed."""
    path = path or new_path()
    cgroup = driver.open(path)
    try:
        perform(driver.plan(path, resources or Resources()))
        yield cgroup
    finally:
        cgroup.kill()
        cgroup.remove()
        driver.tidy(PARENT)


def text(cgroup: Cgroup, v1: str, v2: str) -> str:
    """What the kernel says in the file ``v1`` or ``v2``, whichever this is."""
    if isinstance(cgroup, V2Cgroup):
        return files.read(f"{cgroup.directory}/{v2}").strip()
    assert isinstance(cgroup, V1Cgroup)
    return files.read(f"{cgroup.by_controller[v1.partition('.')[0]]}/{v1}").strip()


def directories(cgroup: Cgroup) -> list[Path]:
    return [Path(file).parent for file in cgroup.procs_files()]


def need_field(driver: Driver, field: str) -> None:
    """Leave the test where this kernel has no file for ``field``: nothing could be installed."""
    if field not in driver.machine().supports:
        pytest.skip(f"the kernel has no file for {field} in cgroup {driver.name}")


def block_device() -> tuple[int, int]:
    """The numbers of some disk, of which only limits are spoken."""
    disks = sorted(Path("/sys/block").iterdir())
    if not disks:
        missing("this test needs a block device: modprobe loop")
    major, minor = map(int, (disks[-1] / "dev").read_text().split(":"))
    return major, minor
