"""Pulling in a test: a small image, and one call that does it all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from minidocker.images.auth import Credentials
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.progress import Tell
from minidocker.images.pull import pull, pull_every_tag
from minidocker.images.store import Image, ImageStore
from minidocker.oci.platform import Platform, host_platform
from minidocker.oci.reference import parse_reference
from tests.images.samples import Sample, digest, sample
from tests.images.stores import content, listed

FAST = RegistryConfig(retry_delay=0.001)
HERE = host_platform().architecture
THERE = "s390x" if HERE != "s390x" else "amd64"
SAMPLE = sample(
    [{"a": b"one" * 9000}, {"b": b"two" * 9000}, {"c": b"three" * 9000}], architecture=HERE
)


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


def fetch_every_tag(
    store: ImageStore, name: str, progress: Tell = lambda news: None
) -> list[Image]:
    reference = parse_reference(name, default_tag=False)
    return asyncio.run(pull_every_tag(reference, store=store, registry=FAST, progress=progress))


def nothing_is_left(store: ImageStore, root: Path) -> bool:
    return store.list() == [] and content(root) == (set(), set(), set()) and listed(root) == {}


def with_config(made: Sample, change: dict[str, object]) -> Sample:
    """The same manifest and layers over a changed config."""
    config = json.dumps(json.loads(made.config) | change).encode()
    manifest = json.loads(made.manifest)
    manifest["config"] |= {"digest": digest(config), "size": len(config)}
    body = json.dumps(manifest).encode()
    descriptor = {**made.descriptor, "digest": digest(body), "size": len(body)}
    blobs = {digest(data): data for data in (config, body, *made.layers)}
    return Sample(blobs, descriptor, config, body, made.layers)
