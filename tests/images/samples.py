"""Small images for the tests, written byte by byte as OCI layouts.

On purpose without the code under test: what is pushed to a registry and what
comes back are compared as plain JSON and plain tars.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

OCI = "application/vnd.oci.image"
Files = Mapping[str, bytes]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def compressed(tar: bytes, compression: str) -> tuple[str, bytes]:
    """The layer's media type and bytes."""
    if compression == "gzip":
        return f"{OCI}.layer.v1.tar+gzip", gzip.compress(tar, mtime=0)
    if compression == "zstd":
        return f"{OCI}.layer.v1.tar+zstd", zstandard.compress(tar)
    return f"{OCI}.layer.v1.tar", tar


@dataclass(frozen=True, repr=False)
class Sample:
    """One image: its blobs, and the descriptor of its manifest."""

    blobs: Mapping[str, bytes]
    descriptor: Mapping[str, Any]
    config: bytes
    manifest: bytes
    layers: Sequence[bytes]

    def __repr__(self) -> str:
        return f"Sample({self.id[:19]}, {len(self.layers)} layers)"

    @property
    def id(self) -> str:
        return digest(self.config)

    @property
    def diff_ids(self) -> list[str]:
        found: list[str] = json.loads(self.config)["rootfs"]["diff_ids"]
        return found


def sample(
    layers: Sequence[Files],
    *,
    compression: str = "gzip",
    architecture: str = "amd64",
    os: str = "linux",
    cmd: Sequence[str] = ("sh",),
    layer_type: str | None = None,
    config_type: str = f"{OCI}.config.v1+json",
) -> Sample:
    tars = [tar_of(files) for files in layers]
    packed = [compressed(tar, compression) for tar in tars]
    config = json.dumps(
        {
            "architecture": architecture,
            "os": os,
            "created": "2024-05-01T10:00:00Z",
            "config": {"Cmd": list(cmd), "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
            "history": [
                *({"created_by": f"layer {n}"} for n in range(len(tars))),
                {"created_by": "CMD", "empty_layer": True},
            ],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)},
            "layers": [
                {"mediaType": layer_type or kind, "digest": digest(data), "size": len(data)}
                for kind, data in packed
            ],
        }
    ).encode()
    blobs = {digest(data): data for data in (config, manifest, *(data for _, data in packed))}
    descriptor = {
        "mediaType": f"{OCI}.manifest.v1+json",
        "digest": digest(manifest),
        "size": len(manifest),
        "platform": {"os": os, "architecture": architecture},
    }
    return Sample(blobs, descriptor, config, manifest, [data for _, data in packed])


def index_of(samples: Sequence[Sample]) -> tuple[dict[str, Any], bytes]:
    """An index over the samples: its descriptor and its bytes."""
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.index.v1+json",
            "manifests": [each.descriptor for each in samples],
        }
    ).encode()
    descriptor = {
        "mediaType": f"{OCI}.index.v1+json",
        "digest": digest(body),
        "size": len(body),
    }
    return descriptor, body


def write_layout(directory: Path, samples: Sequence[Sample], *, index: bool = False) -> Path:
    """An OCI layout with one image (or one index over all) under the reference "it"."""
    blobs = {key: data for each in samples for key, data in each.blobs.items()}
    descriptor: Mapping[str, Any] = samples[0].descriptor
    if index:
        descriptor, body = index_of(samples)
        blobs[digest(body)] = body
    target = directory / "blobs/sha256"
    target.mkdir(parents=True)
    for key, data in blobs.items():
        (target / key.removeprefix("sha256:")).write_bytes(data)
    named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": "it"}}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return directory
