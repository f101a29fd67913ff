"""Every operation that is served, with every documented status, held against the API's text."""

from __future__ import annotations

import contextlib

import pytest

from minidocker.daemon.routes import ROUTES
from tests.daemon import api
from tests.daemon.api_exceptions import NEVER, NULL, STATUSES, UNDOCUMENTED
from tests.daemon.asking import Ask
from tests.daemon.replies import SCENARIOS, containers, images, networks, streams
from tests.support.engine import Engine

__all__ = ["containers", "images", "networks", "streams"]

SERVED = [route.operation for route in ROUTES if route.operation]


@pytest.mark.kernel
@pytest.mark.parametrize("operation", SERVED)
def test_replies_are_what_the_api_says(engine: Engine, operation: str) -> None:
    with contextlib.closing(Ask(engine.socket)) as ask:
        SCENARIOS[operation](ask)
    documented = {int(status) for status in api.operation(operation)["responses"]}
    never = {status for name, status in NEVER if name == operation}
    # 500 is a mistake of the engine's, and none is known.
    assert documented - {500} - never <= ask.seen[operation]


def test_no_operation_is_asked_that_is_not_served() -> None:
    assert SCENARIOS.keys() == set(SERVED)


def test_the_exceptions_are_none_of_the_rule() -> None:
    """What is excused is not allowed anyway, and there is such a thing."""
    definitions = api.text()["definitions"]
    for name in UNDOCUMENTED:
        owner, _, key = name.rpartition(".")
        assert key not in api.fields(owner)
    for name in NULL:
        owner, _, key = name.partition(".")
        if owner in definitions:
            assert key in api.fields(owner)
        else:
            assert owner.removesuffix("[]") in api.operations()
    for operation, status in STATUSES:
        assert str(status) not in api.operation(operation)["responses"]
    for operation, status in NEVER:
        assert str(status) in api.operation(operation)["responses"]
