"""Names: what Docker takes, and what is refused in Docker's words."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.volumes.names import check_name, new_name

good = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", fullmatch=True)


@given(good)
def test_a_good_name_is_one_plain_name_of_a_directory(name: str) -> None:
    check_name(name)
    assert os.path.basename(name) == name
    assert name not in (".", "..")
    assert not name.startswith(".")


@given(st.text(max_size=300))
def test_every_other_name_is_refused_and_named(name: str) -> None:
    if re.fullmatch("[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", name):
        check_name(name)
        return
    with pytest.raises(InvalidParameter) as caught:
        check_name(name)
    assert name in str(caught.value) or len(name) == 1 or len(name) > 255


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x", "too short, names should be at least two alphanumeric characters"),
        ("../etc", 'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed'),
        (".hidden", "If you intended to pass a host directory, use absolute path"),
        ("a\n", "invalid characters"),
        ("é" * 3, "invalid characters"),
        ("a" * 256, "too long, 255 characters"),
    ],
)
def test_the_reason_is_said(name: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_name(name)
    assert words in str(caught.value)


def test_anonymous_names_are_good_and_never_the_same() -> None:
    names = {new_name() for _ in range(100)}
    assert len(names) == 100
    for name in names:
        check_name(name)
        assert len(name) == 64
