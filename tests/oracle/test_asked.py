"""The same raw requests, here and to dockerd: the same answers, to the key and the null.

A difference that is meant has its reason in differences.toml, under "requests".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import asked, explained
from tests.oracle.acting import ACTING
from tests.oracle.creating import CREATING
from tests.oracle.inspecting import INSPECTING
from tests.oracle.listing import LISTING
from tests.oracle.saying import LOGGING
from tests.oracle.sessions import container_of
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

REQUESTS = {**CREATING, **INSPECTING, **LISTING, **ACTING, **LOGGING}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(json_values, json_values)
def test_two_values_have_the_same_leaves_only_when_they_are_equal(
    one: object, other: object
) -> None:
    same = dict(asked.leaves(one)) == dict(asked.leaves(other))
    assert same == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


Difference = tuple[str, str, str]


@pytest.fixture(scope="module")
def found(dockerd: Dockerd, engine: Engine) -> Callable[[str], list[Difference]]:
    """The differences of a session, which is played once."""

    @cache
    def of(name: str) -> list[Difference]:
        session, container = REQUESTS[name], container_of(name)
        theirs, ours = (
            [
                asked.shown(each, daemon.root, container)
                for each in asked.play(daemon.socket, name, session)
            ]
            for daemon in (dockerd, engine)
        )
        return [
            difference
            for one, docker, own in zip(session, theirs, ours, strict=True)
            for difference in asked.differences(f"{name}: {one.key}", docker, own)
        ]

    return of


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered_as_by_docker(
    name: str, found: Callable[[str], list[Difference]]
) -> None:
    verdict = explained.judge(found(name), explained.load("requests"))
    assert not verdict.unexplained, "\n".join(verdict.unexplained)


@pytest.mark.kernel
@pytest.mark.oracle
def test_what_is_explained_does_differ(found: Callable[[str], list[Difference]]) -> None:
    everything = [difference for name in REQUESTS for difference in found(name)]
    verdict = explained.judge(everything, explained.load("requests"))
    assert not verdict.stale, "no longer differ:\n" + "\n".join(verdict.stale)
