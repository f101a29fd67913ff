"""What a bind mount may ask of its source's mount."""

from __future__ import annotations

import pytest

from minidocker.containers.mounts import check_mounts
from minidocker.containers.propagation import check_propagation
from minidocker.containers.spec import Mount
from minidocker.errors import InvalidParameter
from minidocker.linux.mountinfo import mount_of, parse_mountinfo

TABLE = """\
1 0 8:1 / / rw - ext4 /dev/sda rw
2 1 8:2 / /srv rw shared:5 - ext4 /dev/sdb rw
3 1 8:3 / /mnt/with\\040space rw master:5 - ext4 /dev/sdc rw
4 2 8:4 / /srv/private rw - ext4 /dev/sdd rw
"""


def bind(source: str, *options: str) -> list[Mount]:
    return [Mount(kind="bind", source=source, target="/x", options=options)]


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/etc", "/"),
        ("/srv", "/srv"),
        ("/srv/a/b", "/srv"),
        ("/srvx", "/"),
        ("/srv/private/a", "/srv/private"),
        ("/mnt/with space/a", "/mnt/with space"),
    ],
)
def test_a_path_is_on_the_deepest_mount_above_it(path: str, point: str) -> None:
    assert mount_of(path, parse_mountinfo(TABLE)).point == point


@pytest.mark.parametrize("option", ["shared", "rshared", "slave", "rslave"])
def test_only_a_mount_with_peers_can_be_shared(option: str) -> None:
    check_propagation(bind("/srv/a", option), lambda: TABLE)
    with pytest.raises(InvalidParameter, match="path /etc is mounted on / but it is not a shared"):
        check_propagation(bind("/etc", option), lambda: TABLE)


def test_a_slave_may_have_a_slave_but_no_peer() -> None:
    check_propagation(bind("/mnt/with space", "rslave"), lambda: TABLE)
    with pytest.raises(InvalidParameter, match="is not a shared mount"):
        check_propagation(bind("/mnt/with space", "rshared"), lambda: TABLE)
    check_propagation(bind("/etc", "rprivate", "ro"), lambda: TABLE)


def test_the_table_is_not_read_when_nobody_asks_for_peers() -> None:
    def refuse() -> str:
        raise AssertionError("the mount table was read")

    check_propagation([*bind("/etc", "ro", "rprivate"), *bind("/srv")], refuse)


@pytest.mark.parametrize(
    "options", [("ro", "rw"), ("rshared", "rslave"), ("z", "Z"), ("cached", "delegated")]
)
def test_two_options_of_one_kind_are_none(options: tuple[str, str]) -> None:
    with pytest.raises(InvalidParameter, match=f"invalid mode: {','.join(options)}"):
        check_mounts(bind("/etc", *options))


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("/etc", "/proc", "it is not of type proc"),
        ("/etc", "/proc/sys", "it is inside /proc"),
        ("/proc/sys", "/proc/./sys/", "it is inside /proc"),
    ],
)
def test_nothing_lies_on_proc(source: str, target: str, why: str) -> None:
    with pytest.raises(InvalidParameter, match=f"cannot be mounted because {why}"):
        check_mounts([Mount(kind="bind", source=source, target=target)])
    with pytest.raises(InvalidParameter, match=f"cannot be mounted because {why}"):
        check_mounts([Mount(kind="tmpfs", source="", target=target)])


def test_proc_itself_may_and_files_that_tell_of_the_machine() -> None:
    check_mounts([Mount(kind="bind", source="/proc", target="/proc")])
    check_mounts([Mount(kind="bind", source="/etc/passwd", target="/proc/cpuinfo")])
    check_mounts([Mount(kind="bind", source="/etc", target="/process")])
