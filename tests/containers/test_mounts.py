"""What is mounted where, and in which order."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.modes import Modes
from minidocker.containers.mounts import (
    all_mounts,
    check_mounts,
    default_mounts,
    file_mounts,
    make_sources,
    root_propagation,
    tmpfs_options,
    user_mount,
)
from minidocker.containers.spec import Mount
from minidocker.errors import InvalidParameter, Refused, SystemFailure
from tests.containers import strategies as draw

HOME = Path("/home/of/it")


@given(draw.modes, draw.mounts, st.booleans(), st.booleans())
def test_every_place_is_mounted_once_and_parents_first(
    modes: Modes, asked: tuple[Mount, ...], privileged: bool, read_only: bool
) -> None:
    mounts = all_mounts(
        default_mounts(modes, 1 << 26, privileged), file_mounts(HOME), asked, read_only
    )
    places = [mount["destination"] for mount in mounts]
    assert len(places) == len(set(places))
    assert {mount.target for mount in asked} <= set(places)
    own = {mount.target for mount in asked}
    for at, place in enumerate(places):
        above = {str(each) for each in PurePosixPath(place).parents}
        assert not above & set(places[at + 1 :]) - own, "a parent would hide what is in it"
    mine = [place for place in places if place in own]
    assert mine == sorted(mine, key=lambda place: place.count("/"))


@given(draw.modes, draw.mounts)
def test_a_users_mount_takes_the_place_of_a_default(modes: Modes, asked: tuple[Mount, ...]) -> None:
    shm = Mount("tmpfs", "", "/dev/shm", ("size=1m",))
    hosts = Mount("bind", "/my/hosts", "/etc/hosts")
    mounts = all_mounts(default_mounts(modes, 1, False), file_mounts(HOME), (shm, hosts), False)
    found = {mount["destination"]: mount for mount in mounts}
    assert "size=1m" in found["/dev/shm"]["options"]
    assert found["/etc/hosts"]["source"] == "/my/hosts"
    assert found["/etc/hostname"]["source"] == f"{HOME}/hostname"


@given(draw.modes)
def test_with_a_dev_of_ones_own_nothing_is_mounted_below_it(modes: Modes) -> None:
    dev = Mount("bind", "/dev", "/dev")
    mounts = all_mounts(default_mounts(modes, 1, False), [], (dev,), False)
    assert [each["destination"] for each in mounts if "/dev" in each["destination"]] == ["/dev"]


@given(draw.modes, st.booleans())
def test_a_read_only_root_leaves_only_what_must_be_written(modes: Modes, privileged: bool) -> None:
    mounts = all_mounts(default_mounts(modes, 1, privileged), file_mounts(HOME), (), True)
    writable = {mount["destination"] for mount in mounts if "ro" not in mount["options"]}
    assert writable <= {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"}


@given(draw.mounts)
def test_a_bind_is_recursive_and_private_unless_told(asked: tuple[Mount, ...]) -> None:
    for mount in asked:
        options = user_mount(mount)["options"]
        if mount.kind == "bind":
            assert options[0] == ("bind" if "bind" in mount.options else "rbind")
            assert ("ro" in options) == ("ro" in mount.options)
            assert options[-1] == ("rshared" if "rshared" in mount.options else "rprivate")


@given(st.lists(st.sampled_from(["exec", "suid", "dev", "noexec", "rw", "size=1k"]), unique=True))
def test_a_tmpfs_is_harmless_unless_told(options: list[str]) -> None:
    got = tmpfs_options(options)
    for option, opposite in (("exec", "noexec"), ("suid", "nosuid"), ("dev", "nodev")):
        assert (opposite in got) == (option not in options or opposite in options)
    assert set(options) <= set(got)
    assert len(got) == len(set(got))


def test_the_root_goes_along_with_what_is_to_be_shared() -> None:
    def of(*options: str) -> str:
        return root_propagation([user_mount(Mount("bind", "/a", "/b", options))])

    assert (of(), of("rslave"), of("shared")) == ("private", "slave", "shared")


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (Mount("volume", "name", "/data"), "not supported yet"),
        (Mount("tmpfs", "", "relative"), "must be absolute"),
        (Mount("bind", "relative", "/data"), "must be absolute"),
        (Mount("bind", "/no/such/source", "/data"), "bind source path does not exist"),
        (Mount("bind", "/tmp", "/"), "destination can't be '/'"),
        (Mount("bind", "/tmp", "/a/.."), "destination can't be '/'"),
        (Mount("bind", "/tmp", "//"), "destination can't be '/'"),
        (Mount("bind", "/tmp", "/a", ("magic",)), "invalid mode: magic"),
    ],
)
def test_what_cannot_be_mounted_is_refused(mount: Mount, words: str) -> None:
    with pytest.raises((InvalidParameter, Refused), match=words):
        check_mounts([mount])


def test_one_place_is_named_once_however_it_is_spelled() -> None:
    with pytest.raises(InvalidParameter, match="Duplicate mount point: /a"):
        check_mounts([Mount("tmpfs", "", "/a"), Mount("tmpfs", "", "/b/../a/")])


def test_dash_v_makes_its_source_and_says_when_it_cannot(tmp_path: Path) -> None:
    make_sources([Mount("bind", str(tmp_path / "a/b"), "/x", create_source=True)])
    assert (tmp_path / "a/b").is_dir()
    make_sources([Mount("bind", str(tmp_path / "c"), "/x")])
    assert not (tmp_path / "c").exists()
    (tmp_path / "file").touch()
    with pytest.raises(SystemFailure, match="error while creating mount source path"):
        make_sources([Mount("bind", str(tmp_path / "file/x"), "/x", create_source=True)])


@pytest.mark.parametrize("option", ["nope=1", "size=foo", "mode=9", "magic", "uid=me"])
def test_a_tmpfs_option_that_does_not_exist_is_named_at_create(option: str) -> None:
    words = " ".join(f'"{word}"' for word in option.split("="))
    with pytest.raises(InvalidParameter, match=re.escape(f"invalid tmpfs option [{words}]")):
        check_mounts([Mount("tmpfs", "", "/x", (option,))])


@pytest.mark.parametrize("option", ["size=64m", "size=50%", "mode=1777", "uid=5", "exec", "ro"])
def test_tmpfs_options_of_the_kernel_pass(option: str) -> None:
    check_mounts([Mount("tmpfs", "", "/x", (option,))])
