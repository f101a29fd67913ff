"""Images and the engine itself: each operation with every documented status."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from tests.daemon.asking import Ask
from tests.daemon.replies import asks
from tests.daemon.replies.containers import tar
from tests.daemon.test_image_registries import serve_search
from tests.images.pulls import SAMPLE
from tests.images.samples import write_layout
from tests.support.registry import PASSWORD, USER, serve_registry

GONE = "nobody/has-this"


@asks("ImageList")
def listing(ask: Ask) -> None:
    assert ask("ImageList", 200).json
    ask("ImageList", 200, **{"all": 1, "digests": 1, "shared-size": 1})
    ask("ImageList", 200, filters={"reference": {"busybox": True}, "dangling": {"false": True}})
    ask("ImageList", 400, filters={"nonsense": {"a": True}})


@asks("ImageInspect")
def inspect(ask: Ask) -> None:
    ask("ImageInspect", 200, name="busybox")
    ask("ImageInspect", 200, name="docker.io/library/busybox:latest")
    ask("ImageInspect", 404, name=GONE)


@asks("ImageHistory")
def history(ask: Ask) -> None:
    assert ask("ImageHistory", 200, name="busybox").json
    ask("ImageHistory", 404, name=GONE)


@asks("ImageTag")
def tag(ask: Ask) -> None:
    ask("ImageTag", 201, name="busybox", repo="replies/tag", tag="1")
    ask("ImageTag", 400, name="busybox", repo="NOT LOWER")
    ask("ImageTag", 404, name=GONE, repo="replies/tag")
    ask("ImageDelete", 200, name="replies/tag:1")


@asks("ImageDelete")
def delete(ask: Ask) -> None:
    image = imported(ask, "replies/delete")
    id = ask("ContainerCreate", 201, {"Image": image, "Cmd": ["x"]}).json["Id"]
    ask("ImageDelete", 409, name=image)
    ask("ContainerDelete", 204, id=id)
    assert ask("ImageDelete", 200, name=image, force=1, noprune=1).json
    ask("ImageDelete", 404, name=image)


@asks("ImagePrune")
def prune(ask: Ask) -> None:
    ask("ImagePrune", 200, filters={"label": {"nobody=has-this": True}})
    nameless = imported(ask, None)
    got = ask("ImagePrune", 200, filters={"dangling": {"true": True}}).json
    assert {"Deleted": nameless} in got["ImagesDeleted"]
    ask("ImagePrune", 400, filters={"nonsense": {"a": True}})


@asks("ImageCreate")
def pull(ask: Ask) -> None:
    told = ask("ImageCreate", 200, fromImage="busybox", tag="latest").messages
    assert told[-1]["status"].startswith("Status: ")
    ask("ImageDelete", 200, name="busybox:latest", force=1)
    told = ask("ImageCreate", 200, fromImage="busybox", tag="latest", platform="linux").messages
    assert any("progressDetail" in each for each in told)
    mirror = ask("SystemInfo", 200).json["RegistryConfig"]["Mirrors"][0].split("/")[2]
    ask("ImageCreate", 404, fromImage=f"{mirror}/{GONE}", tag="latest")
    ask("ImageCreate", 400, fromImage="NOT LOWER", tag="latest")
    imported(ask, "replies/import")
    ask("ImageDelete", 200, name="replies/import")


def imported(ask: Ask, name: str | None) -> str:
    """The ID of an image that is new."""
    more = "Content-Type: application/x-tar\r\n"
    files = tar(a=name or "nameless")
    told = ask("ImageCreate", 200, files, more=more, fromSrc="-", repo=name).messages
    return str(told[-1]["status"])


@asks("ImageGet")
def get(ask: Ask) -> None:
    assert "manifest.json" in names(ask("ImageGet", 200, name="busybox").body)
    ask("ImageGet", 404, name=GONE)


@asks("ImageGetAll")
def get_all(ask: Ask) -> None:
    got = ask("ImageGetAll", 200, names=["busybox", "busybox:latest"])
    assert "manifest.json" in names(got.body)
    ask("ImageGetAll", 404, names=[GONE])
    ask("ImageGetAll", 400, names=[])


def names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        return found.getnames()


@asks("ImageLoad")
def load(ask: Ask) -> None:
    kind = "Content-Type: application/x-tar\r\n"
    saved = ask("ImageGet", 200, name="busybox").body
    told = ask("ImageLoad", 200, saved, more=kind).messages
    assert told[-1]["stream"] == "Loaded image: busybox:latest\n"
    assert len(ask("ImageLoad", 200, saved, more=kind, quiet=1).messages) == 1
    assert "errorDetail" in ask("ImageLoad", 200, b"no tar", more=kind).messages[-1]
    ask("ImageLoad", 400, saved, more=kind, platform="x")


@asks("ImageSearch")
def search(ask: Ask) -> None:
    with serve_search() as (host, _):
        assert ask("ImageSearch", 200, term=f"{host}/x", limit=5).json
    ask("ImageSearch", 400, term="x", limit=1000)


@asks("DistributionInspect")
def distribution(ask: Ask) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with serve_registry(Path(folder, "open")) as free:
            free.push(write_layout(Path(folder, "it"), [SAMPLE]), "a/it:1")
            ask("DistributionInspect", 200, name=f"{free.host}/a/it:1")
            ask("DistributionInspect", 404, name=f"{free.host}/a/it:2")
        with serve_registry(Path(folder, "locked"), password=True) as locked:
            ask("DistributionInspect", 401, name=f"{locked.host}/a/it:1")
    ask("DistributionInspect", 400, name="NOT LOWER")


@asks("SystemAuth")
def auth(ask: Ask) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_registry(Path(folder), password=True) as locked,
    ):
        said = {"username": USER, "password": PASSWORD, "serveraddress": locked.host}
        assert ask("SystemAuth", 200, said).json["Status"] == "Login Succeeded"
        ask("SystemAuth", 401, said | {"password": "wrong"})
    ask("SystemAuth", 400, {})


@asks("SystemPing")
def ping(ask: Ask) -> None:
    assert ask("SystemPing", 200).body == b"OK"


@asks("SystemPingHead")
def ping_head(ask: Ask) -> None:
    ask("SystemPingHead", 200)


@asks("SystemVersion")
def version(ask: Ask) -> None:
    ask("SystemVersion", 200)


@asks("SystemInfo")
def info(ask: Ask) -> None:
    ask.running()
    ask("SystemInfo", 200)


@asks("SystemDataUsage")
def data_usage(ask: Ask) -> None:
    ask.running("sh", "-c", "echo a >/a; sleep 600")
    ask("SystemDataUsage", 200)
    assert ask("SystemDataUsage", 200, type=["image", "volume"]).json.keys() >= {"Images"}
    ask("SystemDataUsage", 400, type=["nonsense"])


@asks("SwarmLeave")
def swarm(ask: Ask) -> None:
    ask("SwarmLeave", 503)
