"""Archives of images in a test: saved, loaded, and made wrong on purpose."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Mapping, Sequence

from minidocker.images.load import load
from minidocker.images.progress import Progress
from minidocker.images.save import choose, save
from minidocker.images.store import ImageStore
from minidocker.oci.platform import Platform
from tests.images.samples import Sample, tar_of


def saved(store: ImageStore, *names: str) -> bytes:
    return b"".join(save(store, choose(store, names)))


def load_bytes(
    store: ImageStore, data: bytes, platform: Platform | None = None
) -> tuple[list[str], list[Progress]]:
    """What was said, and the progress."""
    said: list[str] = []
    told: list[Progress] = []

    async def run() -> None:
        await load(
            io.BytesIO(data),
            store=store,
            platform=platform,
            progress=told.append,
            say=said.append,
        )

    asyncio.run(run())
    return said, told


def files_of(data: bytes) -> dict[str, bytes]:
    """The regular files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            each.name: found.read() for each in tar if (found := tar.extractfile(each)) is not None
        }


def docker_archive(
    made: Sample, tags: Sequence[str] | None = ("it:1",), **changes: object
) -> bytes:
    """As dockerd before version 25 writes it."""
    return tar_of(docker_files(made, tags, **changes))


def docker_files(
    made: Sample, tags: Sequence[str] | None = ("it:1",), **changes: object
) -> dict[str, bytes]:
    layers = [f"{index}/layer.tar" for index in range(len(made.layers))]
    entry = {"Config": "config.json", "RepoTags": tags, "Layers": layers} | changes
    files: dict[str, bytes] = {"config.json": made.config}
    files |= dict(zip(layers, made.layers, strict=True))
    return files | {"manifest.json": json.dumps([entry]).encode()}


def layout_files(made: Sample, annotations: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """An OCI layout with one image."""
    entry = {**made.descriptor, "annotations": dict(annotations or {})}
    files = {f"blobs/sha256/{key.removeprefix('sha256:')}": v for key, v in made.blobs.items()}
    index = {"schemaVersion": 2, "manifests": [entry]}
    return files | {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
    }
