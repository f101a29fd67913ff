"""The embedded image: the same bytes every time, and a shell that runs."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import NotFound
from minidocker.images.base import (
    BASE,
    Entry,
    Tree,
    base_config,
    base_tree,
    is_base,
    make_base_image,
    static_busybox,
    tar_of,
)
from minidocker.images.elf import parse_elf
from minidocker.oci.digest import digest_of
from minidocker.oci.reference import parse_reference
from tests.images.stores import content, open_store
from tests.support.need import need_program, need_root

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A PATH with a shell and coreutils, and no busybox."""
    directory = tmp_path / "tools"
    directory.mkdir()
    for name in ("sh", "cat", "ls", "id", "env", "true"):
        (directory / name).symlink_to(need_program(name))
    return str(directory)


def test_the_same_tools_make_the_same_bytes() -> None:
    need_program("busybox")
    assert tar_of(base_tree()) == tar_of(base_tree())


def test_it_has_what_a_container_needs() -> None:
    need_program("busybox")
    tree = base_tree()
    with tarfile.open(fileobj=io.BytesIO(tar_of(tree))) as tar:
        members = {each.name: each for each in tar}
        passwd = tar.extractfile("etc/passwd")
        assert passwd is not None
        lines = passwd.read().decode().splitlines()
    assert {"root:x:0:0", "nobody:x:65534:65534"} <= {":".join(x.split(":")[:4]) for x in lines}
    assert members["tmp"].mode == 0o1777
    assert members["root"].mode == 0o700
    for name in ("bin/sh", "bin/ls", "bin/cat", "usr/bin/env", "proc", "sys", "dev", "etc/group"):
        assert name in members
    assert all(member.mtime == 0 for member in members.values())
    parents = {str(Path(name).parent) for name in members} - {"."}
    assert all(members[parent].isdir() for parent in parents)


def test_every_applet_of_busybox_is_a_command() -> None:
    busybox = static_busybox(SBIN)
    if busybox is None:
        need_program("busybox")
    assert busybox is not None
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    assert {f"bin/{name}" for name in listed.stdout.split()} <= base_tree().keys()


def test_without_busybox_it_is_the_hosts_shell_and_its_libraries(tools: str) -> None:
    tree = base_tree(tools)
    assert "bin/busybox" not in tree
    assert {"bin/sh", "bin/cat", "bin/ls", "usr/bin/env"} <= tree.keys()
    content = tree["bin/ls"].content
    assert isinstance(content, bytes)
    elf = parse_elf(content)
    assert elf is not None
    names = {Path(path).name for path in tree}
    assert set(elf.needed) <= names
    assert elf.interpreter is None or elf.interpreter.lstrip("/") in tree
    assert tar_of(tree) == tar_of(base_tree(tools))


def test_a_host_without_tools_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="neither busybox nor sh"):
        base_tree(str(tmp_path))


def test_it_is_stored_under_its_name_once(tmp_path: Path) -> None:
    need_program("busybox")
    with open_store(tmp_path) as store:
        image = make_base_image(store)
        assert image.names == (BASE,)
        assert image.config.config.cmd == ("sh",)
        before = content(tmp_path)
        assert make_base_image(store) == image
        assert content(tmp_path) == before
        assert store.remove(BASE, False, lambda _: [])
        assert content(tmp_path) == (set(), set(), set())


@pytest.mark.parametrize("name", ["minidocker/base", "docker.io/minidocker/base:latest"])
def test_its_names(name: str) -> None:
    assert is_base(parse_reference(name))


@pytest.mark.parametrize("name", ["base", "minidocker/base:2", "localhost/minidocker/base"])
def test_names_that_are_not_its(name: str) -> None:
    assert not is_base(parse_reference(name))


def test_the_config_is_the_same_every_time() -> None:
    diff_id = digest_of(b"")
    assert base_config(diff_id).to_bytes() == base_config(diff_id).to_bytes()


paths = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}){0,2}", fullmatch=True)
entries = st.builds(
    Entry,
    st.none() | st.binary(max_size=20) | st.text("abc/", min_size=1, max_size=5),
    st.integers(0, 0o7777),
    st.integers(0, 70000),
)


@given(st.dictionaries(paths, entries, max_size=6))
def test_the_tar_says_what_the_tree_says(tree: Tree) -> None:
    data = tar_of(tree)
    assert data == tar_of(dict(reversed(tree.items())))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = list(tar)
        assert [each.name for each in members] == sorted(tree)
        for member in members:
            entry = tree[member.name]
            assert (member.uid, member.gid, member.mtime) == (entry.owner, entry.owner, 0)
            if isinstance(entry.content, bytes):
                file = tar.extractfile(member)
                assert file is not None
                assert (file.read(), member.mode) == (entry.content, entry.mode)
            elif entry.content is None:
                assert (member.isdir(), member.mode) == (True, entry.mode)
            else:
                assert (member.issym(), member.linkname) == (True, entry.content)


@pytest.mark.kernel
@pytest.mark.parametrize("which", ["busybox", "the host's tools"])
def test_its_shell_runs_in_it(tmp_path: Path, tools: str, which: str) -> None:
    need_root()
    tree = base_tree() if which == "busybox" else base_tree(tools)
    root = tmp_path / "root"
    root.mkdir()
    with tarfile.open(fileobj=io.BytesIO(tar_of(tree))) as tar:
        tar.extractall(root, filter="fully_trusted")
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    answer = subprocess.run(
        ["chroot", root, "/bin/sh", "-c", "ls /bin/sh && cat /etc/passwd | cat && id -u && env"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": "/bin"},
        executable=shutil.which("chroot", path=SBIN),
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[:2] == ["/bin/sh", "root:x:0:0:root:/root:/bin/sh"]
