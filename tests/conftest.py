"""Fixtures for the whole suite: the leak guard around every kernel test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.support.dockerd import dockerd
from tests.support.engine import busybox_mirror, engine, new_engine
from tests.support.leaks import Machine, settle
from tests.support.netns import enter

__all__ = ["busybox_mirror", "dockerd", "engine", "leak_guard", "new_engine"]


def pytest_sessionstart() -> None:
    enter()


@pytest.fixture(autouse=True)
def leak_guard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A test marked ``kernel`` leaves the machine as it found it, or fails and names what it left.

    Autouse makes it the outermost of the function-scoped fixtures: a test's own
    clean-up is over when it looks.  Engines that live for a module or a session
    are wider, so they stand before the first picture and are no leak.
    """
    if request.node.get_closest_marker("kernel") is None:
        yield
        return
    marks = (str(tmp_path_factory.getbasetemp()),)

    def look() -> Machine:
        gc.collect()  # a socket that is only waiting for the collector is no leak
        return Machine.look(marks)

    before = look()
    yield
    leaks = settle(before, look)
    if leaks:
        pytest.fail("left behind by this test:\n  " + "\n  ".join(leaks), pytrace=False)
