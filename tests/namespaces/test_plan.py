"""The order of a start, checked as a value: no kernel, no root."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from minidocker.linux.plan import Step
from minidocker.namespaces import process
from minidocker.namespaces.capabilities import DropBoundingSet, SetCapabilities
from minidocker.namespaces.mounts import BindMount, MountFilesystem, MountOverlay, PivotRoot
from minidocker.namespaces.plan import container_plan
from minidocker.namespaces.program import ExecProgram
from minidocker.namespaces.users import BecomeUser

KINDS = ("pid", "mount", "uts", "ipc", "network", "cgroup")
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    kinds = draw(st.sets(st.sampled_from(KINDS))) | {"mount"}
    caps = draw(st.lists(st.sampled_from(["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_KILL"]), unique=True))
    controllers = draw(st.sets(st.sampled_from(["cpu", "memory", "pids"])))
    return {
        "op": "container",
        "id": "f" * 64,
        "spec": {
            "process": {
                "args": ["true"],
                "env": [],
                "cwd": "/",
                "user": {"username": draw(st.sampled_from(["", "app", "1:2"]))},
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), caps),
                "terminal": draw(st.booleans()),
                "noNewPrivileges": draw(st.booleans()),
            },
            "root": {"path": "/run/rootfs", "readonly": draw(st.booleans())},
            "hostname": "box",
            "mounts": draw(st.lists(st.sampled_from(MOUNTS), unique_by=json.dumps)),
            "linux": {
                "namespaces": [{"type": kind} for kind in sorted(kinds)],
                "maskedPaths": ["/proc/keys"],
                "readonlyPaths": ["/proc/sys"],
            },
        },
        "rootfs": {"lower": ["/l/a"], "upper": "/c/upper", "work": "/c/work"},
        "seccomp": draw(st.sampled_from([None, "AAAAAAAAAAA="])),
        "cgroup_procs": [f"/sys/fs/cgroup/{each}/x/tasks" for each in sorted(controllers)],
        "init": draw(st.booleans()),
    }


def places(steps: tuple[Step, ...], *kinds: type[Step]) -> list[int]:
    return [at for at, step in enumerate(steps) if isinstance(step, kinds)]


@given(requests())
def test_after_pivot_root_nothing_is_mounted_from_the_old_root(request: dict[str, Any]) -> None:
    init = container_plan(request).init
    (pivot,) = places(init, PivotRoot)
    assert max(places(init, BindMount, MountFilesystem, MountOverlay)) < pivot


@given(requests())
def test_privileges_go_in_the_one_order_that_the_kernel_allows(request: dict[str, Any]) -> None:
    """The bounding set needs CAP_SETPCAP, the user CAP_SETUID; the program is last."""
    init = container_plan(request).init
    (bounding,), (user,), (capabilities,), (program,) = (
        places(init, kind) for kind in (DropBoundingSet, BecomeUser, SetCapabilities, ExecProgram)
    )
    assert bounding < user < capabilities < program == len(init) - 1
    assert max(places(init, PivotRoot, BindMount, process.Unshare)) < bounding


@given(requests())
def test_the_limits_hold_before_the_namespaces_are_made(request: dict[str, Any]) -> None:
    """A cgroup namespace's root is the cgroup that its maker is in (cgroup_namespaces(7))."""
    init = container_plan(request).init
    (joined,), (unshared,) = places(init, process.JoinCgroup), places(init, process.Unshare)
    assert joined < unshared


NAMES = st.text("abc", min_size=1, max_size=3)


@given(st.lists(NAMES, max_size=3), st.lists(NAMES, min_size=1, unique=True), st.lists(NAMES))
def test_paths_that_differ_in_one_part_are_said_in_one(
    before: list[str], differing: list[str], after: list[str]
) -> None:
    paths = ["/" + "/".join([*before, name, *after]) for name in differing]
    said = process.braced(paths)
    if len(paths) == 1:
        assert said == paths[0]
        return
    head, _, rest = said.partition("{")
    inside, _, tail = rest.partition("}")
    assert [head + name + tail for name in inside.split(",")] == paths


def test_paths_that_differ_elsewhere_are_said_one_by_one() -> None:
    assert process.braced(["/a/b", "/a/b/c"]) == "/a/b, /a/b/c"
    assert process.braced(["/a/b", "/c/d"]) == "/a/b, /c/d"


@given(requests())
def test_every_step_has_its_sentence_and_its_chapter(request: dict[str, Any]) -> None:
    for who, step in container_plan(request).steps():
        assert who in ("starter", "init")
        assert step.describe().strip()
        assert step.chapter
