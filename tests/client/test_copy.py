"""Our own ``cp`` beside the docker command's: the same names, texts and files for the same line."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.commandline import Failed
from minidocker.client.commands.copy import Side, absolute, arrangement, divided, split
from minidocker.client.tars import extract, pack, renamed
from tests.support.engine import Engine

names = st.text("ab", min_size=1, max_size=3)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@given(names, paths)
def test_a_name_with_a_colon_is_in_a_container(container: str, path: str) -> None:
    assert split(f"{container}:{path}") == (container, path)
    assert split(f"./{container}:{path}") == ("", f"./{container}:{path}")
    assert split(f"/{container}:{path}") == ("", f"/{container}:{path}")


@given(paths)
def test_the_end_of_a_path_keeps_its_meaning(path: str) -> None:
    assert absolute(f"{path}/.").endswith(f"{path}/.")
    assert absolute(f"{path}/").endswith(f"{path}/")
    assert divided(f"/{path}/.") == (f"/{path}", ".")
    assert divided(f"/{path}/")[1] == path.rpartition("/")[2]


@given(paths, names, names)
def test_a_renamed_entry_keeps_what_follows(rest: str, old: str, new: str) -> None:
    assert renamed(f"{old}/{rest}", (old, new)) == f"{new}/{rest}"
    assert renamed(f"{old}x/{rest}", (old, new)) == f"{old}x/{rest}"
    assert renamed(f"/{rest}", ("/", new)) == f"{new}/{rest}"


def test_what_cannot_be_copied_is_refused() -> None:
    with pytest.raises(Failed, match="cannot copy directory"):
        arrangement(Side("/a", True, True), Side("/b", True, False))
    with pytest.raises(Failed, match="no such directory"):
        arrangement(Side("/a", True, False), Side("/b/", False))


def test_an_archive_of_a_container_leads_nowhere(tmp_path: Path) -> None:
    """Neither by names nor through links that it brings itself."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for members in (
        [("../evil", None)],
        [("link", str(tmp_path)), ("link/evil", None)],
        [("link", ".."), ("link/evil", None)],
    ):
        file = tmp_path / "a.tar"
        with tarfile.open(file, "w") as tar:
            for name, target in members:
                info = tarfile.TarInfo(name)
                if target:
                    info.type, info.linkname = tarfile.SYMTYPE, target
                tar.addfile(info)
        with pytest.raises(Failed, match="is outside of"):
            extract([file.read_bytes()], str(inside), ("x", "x"))
        assert not (tmp_path / "evil").exists()
        file.unlink()
        for each in inside.iterdir():
            each.unlink()


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(os.urandom(300_000))
    os.link(tree / "sub" / "file", tree / "hard")
    (tree / "link").symlink_to("/nowhere")
    os.mkfifo(tree / "fifo")
    os.utime(tree / "sub", (1000, 1000))
    size = extract(pack(str(tree), ("tree", "new")), str(tmp_path), ("new", "other"))
    new = tmp_path / "other"
    assert (new / "sub" / "file").read_bytes() == (tree / "sub" / "file").read_bytes()
    assert os.path.samefile(new / "hard", new / "sub" / "file")
    assert os.readlink(new / "link") == "/nowhere"
    assert os.stat(new / "sub").st_mtime == 1000
    assert size > 300_000


# With a daemon


@pytest.fixture
def container(engine: Engine) -> Iterator[str]:
    script = "mkdir -p /d/sub; echo 1 > /d/f; ln -s /d /l; ln -s f /d/lf; echo up; exec sleep 1000"
    line = ("run", "-d", "--name", "ours", "--net", "none", "busybox", "sh", "-c", script)
    engine.docker(*line).ok()
    while "up" not in engine.docker("logs", "ours").ok():
        pass
    yield "ours"
    engine.docker("rm", "-f", "ours").ok()


LINES = [
    *("ours:/d out", "ours:/d there", "ours:/d/. out", "ours:/d/. there", "ours:/d/ out"),
    *("ours:/d/f out", "ours:/d/f there", "ours:/d/f there/", "ours:/d/f no/", "ours:/d/f file"),
    *("ours:/d file", "ours:/l out", "-L ours:/l out", "-L ours:/l there", "ours:/d/lf out"),
    *("-L ours:/d/lf out", "-L ours:/d/lf there", "ours:/no out", "none:/d out", "ours:/d no/no/x"),
    *("ours:d ours:e", "a b", "-q ours:/d out", "ours:/d/sub/.. there", "ours:/etc/passwd ."),
    *("file ours:/new", "file ours:/d", "file ours:/d/", "file ours:/no/", "file ours:/no/such"),
    *("file ours:/d/f", "there ours:/new", "there ours:/d", "there/. ours:/d", "there ours:/d/f"),
    *("there/. ours:/new2", "file ours:/l", "link ours:/d", "-L link ours:/d", "no ours:/d"),
    *(
        "there ours:/l",
        "link ours:/x",
        "-L link ours:/x",
        "-a file ours:/d/own",
        "file ours:/d/sub",
    ),
]


@pytest.mark.kernel
@pytest.mark.parametrize("line", LINES)
def test_it_does_what_the_docker_command_does(
    engine: Engine, container: str, tmp_path: Path, line: str
) -> None:
    seen = []
    look = "find /d /new* /x -exec stat -c '%n %F %a %u:%g %N' {} + 2>/dev/null | sort"
    for client in ([engine.docker.argv(), engine.docker], [engine.own_argv(), engine]):
        argv, owner = client
        here = tmp_path / "here"
        (here / "there" / "deep").mkdir(parents=True)
        (here / "there" / "deep" / "x").write_text("x")
        (here / "file").write_text("of the host")
        (here / "link").symlink_to("file")
        done = subprocess.run(
            [*argv, "cp", *line.split()],
            cwd=here,
            env=owner.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        found = {
            str(each.relative_to(here)): each.read_text() if each.is_file() else each.is_dir()
            for each in sorted(here.rglob("*"))
        }
        inside = engine.docker("exec", container, "sh", "-c", look).out
        # The docker command may still be packing when it has found out that it cannot go on.
        said = [text for text in done.stderr.splitlines() if not text.startswith("time=")]
        seen.append((done.returncode, said, found, inside))
        subprocess.run(["rm", "-rf", str(here)], check=True)
        reset = "rm -rf /d /new* /x; mkdir -p /d/sub; echo 1 > /d/f; ln -s f /d/lf"
        engine.docker("exec", container, "sh", "-c", reset).ok()
    assert seen[1] == seen[0]


@pytest.mark.kernel
def test_streams_go_both_ways(engine: Engine, container: str, tmp_path: Path) -> None:
    def own(*args: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        argv = engine.own_argv("cp", *args)
        return subprocess.run(
            argv, env=engine.environment, input=input, capture_output=True, check=False
        )

    out = own(f"{container}:/d", "-")
    assert out.returncode == 0
    back = own("-", f"{container}:/tmp", input=out.stdout)
    assert (back.returncode, back.stderr) == (0, b"")
    assert engine.docker("exec", container, "cat", "/tmp/d/f").ok() == "1"
    refused = own("-", f"{container}:/d/f", input=out.stdout)
    assert refused.stderr.decode() == f'destination "{container}:/d/f" must be a directory\n'
