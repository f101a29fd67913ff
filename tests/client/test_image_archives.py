"""Our own save and load: files, pipes, terminals, mistakes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.client import output
from minidocker.client.commandline import Failed
from minidocker.client.references import parse_platform
from minidocker.errors import InvalidParameter
from tests.images.archives import docker_archive, files_of
from tests.images.pulls import HERE
from tests.images.samples import sample
from tests.support.engine import Engine

ONE = sample([{"a": b"one" * 2000}], architecture=HERE)


@pytest.fixture
def loaded(engine: Engine, tmp_path: Path) -> Iterator[Engine]:
    """The engine, with the image it:1 of ONE."""
    (tmp_path / "a.tar").write_bytes(docker_archive(ONE))
    assert engine.own("load", "--input", f"{tmp_path}/a.tar").ok() == "Loaded image: it:1"
    yield engine
    engine.own("rmi", "-f", ONE.id)


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise Failed("broken off")

    with pytest.raises(Failed):
        output.write(str(path), broken())
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out", b"before")]
    output.write(str(path), [b"a", b"b"])
    assert path.read_bytes() == b"ab"


def test_where_no_file_can_be_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    for bad, why in {
        f"{tmp_path}/no/x": f"invalid output path: stat {tmp_path}/no: no such file or directory",
        str(tmp_path): "cannot write to a directory",
        "/dev/null": "cannot write to a character device file",
    }.items():
        with pytest.raises(Failed, match=f"^failed to save image: {why}"):
            output.check(bad, "failed to save image")
    output.check(f"{tmp_path}/x", "failed to save image")


def test_a_file_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(Failed, match=r"^cannot write /proc/x: no such file or directory$"):
        output.write("/proc/x", [b"a"])


def test_a_platform_is_a_system_a_machine_or_both() -> None:
    assert parse_platform(None) is None
    for text, parts in {
        "linux/arm64/v8": {"os": "linux", "architecture": "arm64", "variant": "v8"},
        "Linux/x86_64": {"os": "linux", "architecture": "amd64"},
        "aarch64": {"os": "linux", "architecture": "arm64"},
    }.items():
        assert json.loads(parse_platform(text) or "") == parts
    assert json.loads(parse_platform("windows") or "")["os"] == "windows"
    for bad in ("x", "a/b/c/d", "linux/", "a b", ""):
        with pytest.raises(InvalidParameter, match=r"^invalid platform: "):
            parse_platform(bad)


@pytest.mark.kernel
def test_saved_is_what_docker_saves(loaded: Engine, tmp_path: Path) -> None:
    loaded.own("save", "-o", f"{tmp_path}/own.tar", "it:1").ok()
    loaded.docker("save", "-o", f"{tmp_path}/theirs.tar", "it:1").ok()
    own = (tmp_path / "own.tar").read_bytes()
    assert own == (tmp_path / "theirs.tar").read_bytes()
    piped = subprocess.run(
        loaded.own_argv("save", "it:1"), env=loaded.environment, capture_output=True, check=True
    )
    assert piped.stdout == own
    assert json.loads(files_of(own)["manifest.json"])[0]["RepoTags"] == ["it:1"]


@pytest.mark.kernel
def test_load_from_a_pipe(loaded: Engine, tmp_path: Path) -> None:
    with open(tmp_path / "a.tar", "rb") as tar:
        answer = subprocess.run(
            loaded.own_argv("image", "load", "-q"),
            env=loaded.environment,
            stdin=tar,
            capture_output=True,
            check=True,
        )
    assert answer.stdout == b"Loaded image: it:1\n"


@pytest.mark.kernel
def test_mistakes_read_as_dockers(loaded: Engine, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"garbage" * 100_000)
    for line in (
        ("save", "nope"),
        ("save", "-o", f"{tmp_path}/no/x", "it:1"),
        ("save", "-o", f"{tmp_path}/x", "it:1", "it:2"),
        ("load", "-i", f"{tmp_path}/none"),
        ("load", "-i", f"{tmp_path}/bad"),
    ):
        own, theirs = loaded.own(*line), loaded.docker(*line)
        assert (own.code, own.out) == (theirs.code, theirs.out), line
        assert own.err.strip() == theirs.err.strip(), line
