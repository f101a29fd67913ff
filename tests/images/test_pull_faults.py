"""Pulls that go wrong: cut, lied to, cancelled, killed; and nothing half-made stays."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from minidocker.errors import InvalidParameter, MinidockerError, SystemFailure
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import Progress
from minidocker.images.pull import pull
from minidocker.images.store import Image, ImageStore
from minidocker.oci.reference import parse_reference
from tests.images.pulls import FAST, HERE, SAMPLE, fetch, nothing_is_left, with_config
from tests.images.samples import digest, sample, write_layout
from tests.images.stores import content, open_store
from tests.support.need import need_program, need_root
from tests.support.registry import Registry, serve_front

pytestmark = pytest.mark.oracle

PROJECT = Path(__file__).resolve().parents[2]


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


def test_an_index_is_not_believed_about_another_manifest(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    """The registry sends an image that is whole, but is not the one in the index."""
    other = sample([{"b": b"2"}], architecture=HERE)

    def swap(path: str, body: bytes) -> bytes:
        return other.manifest if "/manifests/sha256:" in path else body

    listing = sample([{"a": b"1"}], architecture=HERE)
    registry.push(write_layout(tmp_path / "index", [listing], index=True), "index/it:1")
    registry.push(write_layout(tmp_path / "other", [other]), "index/it:other")
    with (
        serve_front(registry.host, tamper=swap) as front,
        pytest.raises(SystemFailure, match="manifest verification failed"),
    ):
        fetch(store, f"{front.host}/index/it:1")
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


def test_a_killed_pull_leaves_nothing_to_the_next_start(pushed: Registry, tmp_path: Path) -> None:
    gate = threading.Event()
    root = tmp_path / "store"
    with serve_front(pushed.host, stall=gate) as front:
        program = [sys.executable, "-m", "tests.images.pull_program", str(root)]
        process = subprocess.Popen([*program, f"{front.host}/library/it"], cwd=PROJECT)
        assert front.stalled.wait(30)
        process.kill()
        process.wait(30)
        gate.set()
    assert content(root)[2], "it was killed in the middle"
    with open_store(root) as store:
        assert nothing_is_left(store, root)


@pytest.mark.kernel
def test_a_full_disk_is_said_and_nothing_is_left(registry: Registry, tmp_path: Path) -> None:
    """On a tmpfs of its own, in a mount namespace of its own."""
    need_root()
    big = sample([{"noise": random.Random(1).randbytes(1 << 20)}], architecture=HERE)
    registry.push(write_layout(tmp_path / "layout", [big]), "big/it:1")
    (tmp_path / "disk").mkdir()
    script = (
        'mount -t tmpfs -o size=600k disk "$1" && '
        '{ "$2" -m tests.images.pull_program "$1" "$3"; find "$1" -type f -path "*sha256*"; }'
    )
    answer = subprocess.run(
        [
            *(need_program("unshare"), "--mount", "sh", "-c", script, "sh"),
            *(str(tmp_path / "disk"), sys.executable, f"{registry.host}/big/it:1"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "No space left on device" in answer.stderr
    assert "SystemFailure: cannot store" in answer.stderr
    assert answer.stdout == ""


def test_an_image_removed_meanwhile_takes_nothing_from_a_pull(
    store: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    """Both share a layer; it stays, though the only image that has it goes."""
    shared, more = {"a": b"one" * 9000}, {"b": b"new" * 9000}
    small = sample([shared], architecture=HERE)
    big = sample([shared, more], architecture=HERE)
    registry.push(write_layout(tmp_path / "small", [small]), "share/it:small")
    registry.push(write_layout(tmp_path / "big", [big]), "share/it:big")
    gate = threading.Event()

    def stall_the_new_layer(path: str, body: bytes) -> bytes:
        front.stall = gate if path.endswith(digest(big.layers[1])) else None
        return body

    async def pull_while_the_other_goes() -> Image:
        reference = parse_reference(f"{front.host}/share/it:big")
        task = asyncio.create_task(pull(reference, store=store, registry=FAST))
        await asyncio.to_thread(front.stalled.wait, 30)
        store.remove(small.id, True, lambda _: [])
        gate.set()
        return await task

    fetch(store, f"{registry.host}/share/it:small")
    with serve_front(registry.host, tamper=stall_the_new_layer) as front:
        image = asyncio.run(pull_while_the_other_goes())
    assert image.id == big.id
    assert len(store.layers.lower_dirs(image.config.diff_ids)) == 2
    assert {key[7:] for key in big.blobs} == content(tmp_path / "store")[0]
