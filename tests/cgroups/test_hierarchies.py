"""Which cgroup trees are mounted, from /proc/self/mounts; and the kernel's lists of CPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.cgroups import detect
from minidocker.cgroups.hierarchies import Hierarchies, parse_mounts
from minidocker.cgroups.machine import HIGHEST_CPU, format_list, parse_list
from minidocker.cgroups.v1 import V1
from minidocker.cgroups.v2 import V2
from minidocker.errors import SystemFailure

ROOT = "/sys/fs/cgroup"
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"
HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,size=4096k,nr_inodes=1024,mode=755 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,nodev,noexec,relatime,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0
cgroup /mnt/elsewhere cgroup rw,relatime,pids 0 0
"""


def test_v2_is_one_tree() -> None:
    assert parse_mounts(UNIFIED, ROOT) == Hierarchies({}, ROOT)


def test_hybrid_has_a_tree_a_controller_and_v2_beside() -> None:
    found = parse_mounts(HYBRID, ROOT)
    assert found.unified == f"{ROOT}/unified"
    assert found.v1 == {
        "name=systemd": f"{ROOT}/systemd",
        "cpu": f"{ROOT}/cpu,cpuacct",
        "cpuacct": f"{ROOT}/cpu,cpuacct",
        "memory": f"{ROOT}/memory",
    }


def test_of_two_mounts_of_a_tree_the_first_counts() -> None:
    again = UNIFIED + UNIFIED.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/again ")
    assert parse_mounts(again, ROOT).unified == ROOT


def test_a_mount_beside_the_root_is_another_tree() -> None:
    assert parse_mounts("cgroup2 /sys/fs/cgroup-old cgroup2 rw 0 0\n", ROOT) == Hierarchies()


@given(st.text("abc \t\\/é", min_size=1))
def test_a_strange_path_is_unescaped(name: str) -> None:
    escaped = "".join(f"\\{ord(each):03o}" if each in " \t\n\\" else each for each in name)
    text = f"none /x/{escaped} cgroup2 rw 0 0\n"
    assert parse_mounts(text, "/x").unified == f"/x/{name}"


@given(st.text())
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    parse_mounts(text, ROOT)


def test_trees_that_share_a_mount_are_one_place_to_join(tmp_path: Path) -> None:
    trees = {"cpu": "/t/cpu", "cpuacct": "/t/cpu", "memory": "/t/memory"}
    assert V1(trees, "/t/unified").open("a/b").procs_files() == [
        "/t/cpu/a/b/tasks",
        "/t/memory/a/b/tasks",
        "/t/unified/a/b/cgroup.procs",
    ]


def test_detect_takes_v1_where_it_has_a_controller(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(HYBRID)
    driver = detect(Path(ROOT), mounts)
    assert isinstance(driver, V1)
    assert driver.name == "v1"
    assert driver.unified == f"{ROOT}/unified"


def test_detect_leaves_v2_out_where_v1_can_freeze_and_keep_devices(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    more = "".join(
        f"cgroup {ROOT}/{name} cgroup rw,{name} 0 0\n" for name in ("freezer", "devices")
    )
    mounts.write_text(HYBRID + more)
    driver = detect(Path(ROOT), mounts)
    assert isinstance(driver, V1)
    assert driver.unified is None


def test_detect_takes_v2_where_v1_has_only_names(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma\n")
    mounts.write_text(
        f"cgroup2 {tmp_path} cgroup2 rw 0 0\ncgroup {tmp_path}/systemd cgroup rw,name=systemd 0 0\n"
    )
    driver = detect(tmp_path, mounts)
    assert isinstance(driver, V2)
    assert (driver.name, driver.root) == ("v2", str(tmp_path))
    assert set(driver.controllers) == {"cpuset", "cpu", "io", "memory", "pids"}


def test_no_cgroups_at_all_says_how_to_mount_them(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\n")
    with pytest.raises(SystemFailure, match="mount it with: mount -t cgroup2 none /sys/fs/cgroup"):
        detect(Path(ROOT), mounts)


def test_no_proc_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="is /proc mounted"):
        detect(Path(ROOT), tmp_path / "nowhere")


# Lists of CPUs


@given(st.frozensets(st.integers(0, HIGHEST_CPU), max_size=40))
def test_a_list_is_read_back(numbers: frozenset[int]) -> None:
    assert parse_list(format_list(numbers)) == numbers


@given(st.frozensets(st.integers(0, 20)))
def test_the_list_is_the_shortest(numbers: frozenset[int]) -> None:
    text = format_list(numbers)
    runs = sum(1 for each in numbers if each - 1 not in numbers)
    assert len(text.split(",")) == max(runs, 1)


@pytest.mark.parametrize("text", ["-", "1-", "a", "1,,2", ",", "2-1", " 1", "²", "0x1", "1-2-3"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid format"):
        parse_list(text)


def test_a_huge_range_is_refused_and_not_counted_out() -> None:
    with pytest.raises(ValueError, match="maximum is 8192"):
        parse_list("0-99999999999999")
