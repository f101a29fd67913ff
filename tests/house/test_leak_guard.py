"""The leak guard has teeth: each kind of thing, left behind, is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.leaks import Machine, settle
from tests.support.need import need_program, need_root


def leaks(before: Machine, marks: tuple[str, ...]) -> list[str]:
    return settle(before, lambda: Machine.look(marks), patience=0.3)


def test_an_open_descriptor_is_named(tmp_path: Path) -> None:
    before = Machine.look(())
    with open(tmp_path / "left", "w"):
        assert any("left" in leak for leak in leaks(before, ()))
    assert leaks(before, ()) == []


def test_a_child_process_is_named() -> None:
    before = Machine.look(())
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        assert any(leak.startswith(f"processes: {child.pid} ") for leak in leaks(before, ()))
        assert child.stdin is not None
        child.stdin.close()
    assert leaks(before, ()) == []


def test_an_adopted_process_is_found_by_a_mark_on_its_command_line(tmp_path: Path) -> None:
    marks = (str(tmp_path),)
    before = Machine.look(marks)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # The shell ends at once, so that its child belongs to somebody else.
    subprocess.run(["sh", "-c", f"cat '{fifo}' >/dev/null &"], check=True)
    found: list[str] = []
    for _ in range(50):  # for a moment between fork and execve it has no command line
        found = leaks(before, marks)
        if any(str(fifo) in leak for leak in found):
            break
    with open(fifo, "w"):
        assert any("processes: " in leak and str(fifo) in leak for leak in found)
    assert leaks(before, marks) == []


@pytest.mark.kernel
def test_a_mount_a_cgroup_a_veth_and_a_network_namespace_are_named(tmp_path: Path) -> None:
    need_root()
    ip = need_program("ip", package="iproute2")
    marks = (str(tmp_path),)
    before = Machine.look(marks)
    root = Path("/sys/fs/cgroup")  # a v2 tree, or the folder of the v1 ones
    hierarchy = next(path for path in (root, *root.iterdir()) if (path / "cgroup.procs").exists())
    cgroup = hierarchy / "minidocker-guard" / "left"
    make = (
        f"mount -t tmpfs guard {tmp_path}",
        f"mkdir -p {cgroup}",
        f"{ip} link add vethguard0 type veth peer name vethguard1",
        "mkdir -p /run/netns/mdguard",
    )
    undo = (
        f"umount {tmp_path}",
        f"rmdir {cgroup} {cgroup.parent}",
        f"{ip} link delete vethguard0",
        "rmdir -p --ignore-fail-on-non-empty /run/netns/mdguard",
    )
    try:
        for command in make:
            subprocess.run(command.split(), check=True)
        found = leaks(before, marks)
    finally:
        for command in undo:
            subprocess.run(command.split(), check=False)
    for name in (f"mounts: {tmp_path} ", f"cgroups: {cgroup}", "veths: vethguard0", "netns: "):
        assert any(leak.startswith(name) for leak in found), (name, found)
    assert leaks(before, marks) == []
