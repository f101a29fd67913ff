"""Pulling from a real registry, and from one that cuts, lies and stalls."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.errors import InvalidParameter, MinidockerError, NotFound, SystemFailure
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import Progress, Tell
from minidocker.images.pull import pull
from minidocker.images.store import Image, ImageStore
from minidocker.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from minidocker.oci.platform import Platform, host_platform, parse_platform
from minidocker.oci.reference import parse_reference
from tests.images.samples import OCI, Sample, digest, index_of, sample, write_layout
from tests.images.stores import content, listed, open_store
from tests.support.registry import PASSWORD, USER, Registry, serve_front, serve_registry

pytestmark = pytest.mark.oracle

FAST = RegistryConfig(retry_delay=0.001)
HERE = host_platform().architecture
THERE = "s390x" if HERE != "s390x" else "amd64"
SAMPLE = sample(
    [{"a": b"one" * 9000}, {"b": b"two" * 9000}, {"c": b"three" * 9000}], architecture=HERE
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ImageStore]:
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture(scope="module")
def pushed(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry.push(write_layout(tmp_path_factory.mktemp("layout"), [SAMPLE]), "library/it:latest")
    return registry


def fetch(
    store: ImageStore,
    name: str,
    registry: RegistryConfig = FAST,
    platform: Platform | None = None,
    auth: Credentials | None = None,
    progress: Tell = lambda news: None,
) -> Image:
    return asyncio.run(
        pull(
            parse_reference(name),
            store=store,
            registry=registry,
            platform=platform,
            auth=auth,
            progress=progress,
        )
    )


def nothing_is_left(store: ImageStore, root: Path) -> bool:
    return store.list() == [] and content(root) == (set(), set(), set()) and listed(root) == {}


# -- what comes


def test_an_image_comes_whole(store: ImageStore, pushed: Registry, tmp_path: Path) -> None:
    image = fetch(store, f"{pushed.host}/library/it")
    assert image.id == SAMPLE.id
    assert image.names == (f"{pushed.host}/library/it:latest",)
    assert image.repo_digests == (f"{pushed.host}/library/it@{digest(SAMPLE.manifest)}",)
    blobs, unpacked, half = content(tmp_path / "store")
    assert blobs == {key.removeprefix("sha256:") for key in SAMPLE.blobs}
    assert len(unpacked) == 3
    assert not half
    top, *_ = store.layers.lower_dirs(image.config.diff_ids)
    assert (top / "c").read_bytes() == b"three" * 9000
    assert image.size == 9000 * 11


def test_the_lines_are_dockers(store: ImageStore, pushed: Registry) -> None:
    news: list[Progress] = []
    name = f"{pushed.host}/library/it"
    fetch(store, name, progress=news.append)
    said = [f"{each.id}: {each.status}" if each.id else each.status for each in news]
    assert said[0] == "latest: Pulling from library/it"
    assert said[-2] == f"Digest: {digest(SAMPLE.manifest)}"
    assert said[-1] == f"Status: Downloaded newer image for {name}:latest"
    for layer in SAMPLE.layers:
        short = digest(layer)[7:19]
        own = [each for each in news if each.id == short]
        order = list(dict.fromkeys(each.status for each in own if each.status != "Waiting"))
        assert order == [
            *("Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete"),
            *("Extracting", "Pull complete"),
        ]
        bars = [each for each in own if each.current is not None]
        assert all(each.total == len(layer) for each in bars)
        assert bars[-1].current == len(layer)
    again: list[Progress] = []
    fetch(store, name, progress=again.append)
    assert [each.status for each in again].count("Already exists") == 3
    assert again[-1].status == f"Status: Image is up to date for {name}:latest"


def test_by_digest_it_gets_no_tag(store: ImageStore, pushed: Registry) -> None:
    name = f"{pushed.host}/library/it@{digest(SAMPLE.manifest)}"
    image = fetch(store, name)
    assert (image.names, image.repo_digests) == ((), (name,))
    assert store.resolve(name) == image


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_compression_is_unpacked(
    store: ImageStore, registry: Registry, tmp_path: Path, compression: str
) -> None:
    made = sample([{"file": b"x" * 70_000}], compression=compression, architecture=HERE)
    registry.push(write_layout(tmp_path / "layout", [made]), f"packed/{compression}:1")
    image = fetch(store, f"{registry.host}/packed/{compression}:1")
    assert image.id == made.id
    [directory] = store.layers.lower_dirs(image.config.diff_ids)
    assert (directory / "file").read_bytes() == b"x" * 70_000


def test_dockers_manifest_is_listed_as_ocis(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", [SAMPLE])
    registry.push(layout, "docker/it:2", "--format", "v2s2")
    image = fetch(store, f"{registry.host}/docker/it:2")
    kept = json.loads(store.blobs.read(image.manifest_digest))
    assert kept["mediaType"] == DOCKER_MANIFEST
    [oci] = listed(tmp_path / "store").values()
    shown = json.loads(store.blobs.read(oci))
    assert shown["mediaType"] == OCI_MANIFEST
    assert shown["config"]["mediaType"] == f"{OCI}.config.v1+json"
    assert shown["config"]["digest"] == kept["config"]["digest"] == image.id
    assert image.config.diff_ids == tuple(json.loads(SAMPLE.config)["rootfs"]["diff_ids"])


# -- which platform


@pytest.fixture(scope="module")
def many(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Registry, dict[str, Sample]]:
    made = {
        each: sample([{"for": each.encode()}], architecture=each) for each in (THERE, HERE, "mips")
    }
    layout = write_layout(tmp_path_factory.mktemp("many"), list(made.values()), index=True)
    registry.push(layout, "many/it:latest")
    return registry, made


def test_an_index_leads_to_this_machines_image(
    store: ImageStore, many: tuple[Registry, dict[str, Sample]]
) -> None:
    registry, made = many
    image = fetch(store, f"{registry.host}/many/it")
    assert image.id == made[HERE].id
    _, body = index_of(list(made.values()))
    assert image.repo_digests == (f"{registry.host}/many/it@{digest(body)}",)
    assert image.manifest_digest == digest(made[HERE].manifest)


def test_another_platform_comes_when_asked_for(
    store: ImageStore, many: tuple[Registry, dict[str, Sample]]
) -> None:
    registry, made = many
    name = f"{registry.host}/many/it"
    fetch(store, name)
    image = fetch(store, name, platform=parse_platform(f"linux/{THERE}"))
    assert image.id == made[THERE].id
    assert store.resolve(name).id == made[THERE].id
    assert store.resolve(made[HERE].id).names == ()


def test_a_platform_that_is_not_there_is_named(
    store: ImageStore, many: tuple[Registry, dict[str, Sample]], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="no matching manifest for linux/riscv64"):
        fetch(store, f"{many[0].host}/many/it", platform=parse_platform("linux/riscv64"))
    assert nothing_is_left(store, tmp_path / "store")


def test_a_lone_image_of_another_platform_comes_with_a_warning(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    made = sample([{"x": b""}], architecture=THERE)
    registry.push(write_layout(tmp_path / "layout", [made]), "lone/it:latest")
    news: list[Progress] = []
    wanted = parse_platform(f"linux/{HERE}")
    fetch(store, f"{registry.host}/lone/it", platform=wanted, progress=news.append)
    assert any(f"wanted linux/{HERE}, actual: linux/{THERE}" in each.status for each in news), news


# -- who is asked


def test_a_mirror_is_docker_hub_to_the_user(store: ImageStore, pushed: Registry) -> None:
    config = RegistryConfig(mirrors=(f"http://{pushed.host}",))
    image = fetch(store, "it", config)
    assert image.names == ("it:latest",)
    assert store.resolve("docker.io/library/it") == image


def test_a_mirror_that_is_down_is_passed_over(
    store: ImageStore, pushed: Registry, unused_address: str
) -> None:
    config = RegistryConfig(mirrors=(f"http://{unused_address}", f"http://{pushed.host}"))
    assert fetch(store, "it", config).id == SAMPLE.id


def test_a_mirror_never_hears_the_password(store: ImageStore, pushed: Registry) -> None:
    with serve_front(pushed.host, bearer=True) as front:
        config = RegistryConfig(mirrors=(f"http://{front.host}",))
        fetch(store, "it", config, auth=Credentials(USER, PASSWORD))
        tokens = [headers for path, headers in front.requests if path.startswith("/token")]
        assert tokens
        assert all("authorization" not in headers for headers in tokens)


def test_basic_and_bearer_open_the_door(
    store: ImageStore, pushed: Registry, tmp_path: Path
) -> None:
    me = Credentials(USER, PASSWORD)
    with serve_registry(tmp_path / "registry", password=True) as locked:
        locked.push(write_layout(tmp_path / "layout", [SAMPLE]), "a/it:1")
        with pytest.raises(MinidockerError, match="no basic auth credentials"):
            fetch(store, f"{locked.host}/a/it:1")
        assert fetch(store, f"{locked.host}/a/it:1", auth=me).id == SAMPLE.id
    with serve_front(pushed.host, bearer=True, anonymous=False) as front:
        name = f"{front.host}/library/it"
        with pytest.raises(MinidockerError, match="unauthorized"):
            fetch(store, name)
        assert fetch(store, name, auth=me).id == SAMPLE.id


def test_tls_by_the_authority_of_the_registry(store: ImageStore, tmp_path: Path) -> None:
    with serve_registry(tmp_path / "registry", tls=True) as secure:
        secure.push(write_layout(tmp_path / "layout", [SAMPLE]), "a/it:1")
        assert secure.authority is not None
        (tmp_path / "certs" / secure.host).mkdir(parents=True)
        (tmp_path / "certs" / secure.host / "ca.crt").write_bytes(secure.authority.read_bytes())
        trusting = RegistryConfig(certificates=tmp_path / "certs")
        assert fetch(store, f"{secure.host}/a/it:1", trusting).id == SAMPLE.id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("library/it:nosuch", "manifest for {}/library/it:nosuch not found: manifest unknown"),
        ("no/such", "manifest for {}/no/such:latest not found: manifest unknown"),
    ],
)
def test_what_is_not_there_is_404_in_dockers_words(
    store: ImageStore, pushed: Registry, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(NotFound, match=said.format(pushed.host)):
        fetch(store, f"{pushed.host}/{name}")
    assert nothing_is_left(store, tmp_path / "store")


def test_nobody_there_names_the_address(store: ImageStore, unused_address: str) -> None:
    with pytest.raises(MinidockerError, match=f'Get "http://{unused_address}/v2/'):
        fetch(store, f"{unused_address}/it")


# -- cuts, lies, stalls


def test_a_cut_transfer_goes_on_where_it_stopped(store: ImageStore, pushed: Registry) -> None:
    with serve_front(pushed.host, cut_after=30, cuts=3) as front:
        assert fetch(store, f"{front.host}/library/it").id == SAMPLE.id
        ranges = [
            headers.get("range")
            for path, headers in front.requests
            if digest(SAMPLE.layers[0]) in path
        ]
        assert ranges == [None, "bytes=30-", "bytes=60-", "bytes=90-"]


def test_a_server_without_ranges_is_read_again(store: ImageStore, pushed: Registry) -> None:
    with serve_front(pushed.host, cut_after=40, cuts=1, ranges=False) as front:
        assert fetch(store, f"{front.host}/library/it").id == SAMPLE.id


def test_a_server_that_always_cuts_is_given_up_and_a_later_pull_goes_on(
    store: ImageStore, pushed: Registry, tmp_path: Path
) -> None:
    with serve_front(pushed.host, cut_after=10, cuts=1000) as front:
        name = f"{front.host}/library/it"
        with pytest.raises(MinidockerError, match="Get "):
            fetch(store, name, RegistryConfig(retry_delay=0.001, attempts=2, layers_at_once=1))
        blobs, layers, _ = content(tmp_path / "store")
        assert not blobs
        assert not layers
        assert store.list() == []
        front.cut_after = None
        asked = len(front.requests)
        assert fetch(store, name).id == SAMPLE.id
        assert any("range" in headers for _, headers in front.requests[asked:])


def test_a_server_error_is_asked_again(store: ImageStore, pushed: Registry) -> None:
    statuses = {"/manifests/": [503], "/blobs/": [500, 429, 502]}
    with serve_front(pushed.host, statuses=statuses) as front:
        assert fetch(store, f"{front.host}/library/it").id == SAMPLE.id


LIES = {
    "manifest": lambda path, body: body + b" " if "/manifests/" in path else body,
    "layer": lambda path, body: (
        body[:-9] + b"x" * 9 if path.endswith(digest(SAMPLE.layers[1])) else body
    ),
    "longer layer": lambda path, body: (
        body + b"more" if path.endswith(digest(SAMPLE.layers[1])) else body
    ),
    "config": lambda path, body: body.replace(b"sh", b"no") if path.endswith(SAMPLE.id) else body,
}


@pytest.mark.parametrize("lie", LIES)
def test_bytes_that_are_not_the_digests_are_refused_and_forgotten(
    store: ImageStore, pushed: Registry, tmp_path: Path, lie: str
) -> None:
    with serve_front(pushed.host, tamper=LIES[lie]) as front, pytest.raises(SystemFailure):
        fetch(store, f"{front.host}/library/it")
    assert nothing_is_left(store, tmp_path / "store")


def test_a_wrong_diff_id_is_refused_and_forgotten(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    good = sample([{"a": b"1"}, {"b": b"2"}], architecture=HERE)
    wrong = with_config(
        good,
        {
            "rootfs": {
                "type": "layers",
                "diff_ids": [json.loads(good.config)["rootfs"]["diff_ids"][0], digest(b"another")],
            }
        },
    )
    registry.push(write_layout(tmp_path / "layout", [wrong]), "wrong/it:1")
    with pytest.raises(SystemFailure, match="its diff ID is"):
        fetch(store, f"{registry.host}/wrong/it:1")
    assert nothing_is_left(store, tmp_path / "store")


def test_the_same_layer_in_other_bytes_is_checked_too(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    """The diff ID is unpacked already; the new blob claims to be it, and is something else."""
    good = sample([{"a": b"1"}], architecture=HERE)
    other = sample([{"a": b"2"}], architecture=HERE, compression="zstd")
    liar = with_config(other, {"rootfs": json.loads(good.config)["rootfs"]})
    registry.push(write_layout(tmp_path / "good", [good]), "same/it:good")
    registry.push(write_layout(tmp_path / "liar", [liar]), "same/it:liar")
    fetch(store, f"{registry.host}/same/it:good")
    before = content(tmp_path / "store")
    with pytest.raises(SystemFailure, match="its diff ID is"):
        fetch(store, f"{registry.host}/same/it:liar")
    assert content(tmp_path / "store") == before


def test_another_number_of_layers_than_the_config_says_is_refused(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    rootfs = {"type": "layers", "diff_ids": []}
    wrong = with_config(sample([{"a": b"1"}], architecture=HERE), {"rootfs": rootfs})
    registry.push(write_layout(tmp_path / "layout", [wrong]), "count/it:1")
    with pytest.raises(InvalidParameter, match="layers from manifest don't match"):
        fetch(store, f"{registry.host}/count/it:1")
    assert nothing_is_left(store, tmp_path / "store")


def test_what_is_no_container_image_is_named(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    chart = sample(
        [{"a": b"1"}], architecture=HERE, config_type="application/vnd.cncf.helm.config.v1+json"
    )
    registry.push(write_layout(tmp_path / "layout", [chart]), "helm/it:1")
    with pytest.raises(InvalidParameter, match=r"helm.config.*no container image"):
        fetch(store, f"{registry.host}/helm/it:1")
    assert nothing_is_left(store, tmp_path / "store")


def test_three_layers_come_at_a_time(store: ImageStore, registry: Registry, tmp_path: Path) -> None:
    made = sample([{f"{n}": bytes([n]) * 3000} for n in range(6)], architecture=HERE)
    registry.push(write_layout(tmp_path / "layout", [made]), "six/it:1")
    three = threading.Barrier(3)

    def in_threes(path: str, body: bytes) -> bytes:
        if "/blobs/" in path and not path.endswith(made.id):
            three.wait(20)
        return body

    news: list[Progress] = []
    with serve_front(registry.host, tamper=in_threes) as front:
        assert fetch(store, f"{front.host}/six/it:1", progress=news.append).id == made.id
        assert front.most_open_blobs <= 3
    assert [each.status for each in news].count("Waiting") == 3


def test_a_cancelled_pull_leaves_nothing(
    store: ImageStore, pushed: Registry, tmp_path: Path
) -> None:
    async def start_and_cancel(host: str) -> None:
        reference = parse_reference(f"{host}/library/it")
        task = asyncio.create_task(pull(reference, store=store, registry=FAST))
        await asyncio.to_thread(front.stalled.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def layers_stall(path: str, body: bytes) -> bytes:
        if path.endswith(SAMPLE.id):
            front.stall = None
        elif "/blobs/" in path:
            front.stall = gate
        return body

    gate = threading.Event()
    with serve_front(pushed.host, tamper=layers_stall) as front:
        asyncio.run(start_and_cancel(front.host))
        gate.set()
    assert nothing_is_left(store, tmp_path / "store")


def test_a_pull_cancelled_while_it_unpacks_leaves_nothing(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    made = sample([{f"{n}": b"x" * 100 for n in range(1000)}], architecture=HERE)
    registry.push(write_layout(tmp_path / "layout", [made]), "files/it:1")

    async def start_and_cancel() -> None:
        def on(news: Progress) -> None:
            if news.status == "Extracting":
                task.cancel()

        reference = parse_reference(f"{registry.host}/files/it:1")
        task = asyncio.create_task(pull(reference, store=store, registry=FAST, progress=on))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(start_and_cancel())
    assert nothing_is_left(store, tmp_path / "store")


def test_two_pulls_at_once_share_what_they_can(store: ImageStore, pushed: Registry) -> None:
    async def both(name: str) -> list[Image]:
        reference = parse_reference(name)
        twice = (pull(reference, store=store, registry=FAST) for _ in range(2))
        return list(await asyncio.gather(*twice))

    with serve_front(pushed.host) as front:
        one, two = asyncio.run(both(f"{front.host}/library/it"))
        assert one == two
        asked = front.blobs_asked()
        assert len(asked) == len(set(asked)) == 4


def test_the_loop_goes_on_while_a_layer_is_unpacked(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    made = sample([{f"{n}": b"x" * 100 for n in range(300)}], architecture=HERE)
    registry.push(write_layout(tmp_path / "layout", [made]), "files/it:2")

    async def watched() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += unpacking.is_set()

        unpacking = threading.Event()

        def on(news: Progress) -> None:
            if news.status == "Extracting":
                unpacking.set()
            elif news.status == "Pull complete":
                unpacking.clear()

        ticking = asyncio.create_task(tick())
        reference = parse_reference(f"{registry.host}/files/it:2")
        await pull(reference, store=store, registry=FAST, progress=on)
        ticking.cancel()
        return ticks

    assert asyncio.run(watched()) > 10


def with_config(made: Sample, change: dict[str, object]) -> Sample:
    """The same manifest and layers over a changed config."""
    config = json.dumps(json.loads(made.config) | change).encode()
    manifest = json.loads(made.manifest)
    manifest["config"] |= {"digest": digest(config), "size": len(config)}
    body = json.dumps(manifest).encode()
    descriptor = {**made.descriptor, "digest": digest(body), "size": len(body)}
    blobs = {digest(data): data for data in (config, body, *made.layers)}
    return Sample(blobs, descriptor, config, body, made.layers)
