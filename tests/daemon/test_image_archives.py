"""Save and load over the API: docker-py, the docker command, cuts and kills."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from minidocker.daemon.image_archives import parse_platform_json
from minidocker.errors import InvalidParameter
from minidocker.oci.platform import Platform
from tests.images.archives import docker_archive, files_of
from tests.images.pulls import HERE
from tests.images.samples import sample
from tests.images.stores import content
from tests.support.engine import Engine

ONE = sample([{"a": b"one" * 2000}, {"b": b"two"}], architecture=HERE)


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        yield client
        for name in ("it:1", "it:2", ONE.id):
            with contextlib.suppress(docker.errors.APIError):
                client.images.remove(name, force=True)


def test_a_platform_is_json_with_two_words_at_least() -> None:
    assert parse_platform_json("") is None
    said = '{"os":"linux","architecture":"arm64","variant":"v8"}'
    assert parse_platform_json(said) == Platform("linux", "arm64", "v8")
    for bad in ("linux/arm64", "[]", "{}", '{"os":"linux"}', '{"os":1,"architecture":"x"}'):
        with pytest.raises(InvalidParameter):
            parse_platform_json(bad)


@pytest.mark.kernel
def test_docker_py_loads_and_saves(client: docker.DockerClient) -> None:
    (image,) = client.images.load(docker_archive(ONE))
    assert image.id == ONE.id
    data = b"".join(image.save(named=True))
    assert json.loads(files_of(data)["manifest.json"])[0]["RepoTags"] == ["it:1"]
    nameless = b"".join(image.save())
    assert json.loads(files_of(nameless)["manifest.json"])[0]["RepoTags"] is None
    client.images.remove("it:1")
    (again,) = client.images.load(nameless)
    assert (again.id, again.tags) == (ONE.id, [])
    with pytest.raises(docker.errors.ImageLoadError, match="invalid archive"):
        client.images.load(b"garbage" * 1000)
    with pytest.raises(docker.errors.NotFound, match="No such image: nope"):
        b"".join(client.api.get_image("nope"))


@pytest.mark.kernel
def test_the_docker_command_loads_and_saves(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive(ONE, ["it:1", "it:2"]))
    said = engine.docker("load", "-i", str(path)).ok()
    assert said.splitlines() == ["Loaded image: it:1", "Loaded image: it:2"]
    engine.docker("save", "-o", f"{tmp_path}/b.tar", "it", "busybox").ok()
    tags = [each["RepoTags"] for each in manifest(tmp_path / "b.tar")]
    assert tags == [["it:1", "it:2"], ["busybox:latest"]]
    refused = engine.docker("save", "-o", f"{tmp_path}/c.tar", "it:1", "it:none")
    assert refused.code == 1
    assert "reference does not exist" in refused.err
    assert not (tmp_path / "c.tar").exists()


def manifest(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(files_of(path.read_bytes())["manifest.json"])
    return found


def half_sent(engine: Engine, target: str, data: bytes) -> socket.socket:
    """A POST whose body has ended in the middle; the daemon waits for the rest."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(engine.socket))
    head = f"POST {target} HTTP/1.1\r\nHost: d\r\nContent-Length: {2 * len(data)}\r\n\r\n"
    sock.sendall(head.encode() + data)
    return sock


def until(true: Callable[[], bool]) -> None:
    """Wait for it; raises ``AssertionError`` when it does not come."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.kernel
@pytest.mark.parametrize("target", ["/images/load", "/images/create?fromSrc=-&repo=it"])
@pytest.mark.parametrize("how", ["cut", "kill"])
def test_what_is_broken_off_leaves_nothing(
    new_engine: Callable[..., Engine], how: str, target: str
) -> None:
    engine = new_engine()
    layers = [{"a": b"x" * (3 << 20)}, {"b": b"y" * (3 << 20)}]
    data = docker_archive(sample(layers, architecture=HERE, compression="none"))[: 5 << 20]
    nothing: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    with half_sent(engine, target, data):
        # Its first files are blobs already, or its bytes are on their way to be one.
        loads = target == "/images/load"
        until(lambda: len(content(engine.data)[0]) == 2 if loads else half_made(engine))
        if how == "kill":
            engine.kill()
    if how == "kill":
        assert content(engine.data) != nothing
        engine.start()
    until(lambda: content(engine.data) == nothing)
    assert engine.docker("images", "-q").ok() == ""
    (engine.root / "whole.tar").write_bytes(docker_archive(ONE))
    assert "it:1" in engine.docker("load", "-i", f"{engine.root}/whole.tar").ok()


def half_made(engine: Engine) -> bool:
    return bool(content(engine.data)[2])


@pytest.mark.kernel
def test_of_a_commit_that_is_killed_nothing_is_left(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    write = "head -c 200000000 /dev/zero > /big"
    engine.docker("run", "--name", "big", "busybox", "sh", "-c", write).ok()
    before = content(engine.data)
    line = engine.docker.argv("commit", "big", "it:1")
    quiet = subprocess.DEVNULL
    with subprocess.Popen(line, env=engine.environment, stdout=quiet, stderr=quiet) as commit:
        until(lambda: half_made(engine))
        engine.kill()
        assert commit.wait(10) != 0
    engine.start()
    until(lambda: content(engine.data) == before)
    id = engine.docker("commit", "big", "it:1").ok()
    assert engine.docker("images", "-q", "--no-trunc", "it:1").ok() == id


@pytest.mark.kernel
def test_a_removed_image_goes_when_its_save_has_ended(
    engine: Engine, client: docker.DockerClient
) -> None:
    import random

    noise = random.Random(1).randbytes(8 << 20)
    big = sample([{"a": noise}], architecture=HERE, compression="none")
    client.images.load(docker_archive(big, ["it:2"]))
    before = content(engine.data)[0]
    pieces = client.api.get_image("it:2")
    first = next(iter(pieces))
    client.images.remove("it:2")
    data = io.BytesIO(first + b"".join(pieces)).getvalue()
    assert noise in data
    until(lambda: len(content(engine.data)[0]) == len(before) - len(big.blobs))
