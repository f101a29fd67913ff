"""Every test that asks for a driver runs with each that this machine has."""

from __future__ import annotations

import pytest

from minidocker.cgroups import Driver
from tests.cgroups.groups import here, open_driver
from tests.support.need import need_root


@pytest.fixture(params=here())
def driver(request: pytest.FixtureRequest) -> Driver:
    need_root()
    return open_driver(request.param)
