"""One image and one exec root for all of these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minidocker.namespaces.launcher_client import start_launcher
from tests.containers.ground import Ground
from tests.containers.home import home
from tests.support.need import need_root

__all__ = ["ground", "home", "play"]


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    need_root()
    made = Ground(tmp_path_factory.mktemp("containers"))
    keeper = start_launcher(made.run)  # it stays warm from test to test
    yield made
    keeper.close()


@pytest.fixture
def play(ground: Ground, tmp_path: Path) -> Callable[..., Any]:
    """``play(story)``: run the coroutine function ``story`` with a ``Stage``."""
    return lambda story: ground.play(tmp_path / "data", story)
