"""Why the kernel said no, on machines that are made up in memory."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyfakefs.fake_filesystem import FakeFilesystem

from minidocker.linux.plan import Step
from minidocker.namespaces.explain import _fstype, explain
from minidocker.namespaces.mounts import BindMount, MountOverlay, PivotRoot
from minidocker.namespaces.process import (
    ChangeDirectory,
    JoinCgroup,
    JoinNamespaces,
    SetHostname,
    SetRlimit,
    Unshare,
    WriteSysctl,
)
from minidocker.namespaces.program import ExecProgram
from minidocker.namespaces.users import BecomeUser
from tests.support.need import need_program

OVERLAY = MountOverlay("/data", ("l/one", "l/two"), "c/upper", "c/work", "/run/root")
STEPS: list[Step] = [
    Unshare(("pid", "mount")),
    PivotRoot("/run/root"),
    OVERLAY,
    BindMount("/srv", "/run/root", "/data"),
    JoinCgroup(("/sys/fs/cgroup/x/cgroup.procs",)),
    WriteSysctl("net.core.somaxconn", "9"),
    SetRlimit("nofile", 1, 2),
    ChangeDirectory("/work"),
    JoinNamespaces(3, ("ipc",)),
    SetHostname("box"),
]


def error(number: int, *paths: str) -> OSError:
    return OSError(number, os.strerror(number), *paths)


def reason(step: Step, number: int) -> str:
    """What is said beyond the step and the kernel's own words."""
    said = explain(step, error(number))
    start = f"{step.describe()}: {os.strerror(number)}"
    if said == start:
        return ""
    assert said.startswith(f"{start}: ")
    return said[len(start) + 2 :] or "nothing, after a colon"


def escaped(point: str) -> str:
    """As the kernel writes a path in mountinfo (proc(5))."""
    for each in "\\ \t\n":
        point = point.replace(each, f"\\{ord(each):03o}")
    return point


def mountinfo(fs: FakeFilesystem, *mounts: tuple[str, str, str]) -> None:
    """A mount table of (mount point, optional tags, file system type)."""
    lines = [
        f"{number} 1 0:9 / {escaped(point)} rw,relatime {tags}{' ' if tags else ''}- {kind} dev rw"
        for number, (point, tags, kind) in enumerate(mounts)
    ]
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if fs.exists("/proc/self/mountinfo"):
        fs.remove_object("/proc/self/mountinfo")
    fs.create_file("/proc/self/mountinfo", contents=text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    step=st.sampled_from(STEPS),
    number=st.sampled_from(sorted(errno.errorcode)),
    paths=st.sampled_from([(), ("/a",), ("/a", None, "/b")]),
)
def test_any_error_of_any_step_is_one_sentence_that_names_it(
    fs: FakeFilesystem, step: Step, number: int, paths: tuple[str, ...]
) -> None:
    said = explain(step, error(number, *paths))
    assert said.startswith(f"{step.describe()}: {os.strerror(number)}")
    assert "\n" not in said
    if paths:
        assert f"({' -> '.join(path for path in paths if path)})" in said


@pytest.mark.parametrize("step", [ExecProgram(("it",), ()), BecomeUser("app")])
def test_a_sentence_that_is_dockers_stays_as_it_is(step: Step) -> None:
    assert explain(step, OSError(errno.ENOENT, 'exec: "it": not found')) == 'exec: "it": not found'


APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
SYSCTL = "/proc/sys/kernel/unprivileged_userns_clone"


@pytest.mark.parametrize(
    ("path", "content", "uid", "wanted"),
    [
        (
            APPARMOR,
            "1",
            1000,
            f"AppArmor restricts user namespaces of ordinary users; see {APPARMOR}",
        ),
        (SYSCTL, "0", 1000, f"the sysctl forbids user namespaces of ordinary users; see {SYSCTL}"),
        (APPARMOR, "0", 1000, "CAP_SYS_ADMIN is missing; run the daemon as root"),
        (SYSCTL, "1", 1000, "CAP_SYS_ADMIN is missing; run the daemon as root"),
        (APPARMOR, "1", 0, "CAP_SYS_ADMIN is missing; run the daemon as root"),
    ],
)
def test_who_forbids_namespaces_is_looked_up(
    fs: FakeFilesystem,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    content: str,
    uid: int,
    wanted: str,
) -> None:
    fs.create_file(path, contents=f"{content}\n")
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert reason(Unshare(("user",)), errno.EPERM) == wanted


def test_a_root_that_is_no_mount_point_is_told_before_all_else(fs: FakeFilesystem) -> None:
    fs.create_dir("/run/root")
    mountinfo(fs, ("/", "shared:1", "ext4"))
    assert reason(PivotRoot("/run/root"), errno.EINVAL) == "the new root is not a mount point"


@pytest.mark.parametrize("root", ["/run/root", "/run/a root", "/run/é\u3000\\\t"])
@pytest.mark.parametrize("shared", ["/", "the root"])
def test_the_mount_that_is_shared_is_named(fs: FakeFilesystem, root: str, shared: str) -> None:
    fs.add_mount_point(root)
    point = "/" if shared == "/" else root
    tags = {"/": "master:3", root: "", point: "shared:7 master:3"}
    mountinfo(fs, *((place, tag, "ext4") for place, tag in tags.items()), ("/x", "shared:8", "xfs"))
    assert reason(PivotRoot(root), errno.EINVAL) == (
        f'the mount "{point}" is shared; it must be private or slave first'
    )


def test_an_initramfs_is_told(fs: FakeFilesystem) -> None:
    fs.add_mount_point("/run/root")
    line = "1 1 0:2 / / rw - rootfs rootfs rw,size=100k\n"
    fs.create_file("/proc/self/mountinfo", contents=line)
    assert "initramfs" in reason(PivotRoot("/run/root"), errno.EINVAL)


def test_where_nothing_is_to_be_seen_nothing_is_guessed(fs: FakeFilesystem) -> None:
    fs.add_mount_point("/run/root")
    mountinfo(fs, ("/", "master:1", "ext4"), ("/run/root", "", "overlay"))
    assert reason(PivotRoot("/run/root"), errno.EINVAL) == ""
    assert reason(PivotRoot("/run/root"), errno.EBUSY) == ""
    assert reason(SetHostname("box"), errno.EPERM) == ""


@pytest.fixture
def layers(fs: FakeFilesystem) -> None:
    """The directories of ``OVERLAY``."""
    for name in ("c/upper", "c/work", "l/one", "l/two"):
        fs.create_dir(f"/data/{name}")


@pytest.mark.parametrize("name", ["c/upper", "c/work", "l/one", "l/two"])
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EINVAL])
@pytest.mark.usefixtures("layers")
def test_the_layer_that_is_missing_is_named(fs: FakeFilesystem, name: str, number: int) -> None:
    fs.remove_object(f"/data/{name}")
    assert reason(OVERLAY, number) == f"the directory /data/{name} is missing"


@pytest.mark.usefixtures("layers")
def test_the_upper_layer_of_an_overlay_is_no_overlay(fs: FakeFilesystem) -> None:
    mountinfo(fs, ("/", "", "ext4"), ("/data", "", "overlay"))
    assert "data root is itself on overlayfs" in reason(OVERLAY, errno.EINVAL)
    mountinfo(fs, ("/", "", "overlay"), ("/data", "", "ext4"), ("/dat", "", "overlay"))
    assert reason(OVERLAY, errno.EINVAL) == ""
    assert "another container" in reason(OVERLAY, errno.EBUSY)
    assert "modprobe overlay" in reason(OVERLAY, errno.ENODEV)


@pytest.mark.usefixtures("layers")
def test_too_many_layers_are_counted() -> None:
    many = MountOverlay("/data", ("l/one",) * 1000, "c/upper", "c/work", "/run/root")
    assert reason(many, errno.EINVAL) == (
        "the options are longer than a page: 1000 layers are too many"
    )


def test_a_source_that_does_not_exist_is_named(fs: FakeFilesystem) -> None:
    bind = BindMount("/srv", "/run/root", "/data")
    assert reason(bind, errno.ENOENT) == "the source /srv does not exist"
    fs.create_dir("/srv")
    assert reason(bind, errno.ENOENT) == ""


@pytest.mark.parametrize(
    ("step", "number", "word"),
    [
        (Unshare(("pid",)), errno.ENOSPC, "max_*_namespaces"),
        (Unshare(("pid",)), errno.EINVAL, "built without"),
        (STEPS[3], errno.ENOTDIR, "on a file"),
        (STEPS[3], errno.EPERM, "locked"),
        (STEPS[4], errno.ENOENT, "removed"),
        (STEPS[4], errno.EBUSY, "children"),
        (STEPS[4], errno.ENOSPC, "no cpus"),
        (STEPS[4], errno.EAGAIN, "pids limit"),
        (STEPS[5], errno.ENOENT, "no setting net.core.somaxconn"),
        (STEPS[5], errno.EACCES, "own namespaces"),
        (STEPS[6], errno.EPERM, "CAP_SYS_RESOURCE"),
        (STEPS[7], errno.ENOTDIR, "/work is not a directory"),
        (STEPS[8], errno.ESRCH, "has ended"),
    ],
)
def test_what_the_number_alone_says_is_said(
    fs: FakeFilesystem, step: Step, number: int, word: str
) -> None:
    assert word in reason(step, number)


names = st.text(
    st.sampled_from(["a", "b", " ", "\t", "\\", "é", "\u3000", "\r", "\udcff"]), max_size=3
)
points = st.sampled_from(["/a", "/ab", "/a b", "/ab/a"]) | st.lists(
    names.filter(bool), max_size=3
).map(lambda parts: "/" + "/".join(parts))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(mounts=st.lists(points, max_size=5), path=points)
def test_a_path_is_on_the_deepest_mount_above_it_and_of_two_on_the_last(
    fs: FakeFilesystem, mounts: list[str], path: str
) -> None:
    mounts = ["/", *mounts]
    mountinfo(fs, *((point, "shared:1", f"fs{at}") for at, point in enumerate(mounts)))
    last = {point: f"fs{at}" for at, point in enumerate(mounts)}
    here = PurePosixPath(path)
    above = [last[str(place)] for place in (here, *here.parents) if str(place) in last]
    assert _fstype(path) == above[0]


def test_the_file_system_is_the_one_that_findmnt_finds() -> None:
    findmnt = need_program("findmnt", package="util-linux")
    for path in ("/", "/proc/self", "/dev/null", "/sys", "/tmp", str(Path.cwd())):
        command = [findmnt, "--noheadings", "--output", "FSTYPE", "--target", path]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert _fstype(path) == told.split()[-1], path
