"""The steps as values; what counts as kept; files and directories, on an ordinary file system."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups import DeviceRule, Resources, files
from minidocker.cgroups.steps import (
    UNLIMITED,
    EnableControllers,
    MakeCgroup,
    MoveToLeaf,
    WriteCgroupFile,
    clean_path,
    kept,
    levels,
)
from minidocker.cgroups.v1 import V1
from minidocker.cgroups.v2 import V2
from minidocker.cgroups.waiting import wait_until
from minidocker.errors import InvalidParameter, Refused, SystemFailure
from minidocker.linux.plan import describe

PATHS = st.lists(st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1))


@pytest.mark.parametrize(
    ("name", "asked", "text", "same"),
    [
        ("memory.max", "6291556", "6291456\n", True),  # whole pages
        ("memory.max", "6291456", "6295552\n", False),
        ("memory.max", "max", "max\n", True),
        ("memory.limit_in_bytes", "-1", f"{UNLIMITED}\n", True),
        ("memory.limit_in_bytes", str(1 << 70), f"{UNLIMITED}\n", True),
        ("memory.kmem.limit_in_bytes", "6291456", f"{UNLIMITED}\n", False),
        ("memory.oom_control", "1", "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n", True),
        ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", False),
        ("cpuset.cpus", "0,1,2", "0-2\n", True),
        ("cpuset.cpus", "0,1,2", "0-1\n", False),
        ("cpuset.cpus", "0", "\n", False),
        ("cpu.max", "50000 100000", "50000 100000\n", True),
        ("cpu.max", "max 100000", "50000 100000\n", False),
        ("io.weight", "500", "default 500\n8:0 100\n", True),
        ("io.weight", "500", "default 100\n", False),
        ("io.weight", "500", "", False),
        ("io.max", "8:0 rbps=1024", "8:0 rbps=1024 wbps=max riops=max wiops=max\n", True),
        ("io.max", "8:0 rbps=1024", "8:16 rbps=1024 wbps=max riops=max wiops=max\n", False),
        ("io.max", "8:0 rbps=1024", "", False),
        ("blkio.throttle.read_bps_device", "8:0 1024", "8:16 1\n8:0 1024\n", True),
        ("pids.max", "max", "max\n", True),
        ("pids.max", "10", "max\n", False),
    ],
)
def test_kept_knows_how_the_kernel_rounds_and_spells(
    name: str, asked: str, text: str, same: bool
) -> None:
    assert kept(name, asked, text) is same


# Paths


@given(PATHS)
def test_a_path_stays_below_the_root(parts: list[str]) -> None:
    text = "/".join(parts)
    try:
        path = clean_path(text)
    except InvalidParameter:
        assert ".." in parts or not [each for each in parts if each != "."]
        return
    assert path == clean_path(f"/{path}/")
    assert ".." not in path.split("/")


@given(PATHS.filter(bool))
def test_levels_go_down_one_by_one(parts: list[str]) -> None:
    found = levels("/".join(parts))
    assert found[-1] == "/".join(parts)
    assert [each.count("/") for each in found] == list(range(len(parts)))


# Plans


TREES = {"cpuset": "/c/cpuset", "memory": "/c/memory", "devices": "/c/devices"}
LIMITED = Resources(memory=1 << 26, memory_swap=1 << 27, devices=(DeviceRule(False),))


def test_a_v1_plan_makes_the_groups_then_the_cpuset_then_limits_then_devices() -> None:
    steps = V1(TREES, "/c/unified").plan("minidocker/abc", LIMITED)
    assert [type(each).__name__ for each in steps] == [
        *["MakeCgroup"] * 4,
        "InheritCpuset",
        *["WriteCgroupFile"] * 2,
        "AllowDevices",
    ]
    assert all(step.chapter == "cgroups" for step in steps)
    assert describe(steps)[5] == (
        "Set a limit and read it back: "
        'write("/c/memory/minidocker/abc/memory.limit_in_bytes", "67108864")'
    )


def test_v1_without_its_device_controller_uses_the_program_of_v2() -> None:
    steps = V1({"memory": "/c/memory"}, "/c/unified").plan("a/b", LIMITED)
    assert 'bpf(BPF_PROG_ATTACH, "/c/unified/a/b"' in steps[-1].describe()


def test_v1_without_a_controller_says_how_to_mount_it() -> None:
    with pytest.raises(SystemFailure, match="mount -t cgroup -o pids none /sys/fs/cgroup/pids"):
        V1(TREES).plan("a/b", Resources(pids_limit=5))


def test_a_v1_plan_refuses_what_its_lists_cannot_say_before_anything_is_made() -> None:
    hole = (DeviceRule(False), DeviceRule(True, "c", 1), DeviceRule(False, "c", 1, 3))
    with pytest.raises(Refused):
        V1(TREES).plan("a/b", Resources(devices=hole))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a v2 root looks like to those who only read names and texts."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return tmp_path


def test_a_v2_plan_passes_controllers_on_from_the_root_down(tree: Path) -> None:
    steps = V2(tree).plan("minidocker/abc", LIMITED)
    assert steps[:3] == [
        MakeCgroup(f"{tree}/minidocker/abc"),
        EnableControllers(f"{tree}", ("cpuset", "cpu", "io", "memory", "pids")),
        EnableControllers(f"{tree}/minidocker", ("cpuset", "cpu", "io", "memory", "pids")),
    ]
    assert [type(each).__name__ for each in steps[3:]] == [
        "WriteCgroupFile",
        "WriteCgroupFile",
        "AttachDeviceProgram",
    ]


def test_in_a_delegated_tree_whoever_is_at_its_top_moves_to_a_leaf_first(tree: Path) -> None:
    (tree / "cgroup.type").write_text("domain\n")
    steps = V2(tree).plan("minidocker/abc", Resources())
    assert steps[1] == MoveToLeaf(str(tree), f"{tree}/init")


@pytest.mark.parametrize("path", ["..", "/", "", "a/../..", "."])
def test_no_plan_for_a_path_outside_the_tree(tree: Path, path: str) -> None:
    for driver in (V1(TREES), V2(tree)):
        with pytest.raises(InvalidParameter, match="invalid cgroup path"):
            driver.plan(path, Resources())
        with pytest.raises(InvalidParameter, match="invalid cgroup path"):
            driver.open(path)


def test_a_plan_touches_nothing(tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    V2(tree).plan("minidocker/abc", LIMITED)
    assert sorted(tree.rglob("*")) == before


# Files


def test_a_limit_that_is_not_kept_fails_and_names_the_file(tmp_path: Path) -> None:
    null = tmp_path / "pids.max"
    null.symlink_to("/dev/null")
    with pytest.raises(OSError, match="did not keep '5', it has ''") as caught:
        WriteCgroupFile(str(null), "5").execute()
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(null))


def test_a_failed_write_names_the_file(tmp_path: Path) -> None:
    full = tmp_path / "memory.max"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(str(full), "5")
    assert caught.value.filename == str(full)


def test_a_file_that_is_not_there_reads_as_nothing(tmp_path: Path) -> None:
    assert files.read_if_there(str(tmp_path / "memory.peak")) == ""
    with pytest.raises(FileNotFoundError):
        files.read(str(tmp_path / "memory.peak"))


def test_a_tree_is_listed_from_the_leaves_up_and_all_its_processes_found(tmp_path: Path) -> None:
    for name, text in (("", "1\n"), ("a", "2\n3\n"), ("a/b", "4\n"), ("c", "")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cgroup.procs").write_text(text)
    found = files.tree(str(tmp_path))
    assert found[-1] == str(tmp_path)
    assert found.index(f"{tmp_path}/a/b") < found.index(f"{tmp_path}/a")
    assert sorted(files.pids(str(tmp_path))) == [1, 2, 3, 4]


def test_what_is_not_there_has_no_children_and_is_removed_already(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert files.children(gone) == []
    assert files.pids(gone) == []
    files.remove_tree(gone)
    files.remove_empty([gone])


def test_waiting_ends_with_the_event_or_with_time() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 5)
    assert not wait_until(lambda: False, 0.01)
