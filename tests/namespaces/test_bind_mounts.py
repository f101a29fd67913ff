"""Bind mounts for real, each in a mount namespace of its own: what is reached, and what is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step
from minidocker.namespaces.explain import explain
from minidocker.namespaces.mounts import BindMount
from minidocker.namespaces.rootfs import mount_step
from tests.support.need import need_root

pytestmark = pytest.mark.kernel


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``root``, to mount in; ``volume``, with something in it; ``secret``, beside both."""
    need_root()
    for name in ("root", "volume/sub/below", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "volume/sub/file").write_text("inside\n")
    (tmp_path / "secret/file").write_text("secret\n")
    (tmp_path / "volume/good").symlink_to("sub")
    (tmp_path / "volume/up").symlink_to("../secret")
    (tmp_path / "volume/away").symlink_to(tmp_path / "secret")
    (tmp_path / "volume/round").symlink_to("round")
    return tmp_path


def apart(work: Callable[[], str]) -> str:
    """What ``work`` returns, done by a child in a mount namespace of its own; errno's text if
    it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            syscalls.unshare(flags.CLONE_NEWNS)
            syscalls.mount(None, "/", None, flags.MS_PRIVATE | flags.MS_REC)
            try:
                said = work()
            except OSError as error:
                said = errno.errorcode[error.errno or 0]
            os.write(writing, said.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def bind(place: Path, target: str = "/x", *options: str, **more: Any) -> Step:
    entry = {"destination": target, "type": "bind", "source": str(place / "volume")}
    return mount_step(str(place / "root"), entry | {"options": list(options or ["rbind"])} | more)


@pytest.mark.parametrize(
    ("subpath", "said"),
    [
        ("sub", "below file"),
        ("./sub/", "below file"),
        ("good", "below file"),
        ("good/below/..", "below file"),
        ("sub/file", "inside\n"),
        ("missing", "ENOENT"),
        ("sub/file/x", "ENOTDIR"),
        ("up", "EXDEV"),
        ("up/file", "EXDEV"),
        ("away", "EXDEV"),
        ("..", "EXDEV"),
        ("/etc", "EXDEV"),
        ("round", "ELOOP"),
    ],
)
def test_a_subpath_stays_in_the_volume(place: Path, subpath: str, said: str) -> None:
    step = bind(place, subpath=subpath)

    def work() -> str:
        step.execute()
        there = place / "root/x"
        return " ".join(sorted(os.listdir(there))) if there.is_dir() else there.read_text()

    assert apart(work) == said


@pytest.mark.parametrize(
    ("subpath", "words"),
    [("up", "leads out of the volume"), ("missing", "cannot access path")],
)
def test_a_subpath_that_cannot_be_is_explained(place: Path, subpath: str, words: str) -> None:
    step = bind(place, subpath=subpath)

    def work() -> str:
        try:
            step.execute()
        except OSError as error:
            return explain(step, error)
        return ""

    assert words in apart(work)


def test_links_below_the_root_stay_in_the_root(place: Path) -> None:
    (place / "root/abs").symlink_to(place / "secret")
    (place / "root/rel").symlink_to("../secret/deep")

    def work() -> str:
        bind(place, "/abs/in").execute()
        bind(place, "/rel").execute()
        return " ".join(sorted(os.listdir(place / "secret")))

    assert apart(work) == "file"
    assert (place / f"root{place}/secret/in").is_dir()
    assert (place / "root/secret/deep").is_dir()


def test_a_source_can_be_in_the_new_root(place: Path) -> None:
    (place / "root/here").mkdir()
    (place / "root/here/file").write_text("of the root\n")
    (place / "root/link").symlink_to("/here")
    entry = {"destination": "/x", "type": "bind", "source": "/link", "options": ["bind", "ro"]}

    def work() -> str:
        mount_step(str(place / "root"), {**entry, "inside": True}).execute()
        try:
            (place / "root/x/new").touch()
        except OSError:
            return (place / "root/x/file").read_text()
        return "written"

    assert apart(work) == "of the root\n"


@pytest.mark.parametrize(
    ("options", "writable"),
    [
        (("rbind",), "top below"),
        (("rbind", "ro"), ""),
        (("rbind", "ro", "rro"), ""),
        (("rbind", "ro", "ro-non-recursive"), "below"),
        (("bind", "ro"), ""),
        (("bind",), "top hidden"),
    ],
)
def test_what_read_only_means_below(place: Path, options: tuple[str, ...], writable: str) -> None:
    def work() -> str:
        syscalls.mount("tmpfs", str(place / "volume/sub/below"), "tmpfs", 0)
        bind(place, "/x", *options).execute()
        there = {"top": place / "root/x/new"}
        below = place / "root/x/sub/below"
        there["below" if os.path.ismount(below) else "hidden"] = below / "new"
        done = []
        for name, path in there.items():
            try:
                path.touch()
            except OSError:
                continue
            done.append(name)
        return " ".join(done)

    assert apart(work) == writable


def test_without_a_kernel_for_it_force_is_refused_and_the_rest_goes_on(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(syscalls, "mount_setattr", missing)
    for options, said in ((["rbind", "ro"], "done"), (["rbind", "ro", "rro"], "ENOSYS")):
        step = bind(place, "/x", *options)

        def work(step: Step = step) -> str:
            step.execute()
            return "done"

        assert apart(work) == said
    step = bind(place, "/x", "rro")
    assert "Linux 5.12" in explain(step, OSError(errno.ENOSYS, "x"))


def test_a_bind_says_what_it_mounts(place: Path) -> None:
    step = bind(place, subpath="sub")
    assert isinstance(step, BindMount)
    assert f'mount("{place}/volume/sub", "/x", NULL, MS_BIND|MS_REC)' in step.describe()
