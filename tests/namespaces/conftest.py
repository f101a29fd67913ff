"""One launcher for all tests of the package; containers come and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.namespaces.harness import Bench
from tests.support.need import need_root


@pytest.fixture(scope="package")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    need_root()
    bench = Bench(tmp_path_factory.mktemp("namespaces"))
    yield bench
    bench.close()
