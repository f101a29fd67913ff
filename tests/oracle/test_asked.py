"""The same raw requests, here and to dockerd: the same answers, to the key and the null.

A difference that is meant has its reason in differences.toml, under "requests".
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import asked, explained
from tests.oracle.creating import CREATING
from tests.oracle.sessions import container_of
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

REQUESTS = {**CREATING}

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


@pytest.mark.kernel
@pytest.mark.oracle
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered_as_by_docker(name: str, dockerd: Dockerd, engine: Engine) -> None:
    session, container = REQUESTS[name], container_of(name)
    theirs = [
        asked.shown(each, dockerd.root, container)
        for each in asked.play(dockerd.socket, name, session)
    ]
    ours = [
        asked.shown(each, engine.root, container)
        for each in asked.play(engine.socket, name, session)
    ]
    keys = [f"{name}: {each.key}" for each in session]
    found = [
        difference
        for key, docker, own in zip(keys, theirs, ours, strict=True)
        for difference in asked.differences(key, docker, own)
    ]
    about_this = [
        entry
        for entry in explained.load("requests")
        if any(entry.names(key) or entry.names(f"{key} .") for key in keys)
    ]
    verdict = explained.judge(found, about_this)
    assert not verdict.unexplained, "\n".join(verdict.unexplained)
    assert not verdict.stale, "no longer differ:\n" + "\n".join(verdict.stale)
