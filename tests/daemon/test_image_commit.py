"""Commit and import over the API; dockerd is asked the same."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.commit import defaults_of, image_config, spec_of
from minidocker.errors import InvalidParameter
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults
from tests.images.archives import files_of
from tests.images.samples import tar_of
from tests.support.cli import DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

words = st.lists(st.text("ab", min_size=1, max_size=2), max_size=2).map(tuple)
configs = st.builds(
    RunDefaults,
    user=st.text("u", max_size=1),
    env=st.lists(st.sampled_from(["A=1", "B=2"]), unique=True).map(tuple),
    cmd=st.none() | words,
    entrypoint=st.none() | words,
    labels=st.dictionaries(st.sampled_from("xy"), st.text("z", max_size=1)),
    exposed_ports=st.sampled_from([(), ("80/tcp",)]),
    healthcheck=st.none() | st.builds(ImageHealthcheck, words, st.integers(0, 9)),
    shell=st.none() | st.just(("/bin/bash",)),
)


@given(configs)
def test_a_config_goes_through_a_spec_unchanged(config: RunDefaults) -> None:
    assert defaults_of(spec_of(config)) == config


def test_the_body_goes_before_the_container_and_the_changes_before_both() -> None:
    spec = ContainerSpec(
        command=("c",),
        environment=("X=1", "PATH=/bin"),
        labels={"l": "1"},
        exposed_ports=("80/tcp",),
    )
    body = {"Cmd": ["z"], "Labels": {"a": "b"}, "Env": ["Q=1", "X=2"]}
    made = image_config(spec, body, ["ENV Y=$Q"])
    assert made.env == ("Q=1", "X=2", "Y=1", "PATH=/bin")
    assert made.cmd == ("z",)
    assert made.labels == {"a": "b", "l": "1"}
    assert made.exposed_ports == ("80/tcp",)
    assert image_config(spec, None, []) == defaults_of(spec)
    with pytest.raises(InvalidParameter):
        image_config(spec, [1], [])
    with pytest.raises(InvalidParameter, match="Env"):
        image_config(spec, {"Env": "x"}, [])


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        before = {image.id for image in client.images.list()}
        yield client
        engine.docker.remove_all_containers()
        for image in client.images.list():
            if image.id not in before:
                client.images.remove(image.id, force=True)


SCRIPT = "echo hi > /f; mkdir -p /d/e; rm /etc/not-a-program; chmod 700 /tmp; ln -s f /l; exit 0"


def top_layer(cli: DockerCli, image: str, path: Path) -> dict[str, tuple[int, int]]:
    """name -> (mode, size) of the image's last layer."""
    cli("save", "-o", str(path), image).ok()
    files = files_of(path.read_bytes())
    layer = files[json.loads(files["manifest.json"])[0]["Layers"][-1]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        names = {
            each.name.strip("./"): (each.mode & 0o7777 if ".wh." not in each.name else 0, each.size)
            for each in tar
        }
    return {name: said for name, said in names.items() if name}


@pytest.mark.kernel
@pytest.mark.oracle
def test_a_commit_is_as_dockerds(
    engine: Engine, client: docker.DockerClient, dockerd: Dockerd, tmp_path: Path
) -> None:
    found: list[Any] = []
    try:
        for cli in (engine.docker, dockerd.docker):
            line = ("--name", "c1", "--net", "none", "-e", "X=1", "-l", "a=b", "--expose", "80")
            cli("run", *line, "busybox", "sh", "-c", SCRIPT).ok()
            change = ("-c", "CMD x", "-c", "ENV Y=$X", "-c", "VOLUME /v")
            id = cli("commit", "-m", "why", "-a", "me", *change, "c1", "made:1").ok()
            shown = json.loads(cli("inspect", "made:1").ok())[0]
            assert shown["Id"] == id
            config = {k: v for k, v in shown["Config"].items() if v and k in COMPARED}
            history = json.loads(
                cli(
                    "history",
                    "--format",
                    "[{{json .Comment}},{{json .CreatedBy}}]",
                    "--no-trunc",
                    "made:1",
                )
                .ok()
                .splitlines()[0]
            )
            layer = top_layer(cli, "made:1", tmp_path / f"{len(found)}.tar")
            found.append((config, history, layer, shown["Author"], shown["Comment"]))
    finally:
        dockerd.docker("rm", "-f", "c1")
        dockerd.docker("rmi", "-f", "made:1")  # busybox is everybody's
    ours, theirs = found
    assert ours == theirs


@pytest.mark.kernel
@pytest.mark.oracle
def test_an_image_knows_what_it_was_made_of_as_dockerds_does(
    engine: Engine, client: docker.DockerClient, dockerd: Dockerd
) -> None:
    """API 1.44 is the last that shows the container; the parent is shown by all, while it lasts."""
    found = []
    for daemon in (engine, dockerd):
        with contextlib.closing(docker.APIClient(f"unix://{daemon.socket}", "1.41")) as api:
            daemon.docker("create", "--name", "c1", "--net", "none", "-e", "X=1", "busybox").ok()
            try:
                container = api.inspect_container("c1")
                busybox, made = api.inspect_image("busybox"), api.commit("c1", changes="USER x")
                shown = api.inspect_image(made["Id"])
                (row,) = (each for each in api.images() if each["Id"] == made["Id"])
            finally:
                daemon.docker("rm", "-f", "c1")
                daemon.docker("rmi", "-f", made["Id"])
        assert shown["Container"] == container["Id"]
        assert shown["ContainerConfig"] == container["Config"]
        assert shown["Parent"] == row["ParentId"] == busybox["Id"]
        found.append((busybox["Container"], busybox["Parent"], set(busybox["ContainerConfig"])))
    assert found[0] == found[1]


COMPARED = {"Env", "Cmd", "Entrypoint", "Volumes", "Labels", "ExposedPorts", "User", "WorkingDir"}


@pytest.mark.kernel
def test_a_running_container_is_paused_meanwhile(
    engine: Engine, client: docker.DockerClient
) -> None:
    container = client.containers.run("busybox", ["sleep", "100"], name="runs", detach=True)
    events = client.events(decode=True, filters={"container": container.id})
    image = container.commit("made", "1", message="m", author="a", changes=["CMD x\nENV Y=1"])
    container.commit("made", "2", pause=False)
    seen = [next(events)["Action"] for _ in range(4)]
    events.close()
    assert seen == ["pause", "unpause", "commit", "commit"]
    container.reload()
    assert container.status == "running"
    assert image.attrs["Config"]["Cmd"] == ["/bin/sh", "-c", "x"]
    assert "Y=1" in image.attrs["Config"]["Env"]
    container.pause()
    container.commit("made", "3")
    container.reload()
    assert container.status == "paused"


@pytest.mark.kernel
def test_what_a_started_container_has_of_the_engine_is_no_change(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    line = ("--name", "c1", "--tmpfs", "/made/here", "-v", f"{tmp_path}:/mnt/x", "-w", "/work")
    engine.docker("run", *line, "busybox", "true").ok()
    client.api.commit("c1", "made", "1")
    assert set(top_layer(engine.docker, "made:1", tmp_path / "t.tar")) <= {
        *("made", "made/here", "mnt", "mnt/x", "work")
    }
    before = client.images.get("busybox").attrs["RootFS"]["Layers"]
    engine.docker("run", "--name", "d1", "busybox", "true").ok()
    client.api.commit("d1", "made", "2")
    assert client.images.get("made:2").attrs["RootFS"]["Layers"] == before


@pytest.mark.kernel
def test_what_cannot_be_committed_is_refused(client: docker.DockerClient) -> None:
    client.containers.create("busybox", name="c1")
    before = client.images.list()
    for arguments, status in (
        (("nope",), 404),
        (("c1", "UPPER"), 400),
        (("c1", "x@sha256:" + "a" * 64), 400),
    ):
        with pytest.raises(docker.errors.APIError) as refused:
            client.api.commit(*arguments)
        assert refused.value.status_code == status
    with pytest.raises(docker.errors.APIError, match="from is not a valid change command"):
        client.api.commit("c1", changes="FROM x")
    assert client.images.list() == before


@pytest.mark.kernel
def test_import_from_the_body_a_file_and_a_url(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    data = tar_of({"hello": b"hi\n"})
    (tmp_path / "a.tar").write_bytes(data)
    name = str(tmp_path / "a.tar")
    line = ("import", "-m", "why", "-c", "CMD x", "-c", "ENV A=1")
    for cli in (engine.docker, engine.own):
        id = cli(*line, name, "made:1").ok()
        shown = client.images.get("made:1")
        assert shown.id == id
        assert shown.attrs["Config"]["Env"] == ["A=1"]
        assert shown.attrs["Comment"] == "why"
    with serve_files(tmp_path) as url:
        for cli in (engine.docker, engine.own):
            out = cli("import", f"{url}/a.tar").ok()
            assert f"Downloading from {url}/a.tar" in out
            shown = client.images.get(out.split()[-1])
            assert shown.attrs["Comment"] == f"Imported from {url}/a.tar"
        missing = engine.docker("import", f"{url}/none.tar")
        assert (missing.code, "404" in missing.err) == (1, True)
    gone = engine.docker("import", "http://127.0.0.1:1/x")
    assert 'Get "http://127.0.0.1:1/x"' in gone.err
    for bad, text in (
        (("-c", "RUN x", name), "run is not a valid change command"),
        ((name, "UPPER:1"), "must be lowercase"),
        (("--platform", "a/b/c/d", name), "cannot parse platform"),
    ):
        refused = engine.docker("import", *bad)
        assert refused.code == 1
        assert text in refused.err


@contextlib.contextmanager
def serve_files(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
