"""One guest for all tests of this folder: it boots once, runs everything, and is asked then."""

from __future__ import annotations

import pytest

from tests.guest import qemu
from tests.guest.inside import FILES
from tests.guest.qemu import Report


@pytest.fixture(scope="package")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return qemu.run(FILES, tmp_path_factory.mktemp("guest"))
