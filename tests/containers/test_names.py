"""Names and IDs, and which container a few characters mean."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.containers.names import check_name, find, new_id, random_name
from minidocker.errors import InvalidParameter, NotFound
from tests.containers import strategies as draw

GRAMMAR = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@given(st.text(max_size=6) | draw.words)
def test_a_name_is_taken_as_docker_takes_it(name: str) -> None:
    if GRAMMAR.fullmatch(name.removeprefix("/")):
        assert check_name(name) == name.removeprefix("/")
    else:
        with pytest.raises(InvalidParameter, match="Invalid container name"):
            check_name(name)


@given(st.sets(st.sampled_from(["a", "b"])), st.randoms())
def test_a_random_name_is_free_and_valid(taken: set[str], random: object) -> None:
    refused: set[str] = set()

    def busy(name: str) -> bool:
        """The first seven are taken."""
        if len(refused) < 7:
            refused.add(name)
        return name in refused

    name = random_name(busy)
    assert name not in refused
    assert check_name(name) == name


def test_a_random_name_is_found_when_all_are_taken() -> None:
    assert check_name(random_name(lambda name: True))


def test_new_ids_are_64_hex_digits_whose_beginning_is_no_number() -> None:
    for _ in range(300):
        id = new_id()
        assert re.fullmatch("[0-9a-f]{64}", id)
        assert not id[:12].isdecimal()


@given(st.sets(draw.ids, min_size=1, max_size=5), st.data())
def test_a_prefix_finds_the_one_that_it_is_a_prefix_of(ids: set[str], data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(sorted(ids)))
    prefix = wanted[: data.draw(st.integers(1, 64))]
    if sum(id.startswith(prefix) for id in ids) == 1:
        assert find(prefix, ids, {}) == wanted
    else:
        with pytest.raises(InvalidParameter, match="Multiple IDs"):
            find(prefix, ids, {})


@given(st.sets(draw.ids, min_size=2, max_size=4))
def test_a_name_comes_before_a_prefix_and_a_full_id_before_a_name(ids: set[str]) -> None:
    first, second = sorted(ids)[:2]
    assert find(first[:3], ids, {first[:3]: second}) == second
    assert find(first, ids, {first: second}) == first


@given(st.text(max_size=70), st.sets(draw.ids, max_size=3))
def test_what_means_nothing_is_not_found(ref: str, ids: set[str]) -> None:
    assume(not any(id.startswith(ref) for id in ids))
    with pytest.raises(NotFound, match="No such container"):
        find(ref, ids, {})
