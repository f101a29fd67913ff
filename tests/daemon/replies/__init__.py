"""What is asked of an engine to get every reply that the API's text documents.

One function an operation; ``asking.Ask`` checks each reply on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.daemon.asking import Ask

Scenario = Callable[[Ask], None]
SCENARIOS: Final[dict[str, Scenario]] = {}


def asks(operation: str) -> Callable[[Scenario], Scenario]:
    """The function below it has the requests of ``operation``."""

    def keep(scenario: Scenario) -> Scenario:
        SCENARIOS[operation] = scenario
        return scenario

    return keep
