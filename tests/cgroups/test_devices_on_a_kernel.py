"""Device rules asked of the kernel: for any rules, it answers as ``allowed`` does.

The nodes are of majors that Linux leaves to experiments (240 and 241): no driver
answers, so that an open that is allowed fails with ENXIO, and one that is not
with EPERM.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.cgroups import DeviceRule, Driver, Resources, bpf
from minidocker.cgroups.devices import allowed, lines_for
from minidocker.errors import Refused
from tests.cgroups.children import children
from tests.cgroups.groups import group
from tests.support.need import need_root

pytestmark = pytest.mark.kernel

MAJORS, MINORS = (240, 241), (0, 1)
FLAGS = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}

rules_of_nodes = st.lists(
    st.builds(DeviceRule, st.booleans(), st.just("a"))
    | st.builds(
        DeviceRule,
        st.booleans(),
        st.sampled_from("bc"),
        st.none() | st.sampled_from(MAJORS),
        st.none() | st.sampled_from(MINORS),
        st.sampled_from(["r", "w", "rw", "rwm"]),
    ),
    max_size=4,
).map(tuple)


@dataclass(frozen=True)
class Probe:
    """Open each node in each way; returns the errno of each, 0 for success."""

    folder: str

    def __call__(self) -> list[int]:
        return [self.attempt(*each) for each in questions()]

    def attempt(self, kind: str, major: int, minor: int, how: str) -> int:
        try:
            os.close(os.open(f"{self.folder}/{kind}-{major}-{minor}", FLAGS[how]))
        except OSError as error:
            return error.errno or 0
        return 0


def questions() -> Iterator[tuple[str, int, int, str]]:
    return itertools.product("bc", MAJORS, MINORS, FLAGS)


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    need_root()
    for kind, major, minor in itertools.product("bc", MAJORS, MINORS):
        form = stat.S_IFBLK if kind == "b" else stat.S_IFCHR
        path = tmp_path / f"{kind}-{major}-{minor}"
        os.mknod(path, form | 0o600, os.makedev(major, minor))
    return tmp_path


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rules=rules_of_nodes)
def test_the_kernel_answers_as_the_rules_say(
    driver: Driver, nodes: Path, rules: Sequence[DeviceRule]
) -> None:
    if driver.name == "v1":
        try:
            lines_for(rules)
        except Refused:
            return
    with children() as (child,), group(driver, Resources(devices=tuple(rules))) as cgroup:
        answers = child.join(cgroup).run(Probe(str(nodes)))
    for question, answer in zip(questions(), answers, strict=True):
        kind, major, minor, how = question
        # v1 wants one exception for all that is asked at once, so two halves are no whole.
        if driver.name == "v1" and how == "rw":
            continue
        expected = errno.ENXIO if allowed(rules, kind, major, minor, how) else errno.EPERM
        assert answer == expected, (question, rules)


def test_what_the_verifier_refuses_is_said_in_its_words() -> None:
    need_root()
    with pytest.raises(OSError, match="R0 !read_ok") as caught:
        bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, [bpf.leave()], "nothing")
    assert caught.value.errno == errno.EACCES


def test_a_program_is_held_by_its_descriptor() -> None:
    need_root()
    os.close(bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, [bpf.move_immediate(0, 1), bpf.leave()], "yes"))
