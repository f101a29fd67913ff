"""Prune, disk usage and the list's filters, over the API and by both commands."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.daemon.filters import until_of
from minidocker.daemon.image_prune import passes
from minidocker.daemon.image_shapes import created_ns
from minidocker.errors import InvalidParameter
from minidocker.images.store import Image
from minidocker.oci.image_config import ImageConfig, RunDefaults
from tests.daemon import api
from tests.images.samples import tar_of
from tests.images.stores import content
from tests.support.engine import Engine

labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))


def image(said: dict[str, str], created: str = "") -> Image:
    config = ImageConfig("amd64", "linux", config=RunDefaults(labels=said), created=created)
    return Image("sha256:" + "a" * 64, config, "")


@given(labels, labels, labels)
def test_labels_that_must_and_that_must_not(
    own: dict[str, str], wanted: dict[str, str], unwanted: dict[str, str]
) -> None:
    filters = {
        "label": frozenset(f"{key}={value}" for key, value in wanted.items()),
        "label!": frozenset(f"{key}={value}" for key, value in unwanted.items()),
    }
    # As dockerd 20.10: only who has all of the second kind is spared.
    spared = bool(unwanted) and unwanted.items() <= own.items()
    expected = wanted.items() <= own.items() and not spared
    assert passes(image(own), filters, None) == expected


def test_until_is_one_moment() -> None:
    assert until_of({}, 0) is None
    assert until_of({"until": frozenset({"1h"})}, 7200 * 10**9) == 3600 * 10**9
    with pytest.raises(InvalidParameter, match="more than one"):
        until_of({"until": frozenset({"1h", "2h"})}, 0)
    with pytest.raises(InvalidParameter):
        until_of({"until": frozenset({"x"})}, 0)
    made = image({}, "1970-01-01T00:00:02.5Z")
    assert created_ns(made) == 2_500_000_000
    assert passes(made, {}, 3 * 10**9)
    assert not passes(made, {}, 2 * 10**9)


@pytest.fixture
def engine(new_engine: Callable[..., Engine]) -> Engine:
    """One with no other images than busybox: a prune is for all of them."""
    fresh = new_engine()
    fresh.docker("pull", "--quiet", "busybox").ok()
    return fresh


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        yield client


def make(engine: Engine, folder: Path, name: str, *changes: str, size: int = 1000) -> str:
    """An image of one file with its own name in it; its ID."""
    (folder / "x.tar").write_bytes(tar_of({"x": name.encode().ljust(size, b".")}))
    options = [word for change in changes for word in ("-c", change)]
    rest = [name] if not name.startswith("nameless") else []
    return engine.own("import", *options, str(folder / "x.tar"), *rest).ok()


@pytest.mark.kernel
def test_dangling_images_go_and_then_all_that_nobody_uses(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    engine.own("create", "--name", "holds", "busybox", "true").ok()
    before = content(engine.data)
    named = make(engine, tmp_path, "named:1", "LABEL keep=yes")
    other = make(engine, tmp_path, "other:1")
    nameless = make(engine, tmp_path, "nameless")
    report = client.images.prune()
    assert report == {
        "ImagesDeleted": [
            {"Deleted": nameless},
            {"Deleted": report["ImagesDeleted"][1]["Deleted"]},
        ],
        "SpaceReclaimed": 1000,
    }
    for each in report["ImagesDeleted"]:
        api.check("ImageDeleteResponseItem", each)
    assert client.images.prune()["SpaceReclaimed"] == 0
    assert client.images.prune({"dangling": False, "label": ["nope"]})["ImagesDeleted"] is None
    assert client.images.prune({"dangling": False, "until": "1h"})["ImagesDeleted"] is None
    out = engine.own("image", "prune", "-af", "--filter", "label!=keep=yes").ok()
    assert out.splitlines()[:3] == ["Deleted Images:", "untagged: other:1", f"deleted: {other}"]
    assert out.endswith("Total reclaimed space: 1kB")
    out = engine.docker("image", "prune", "-af").ok()
    assert f"deleted: {named}" in out
    assert [each.tags for each in client.images.list()] == [["busybox:latest"]]
    assert content(engine.data) == before
    for bad in ({"bad": ["1"]}, {"dangling": ["x"]}, {"until": ["x"]}):
        with pytest.raises(docker.errors.APIError) as refused:
            client.images.prune(bad)
        assert refused.value.status_code == 400


@pytest.mark.kernel
def test_prune_asks_first(engine: Engine) -> None:
    no = engine.own("image", "prune", input="n\n")
    assert (no.code, no.err) == (0, "")
    assert "This will remove all dangling images." in no.out
    yes = engine.own("image", "prune", input="y\n")
    assert (yes.code, yes.out.splitlines()[-1][-25:]) == (0, "Total reclaimed space: 0B"[-25:])


@pytest.mark.kernel
def test_disk_usage_counts_shared_layers_once(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    engine.own("run", "--name", "wrote", "busybox", "sh", "-c", "echo hi > /f").ok()
    engine.own("commit", "-c", "CMD x", "wrote", "made:1").ok()
    make(engine, tmp_path, "lone:1")
    usage = client.df()
    base = client.images.get("busybox").attrs["Size"]
    assert usage["LayersSize"] == base + 3 + 1000
    sizes = {each["RepoTags"][0]: each for each in usage["Images"]}
    for each in usage["Images"]:
        api.check("ImageSummary", each)
    shown = {name: (each["SharedSize"], each["Containers"]) for name, each in sizes.items()}
    assert shown == {"busybox:latest": (base, 1), "made:1": (base, 0), "lone:1": (0, 0)}
    (container,) = usage["Containers"]
    assert container["SizeRw"] == 3
    assert (usage["Volumes"], usage["BuildCache"]) == ([], [])
    images_only = client.api._get(client.api._url("/system/df"), params={"type": "image"})
    assert images_only.json().keys() == {"LayersSize", "Images"}
    wrong = client.api._get(client.api._url("/system/df"), params={"type": "nope"})
    assert wrong.json() == {"message": "unknown object type: nope"}


@pytest.mark.kernel
def test_both_commands_show_the_same(
    engine: Engine, client: docker.DockerClient, tmp_path: Path
) -> None:
    engine.own("run", "--name", "wrote", "busybox", "sh", "-c", "echo hi > /f").ok()
    engine.own("commit", "-m", "why", "wrote", "made:1").ok()
    make(engine, tmp_path, "lone:1", "LABEL a=b")
    make(engine, tmp_path, "nameless")
    for line in (
        ("system", "df"),
        ("system", "df", "-v"),
        ("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}"),
        ("history", "--no-trunc", "made:1"),
        ("history", "-q", "made:1"),
        ("history", "-H=false", "lone:1"),
        ("history", "--format", "{{.ID}} {{.CreatedBy}} {{.Size}} {{.Comment}}", "made:1"),
        ("images", "--filter", "dangling=true", "-q"),
        ("images", "--filter", "label=a=b", "--digests"),
        ("images", "--filter", "since=busybox", "--format", "{{.Repository}}:{{.Tag}}"),
        ("images", "-a", "--filter", "before=lone:1", "--no-trunc"),
        ("image", "ls", "--filter", "reference=ma*", "--filter", "until=0h"),
        ("history", "nope"),
        ("images", "--filter", "bad=1"),
    ):
        own, theirs = engine.own(*line), engine.docker(*line)
        # A column is as wide as the ages in it, and a second passes between the two.
        ages = re.compile(r"\b(\d+ seconds?|Less than a second|About a minute)( ago)?\b| +")
        assert own.code == theirs.code, line
        assert ages.sub("", own.out) == ages.sub("", theirs.out), line
        assert own.err.strip() == theirs.err.strip(), line
    assert json.loads(engine.own("images", "--format", "json", "made").ok())["Repository"] == "made"
