"""One docker-registry for all of these tests, since it takes a moment to start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.images.store import ImageStore
from tests.images.pulls import SAMPLE
from tests.images.samples import write_layout
from tests.images.stores import open_store
from tests.support.registry import Registry, serve_registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def unused_address() -> Iterator[str]:
    """ "127.0.0.1:PORT" where nobody listens: the port is bound, and refuses."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ImageStore]:
    """An empty store in ``tmp_path / "store"``."""
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def pushed(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The registry, with ``SAMPLE`` as library/it:latest."""
    registry.push(write_layout(tmp_path_factory.mktemp("layout"), [SAMPLE]), "library/it:latest")
    return registry
