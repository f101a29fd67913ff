"""Reading the probe: what differs in any two runs is taken away, all else stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.probe import differences, read

ROOT = Path("/tmp/somewhere")
said = st.dictionaries(st.text("abc", min_size=1), st.text("xyz "), max_size=5)


def one(key: str, value: str) -> str:
    return read(f"{key}\t{value}", ROOT)[key]


def test_a_line_is_a_key_and_a_value() -> None:
    assert read("umask\t0022\nempty\t\n", ROOT) == {"umask": "0022", "empty": ""}
    with pytest.raises(AssertionError, match="sh: oops"):
        read("sh: oops", ROOT)


def test_a_second_mount_on_one_point_is_kept() -> None:
    lines = "mount./a\t/ rw,relatime - tmpfs a rw\nmount./a\t/ ro,relatime - tmpfs b ro\n"
    assert read(lines, ROOT).keys() == {"mount./a", "mount./a'"}


def test_ids_folders_and_cgroup_parents_are_the_runs_own() -> None:
    assert one("hostname", "0123456789ab") == "<hex>"
    assert one("x", f"{ROOT}/data") == "<root>/data"
    theirs = one("process.cgroup", f"cpu:/dockerd-test-77/{'a' * 64}")
    assert theirs == one("process.cgroup", f"cpu:/minidocker/{'b' * 64}")


def test_a_mount_keeps_kind_options_and_propagation() -> None:
    line = "/docker/x/hosts ro,relatime master:31 - ext4 /dev/sda1 rw,size=5k"
    assert one("mount./etc/hosts", line) == (
        "ext4 /dev/sda1 ro,relatime master:N root=/…/hosts super=rw,size=5k"
    )
    overlay = "/ rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d,index=off"
    assert one("mount./", overlay) == (
        "overlay overlay rw,relatime root=/ super=rw,lowerdir=…,upperdir=…,workdir=…,index=off"
    )


def test_a_namespace_is_the_hosts_or_its_own() -> None:
    assert one("ns.uts", os.readlink("/proc/self/ns/uts")) == "the host's"
    assert one("ns.uts", "uts:[1]") == "its own"


def test_a_reason_is_kept_and_what_was_tried_is_not() -> None:
    assert one("try.mount", "mount: mounting a on /b failed: Permission denied") == (
        "Permission denied"
    )


@given(said, said)
def test_differences_are_those_of_the_values(theirs: dict[str, str], ours: dict[str, str]) -> None:
    found = differences(theirs, ours)
    assert differences(theirs, theirs) == {}
    assert found.keys() == {
        key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key)
    }
