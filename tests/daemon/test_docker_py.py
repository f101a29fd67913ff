"""docker-py against the running engine: another program's idea of the API.

What docker-py's own tests ask, and what can be compared with dockerd, is in tests/oracle
(test_docker_py_suite.py, test_docker_py.py).
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.errors import APIError, ImageNotFound, NotFound

from tests.daemon import api
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel

IMAGE = "busybox"


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        yield client


@pytest.fixture
def create(client: docker.DockerClient) -> Iterator[Callable[..., Any]]:
    """``create("sh", "-c", "...", tty=True)``: a container, removed at the end."""
    made = []

    def make(*command: str, **options: Any) -> Any:
        container = client.containers.create(IMAGE, list(command), **options)
        made.append(container)
        return container

    yield make
    for container in made:
        with contextlib.suppress(NotFound):
            container.remove(force=True)


def test_what_is_so_already_is_304_and_what_cannot_be_is_409(create: Callable[..., Any]) -> None:
    container = create("sleep", "60")
    container.stop()  # 304: docker-py is silent
    with pytest.raises(APIError) as refused:
        container.pause()
    assert refused.value.status_code == 409
    container.start()
    container.start()  # 304
    with pytest.raises(APIError) as refused:
        container.remove()
    assert refused.value.status_code == 409
    assert "stop the container before removing or force remove" in refused.value.explanation


def test_inspect_and_list_are_what_the_api_says(
    client: docker.DockerClient, create: Callable[..., Any]
) -> None:
    container = create("sleep", "60", mem_limit="64m", tmpfs={"/run": ""}, labels={"look": "here"})
    container.start()
    shown = client.api.inspect_container(container.id)
    api.check("ContainerInspectResponse", shown)
    assert shown["Config"]["Hostname"] == container.id[:12]
    assert shown["HostConfig"]["Memory"] == 64 << 20
    assert shown["NetworkSettings"]["Networks"].keys() == {"bridge"}
    (row,) = client.api.containers(filters={"label": "look=here"}, size=True)
    api.check("ContainerSummary", row)
    assert row["Image"] == IMAGE
    assert row["State"] == "running"
    assert row["Status"].startswith("Up ")


def test_logs_keep_the_streams_apart_and_have_times(create: Callable[..., Any]) -> None:
    container = create("sh", "-c", "echo out; echo err >&2")
    container.start()
    container.wait()
    assert container.logs(stdout=True, stderr=False) == b"out\n"
    assert container.logs(stdout=False, stderr=True) == b"err\n"
    stamp, _, text = container.logs(stderr=False, timestamps=True).partition(b" ")
    assert text == b"out\n"
    assert len(stamp) == len("2006-01-02T15:04:05.000000000Z")
    assert container.logs(tail=0) == b""
    assert container.logs(until=1) == b""
    with pytest.raises(APIError, match="at least one stream"):
        container.logs(stdout=False, stderr=False)


def test_attach_before_the_start_misses_nothing(create: Callable[..., Any]) -> None:
    container = create("sh", "-c", "echo first; cat", stdin_open=True)
    # docker-py 7 calls ``stdin_once`` nothing: the API's own default keeps the stream open.
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    socket._sock.sendall(b"second\n")
    said = b""
    while b"second" not in said:
        piece = socket._sock.recv(100)
        assert piece, said
        said += piece
    assert b"first\n" in said
    assert said[:1] == b"\x01"  # framed: there is no terminal
    socket._sock.close()
    container.kill()


def test_exec_has_output_and_exit_code(create: Callable[..., Any]) -> None:
    container = create("sleep", "60")
    container.start()
    both = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
    assert (both.exit_code, both.output) == (4, (b"out\n", b"err\n"))
    said = container.exec_run(
        ["sh", "-c", "echo $A $USER; pwd"], environment={"A": "1"}, workdir="/tmp"
    )
    assert said.output == b"1\n/tmp\n"
    missing = container.exec_run(["no-such-program"])
    assert missing.exit_code == 127
    assert b"executable file not found" in missing.output
    shown = container.client.api.exec_create(container.id, ["true"])
    inspected = container.client.api.exec_inspect(shown["Id"])
    assert inspected["ExitCode"] is None
    api.check("ExecInspectResponse", inspected | {"ExitCode": 0})


def test_a_terminal_is_one_raw_stream_and_can_be_resized(create: Callable[..., Any]) -> None:
    container = create("sh", "-c", "sleep 0.5; stty size", tty=True)
    container.start()
    container.resize(33, 99)
    container.wait()
    assert container.logs() == b"33 99\r\n"


def test_top_and_stats(client: docker.DockerClient, create: Callable[..., Any]) -> None:
    container = create("sleep", "60")
    assert container.stats(stream=False)["read"] == "0001-01-01T00:00:00Z"  # nothing was read
    container.start()
    top = container.top()
    api.check("ContainerTopResponse", top)
    assert "sleep 60" in top["Processes"][0][-1]
    began = time.monotonic()
    once = client.api.stats(container.id, stream=False, one_shot=True)
    assert time.monotonic() - began < 0.9
    api.check("ContainerStatsResponse", once)
    two = container.stats(stream=False)
    assert two["precpu_stats"]["system_cpu_usage"] < two["cpu_stats"]["system_cpu_usage"]


def test_events_tell_the_life(client: docker.DockerClient, create: Callable[..., Any]) -> None:
    since = time.time()
    container = create("true")
    container.start()
    container.wait()
    container.remove()
    told = list(
        client.events(
            since=since, until=time.time() + 0.5, decode=True, filters={"container": container.id}
        )
    )
    actions = [event["Action"] for event in told]
    assert [each for each in actions if each in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    (died,) = [event for event in told if event["Action"] == "die"]
    assert died["Actor"]["Attributes"]["exitCode"] == "0"
    for event in told:
        api.check("EventMessage", event)


def test_images(client: docker.DockerClient, busybox_mirror: str) -> None:
    image = client.images.get(IMAGE)
    api.check("ImageInspect", image.attrs)
    for row in client.api.images():
        api.check("ImageSummary", row)
    api.check_reply("ImageHistory", image.history())
    name = f"own/{uuid.uuid4().hex[:8]}"
    assert image.tag(name, "1")
    with pytest.raises(APIError, match="ambiguous tag using digest algorithm as name"):
        image.tag("sha256", "abc")
    assert client.images.get(f"{name}:1").id == image.id
    assert [each.id for each in client.images.list(name=name)] == [image.id]
    client.images.remove(f"{name}:1")
    with pytest.raises(ImageNotFound, match="No such image"):
        client.images.get(f"{name}:1")
    assert client.images.pull(IMAGE, tag="latest").id == image.id
    host = busybox_mirror.removeprefix("http://")
    with pytest.raises(NotFound, match="not found"):
        client.images.pull(f"{host}/no/such-image", tag="latest")


def test_an_image_in_use_stays(client: docker.DockerClient, create: Callable[..., Any]) -> None:
    create("true")
    with pytest.raises(APIError) as refused:
        client.images.remove(IMAGE)
    assert refused.value.status_code == 409


def test_the_daemon_about_itself(client: docker.DockerClient) -> None:
    assert client.ping()
    api.check("SystemVersion", client.version())
    info = client.info()
    api.check("SystemInfo", info)
    assert info["Driver"] == "overlay2"
    for network in client.api.networks():
        api.check("Network", network)
    assert {each.name for each in client.networks.list()} == {"bridge", "none", "host"}
    assert client.volumes.list() == []
    with pytest.raises(APIError, match="connection refused"):
        client.login("user", "password", registry="127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": "nowhere"}, "network nowhere not found"),
        ({"volumes": ["data:/data"]}, "this engine has no volumes yet"),
        ({"ports": {"80/sctp": 8080}}, "sctp is not supported"),
        ({"cap_add": ["NOPE"]}, "NOPE"),
        ({"name": "-bad"}, "Invalid container name"),
        ({"mem_limit": "1m"}, "6MB"),
        ({"runtime": "kata"}, "unknown or invalid runtime name: kata"),
    ],
)
def test_what_is_not_honoured_is_refused_by_name(
    client: docker.DockerClient, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(APIError) as refused:
        client.containers.create(IMAGE, "true", **options)
    assert refused.value.status_code == 400
    assert said in refused.value.explanation


def test_the_embedded_image_is_made_when_it_is_asked_for(client: docker.DockerClient) -> None:
    said = client.containers.run("minidocker/base", ["echo", "made here"], remove=True)
    assert said == b"made here\n"
    assert client.images.get("minidocker/base").tags == ["minidocker/base:latest"]


def test_a_plan_makes_nothing_and_a_trace_tells_what_was_done(
    client: docker.DockerClient, create: Callable[..., Any]
) -> None:
    before = len(client.containers.list(all=True))
    body = {"Image": IMAGE, "Cmd": ["true"]}
    planned = client.api._result(
        client.api._post_json(client.api._url("/minidocker/plan"), data=body), json=True
    )
    assert len(client.containers.list(all=True)) == before
    assert any("pivot_root" in step["text"] for step in planned["steps"])
    container = create("true")
    container.start()
    container.wait()
    url = client.api._url("/minidocker/containers/{0}/trace", container.id)
    trace = client.api._result(client.api._get(url), json=True)
    assert any("pivot_root" in step["text"] and step["took_ns"] > 0 for step in trace)
