"""Cgroups for tests: the drivers of this machine, and groups that go away again."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.cgroups import Cgroup, Driver, Resources, detect, files
from minidocker.cgroups.v1 import V1, V1Cgroup
from minidocker.cgroups.v2 import V2Cgroup
from minidocker.errors import SystemFailure
from minidocker.linux.plan import perform
from tests.support.need import missing

PARENT = "minidocker-tests"


def here() -> list[str]:
    """The drivers that can be had on this machine: which it is decides the tests' names.

    On a hybrid machine v1 is tried without v2 as well, as old machines are.
    """
    try:
        driver = detect()
    except SystemFailure:
        return ["none"]
    if isinstance(driver, V1):
        return ["v1", "v1-alone"] if driver.unified else ["v1-alone"]
    return ["v2"]


def open_driver(name: str) -> Driver:
    """The driver ``name``, one of ``here()``."""
    if name == "none":
        missing("this test needs a cgroup file system: mount -t cgroup2 none /sys/fs/cgroup")
    driver = detect()
    return V1(driver.trees) if name == "v1-alone" and isinstance(driver, V1) else driver


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
