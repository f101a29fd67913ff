"""One docker-registry for all of these tests, since it takes a moment to start."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

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
