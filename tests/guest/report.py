"""pytest's plugin inside the guest: a JSON line on the second serial port for each outcome.

``{"name": node id, "outcome": "passed" | "failed" | "skipped", "text": why}`` a
test, then ``{"exit": pytest's exit status}``.
"""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

PORT = "/dev/ttyS1"


def send(message: dict[str, Any]) -> None:
    with open(PORT, "w") as port:
        port.write(json.dumps(message) + "\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test's own outcome, and the failure of what stands around it."""
    if report.when == "call" or report.outcome != "passed":
        send({"name": report.nodeid, "outcome": report.outcome, "text": report.longreprtext})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        send({"name": report.nodeid, "outcome": "failed", "text": report.longreprtext})


def pytest_collection_finish() -> None:
    """The leak guard collects garbage around each test: do not look at all modules each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(exitstatus: int) -> None:
    send({"exit": int(exitstatus)})
