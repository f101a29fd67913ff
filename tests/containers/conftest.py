"""A root and a daemon for each test; one image, exec root and launcher for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from minidocker.images.base import make_base_image
from minidocker.images.store import SCHEMA, ImageStore
from minidocker.layers.store import LayerStore
from minidocker.namespaces.launcher_client import start_launcher
from minidocker.records import open_records
from tests.containers.harness import PATIENCE, Daemon, Root
from tests.support.need import need_root


@pytest.fixture(scope="package")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """What is dear to make: the embedded image, from this host's own tools, and the launcher."""
    need_root()
    top = tmp_path_factory.mktemp("containers")
    layers, run = LayerStore(top / "layers"), top / "run"
    run.mkdir()
    with contextlib.closing(open_records(top / "images.db", [SCHEMA])) as db:
        image = make_base_image(ImageStore(top / "images", layers, db))
    with contextlib.closing(start_launcher(run)):
        yield Root(top / "data", run, layers, image)


@pytest.fixture
def root(common: Root, tmp_path: Path) -> Root:
    return Root(tmp_path / "data", common.run, common.layers, common.image)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def daemon(root: Root, loop: asyncio.Runner) -> Iterator[Daemon]:
    """A daemon that is up, for a test that is a coroutine function."""
    stack = contextlib.AsyncExitStack()
    yield loop.run(stack.enter_async_context(root.daemon()))
    loop.run(stack.aclose())


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function in the loop of its daemon."""
    test, loop = pyfuncitem.obj, pyfuncitem.funcargs.get("loop")
    if not inspect.iscoroutinefunction(test) or not isinstance(loop, asyncio.Runner):
        return None
    asked = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    loop.run(asyncio.wait_for(test(**asked), PATIENCE))
    return True
