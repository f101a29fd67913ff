"""Pulling from a real registry: what comes, for which platform, and who is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minidocker.errors import MinidockerError, NotFound, SystemFailure
from minidocker.images.auth import Credentials
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import Progress
from minidocker.images.pull import listed as listed_name
from minidocker.images.store import ImageStore
from minidocker.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from minidocker.oci.platform import parse_platform
from minidocker.oci.reference import parse_reference
from tests.images.pulls import HERE, SAMPLE, THERE, fetch, fetch_every_tag, nothing_is_left
from tests.images.samples import OCI, Sample, digest, index_of, sample, write_layout
from tests.images.stores import content, listed
from tests.support.registry import PASSWORD, USER, Registry, serve_front, serve_registry

pytestmark = pytest.mark.oracle

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


def test_every_tag_comes_and_the_news_is_said_once(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    other = sample([{"other": b"x"}], architecture=HERE)
    for made, tag in ((SAMPLE, "1"), (SAMPLE, "latest"), (other, "2")):
        layout = write_layout(tmp_path / tag, [made])
        registry.push(layout, f"every/tag:{tag}")
    name = f"{registry.host}/every/tag"
    for status in ("Downloaded newer image", "Image is up to date"):
        news: list[Progress] = []
        images = fetch_every_tag(store, name, progress=news.append)
        found = {tag: image.id for image in images for tag in image.names}
        assert found == {f"{name}:1": SAMPLE.id, f"{name}:latest": SAMPLE.id, f"{name}:2": other.id}
        assert {each.id for each in news if each.status == "Pulling from every/tag"} == {
            *("1", "2", "latest")
        }
        assert [each.status for each in news if each.status.startswith("Status:")] == [
            f"Status: {status} for {name}"
        ]
    with pytest.raises(NotFound, match=f"repository {registry.host}/no/such not found"):
        fetch_every_tag(store, f"{registry.host}/no/such")


@pytest.mark.parametrize("tag", ["", "a b", "../x", "a" * 129, "1\n", f"1@{digest(b'')}"])
def test_a_tag_that_can_be_none_is_not_believed(tag: str) -> None:
    with pytest.raises(SystemFailure, match="the registry lists a tag of it that can be none"):
        listed_name(parse_reference("it", default_tag=False), tag)


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
