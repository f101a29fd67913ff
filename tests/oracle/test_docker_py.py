"""docker-py, the library that Python programs use, gets from this engine what dockerd gives it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

docker = pytest.importorskip("docker", reason="needs docker-py: pip install -e '.[test]'")

NAME = "docker-py-container"
FOREVER = ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.02; done"]

Talk = Callable[[Any], object]


def run_to_the_end(client: Any) -> object:
    output = client.containers.run("busybox", "echo hello", remove=True, network_mode="none")
    both = client.containers.run(
        "busybox",
        ["sh", "-c", "echo out; echo err >&2"],
        stderr=True,
        network_mode="none",
        remove=True,
    )
    return output, sorted(both.splitlines())


def run_fails(client: Any) -> object:
    with pytest.raises(docker.errors.ContainerError) as failed:
        client.containers.run(
            "busybox", ["sh", "-c", "echo why >&2; exit 3"], network_mode="none", remove=True
        )
    return failed.value.exit_status, failed.value.stderr


def no_such_things(client: Any) -> object:
    said = []
    for ask in (client.containers.get, client.images.get):
        with pytest.raises(docker.errors.NotFound) as missing:
            ask("nobody-here")
        said.append((type(missing.value).__name__, missing.value.status_code))
    with pytest.raises(docker.errors.APIError) as refused:
        client.containers.create("busybox", "true", name="bad name")
    return said, refused.value.status_code, refused.value.explanation


def life(client: Any) -> object:
    container = client.containers.create("busybox", FOREVER, name=NAME, network_mode="none")
    said = [container.status]
    for act in (container.start, container.pause, container.unpause, container.stop):
        act()
        container.reload()
        said.append(container.status)
    said.append(container.wait()["StatusCode"])
    container.restart(timeout=0)
    container.kill("KILL")
    said.append(container.wait()["StatusCode"])
    container.remove()
    with pytest.raises(docker.errors.NotFound):
        container.reload()
    return said


def listing(client: Any) -> object:
    container = running(client, labels={"k": "v"})
    by_label = client.containers.list(filters={"label": "k=v"})
    by_name = client.containers.list(all=True, filters={"name": NAME, "status": "running"})
    container.reload()
    return [one.name for one in by_label], [one.name for one in by_name], container.labels


def execution(client: Any) -> object:
    container = running(client)
    plain = container.exec_run("echo hello")
    apart = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
    environment = container.exec_run("env", environment={"A": "1"}, user="app", workdir="/tmp")
    stream = container.exec_run(["seq", "3"], stream=True)
    return plain, apart, b"A=1" in environment.output, b"".join(stream.output)


def execution_on_a_terminal(client: Any) -> object:
    """Whether its stream is framed is what the start says of a terminal, not the create."""
    container = running(client)
    said = []
    for created, started in product((False, True), repeat=2):
        made = client.api.exec_create(container.id, "echo hello", tty=created)
        connection = client.api.exec_start(made, tty=started, socket=True)
        said.append(connection.read())
        connection.close()
    return said


def streaming(client: Any) -> object:
    """Log lines come as they are written, and the stream ends with the container."""
    container = client.containers.run(
        "busybox",
        ["sh", "-c", "read line; echo got $line; echo end"],
        name=NAME,
        network_mode="none",
        stdin_open=True,
        detach=True,
    )
    socket = container.attach_socket(params={"stdin": 1, "stream": 1})
    socket._sock.sendall(b"typed\n")
    lines = b"".join(container.logs(stream=True, follow=True))
    socket.close()
    return lines, container.wait()["StatusCode"], container.logs(tail=1)


def terminal(client: Any) -> object:
    container = client.containers.run(
        "busybox",
        ["sh", "-c", "echo $(tty)"],
        name=NAME,
        network_mode="none",
        tty=True,
        detach=True,
    )
    container.wait()
    return container.logs()


def looking(client: Any) -> object:
    # Nothing that forks: its processes are counted.
    container = client.containers.run(
        "busybox", "sleep 1000", name=NAME, network_mode="none", detach=True
    )
    container.reload()
    stats = container.stats(stream=False)
    top = container.top(ps_args="-o pid,args")
    return (
        sorted(stats.keys() - {"id", "name"}),
        stats["pids_stats"]["current"],
        top["Titles"],
        len(top["Processes"]),
        container.image.tags,
    )


def images(client: Any) -> object:
    image = client.images.get("busybox")
    image.tag("docker-py-name", "one")
    image.reload()
    tags = sorted(image.tags)
    client.images.remove("docker-py-name:one")
    history = [layer["Tags"] for layer in image.history()]
    return tags, history


def about(client: Any) -> object:
    return client.ping(), sorted(client.version().keys() & {"Version", "ApiVersion", "Os", "Arch"})


def running(client: Any, **more: Any) -> Any:
    return client.containers.run(
        "busybox", FOREVER, name=NAME, network_mode="none", detach=True, **more
    )


def shape(value: object, path: str = "") -> dict[str, str]:
    """JSON as ``dotted.key -> kind``: what a program that reads it relies on.

    null is a kind of its own: a reader that expects a list falls over it.
    """
    if isinstance(value, dict):
        parts = [{path: "dict"}, *(shape(each, f"{path}.{key}") for key, each in value.items())]
        return {key: kind for part in parts for key, kind in part.items()}
    if isinstance(value, list):
        return {path: "list", **(shape(value[0], f"{path}[]") if value else {})}
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return {path: "time"}
    return {path: type(value).__name__}


# In dockerd 20.10's answers, and not in those of API 1.50; or data and no shape.
GONE = re.compile(
    r"\.(Container|DockerVersion|VirtualSize|BuildTime|Expected)$|^\.ContainerConfig\b"
    r"|\.KernelMemory(TCP)?$|\.AllowNondistributable|^\.GraphDriver\.Data|^\.Runtimes\."
)
GONE_OF_IMAGES = re.compile(
    r"^\.Config\.(Hostname|Domainname|Attach\w+|Tty|OpenStdin|StdinOnce|Image)$"
)


def misshapen(theirs: object, ours: object, but: re.Pattern[str] = GONE) -> list[str]:
    """What dockerd's answer has and ours lacks, or has of another kind."""
    wanted, found = shape(theirs), shape(ours)
    return [
        f"{key}: {kind} in Docker's, {found.get(key, 'absent')} in ours"
        for key, kind in wanted.items()
        if not (GONE.search(key) or but.search(key)) and found.get(key) != kind
    ]


TALKS: list[Talk] = [
    run_to_the_end,
    run_fails,
    no_such_things,
    life,
    listing,
    execution,
    execution_on_a_terminal,
    streaming,
    terminal,
    looking,
    images,
    about,
]


@pytest.fixture
def clients(dockerd: Dockerd, engine: Engine) -> Iterator[tuple[Any, Any]]:
    """docker-py's clients of dockerd and of this engine; the container is removed at the end."""
    both = [
        docker.DockerClient(f"unix://{daemon.socket}", timeout=30) for daemon in (dockerd, engine)
    ]
    try:
        yield both[0], both[1]
    finally:
        for daemon, client in zip((dockerd, engine), both, strict=True):
            daemon.docker("rm", "-f", NAME)
            client.close()


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.__name__)
def test_a_talk_through_docker_py_is_the_same(talk: Talk, clients: tuple[Any, Any]) -> None:
    theirs, ours = clients
    assert talk(ours) == talk(theirs)


@pytest.mark.kernel
@pytest.mark.oracle
def test_what_is_inspected_has_dockers_keys_and_kinds(clients: tuple[Any, Any]) -> None:
    attributes = []
    for client in clients:
        container = running(client, mem_limit="64m", environment={"A": "1"}, tmpfs={"/t": ""})
        container.reload()
        image = client.images.get("busybox")
        listed = client.api.containers(filters={"name": NAME})
        attributes.append((container.attrs, image.attrs, listed, client.info(), client.version()))
    wrong = [
        f"{what} {line}"
        for what, theirs, ours in zip(
            ("container", "image", "list", "info", "version"), *attributes, strict=True
        )
        for line in misshapen(theirs, ours, GONE_OF_IMAGES if what == "image" else GONE)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_missing_key_and_another_kind_are_named() -> None:
    theirs = {"A": {"B": 1, "C": []}, "D": None, "Container": ""}
    assert misshapen(theirs, theirs) == []
    assert misshapen(theirs, {"A": {"B": "1", "C": []}, "E": 1}) == [
        ".A.B: int in Docker's, str in ours",
        ".D: NoneType in Docker's, absent in ours",
    ]
    assert misshapen({"A": []}, {"A": ["x"]}) == []
