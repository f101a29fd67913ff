"""The words of an instruction: what is quoted comes back, and variables have values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.images.words import environment, expand, json_words, split_words, take_flags

text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z_][A-Za-z_0-9]{0,5}", fullmatch=True)


def single(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"


def double(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


@given(st.lists(st.tuples(text, st.sampled_from([single, double]))))
def test_a_quoted_word_is_one_word_and_itself(parts: list[tuple[str, object]]) -> None:
    quoted = [quote(word) for word, quote in parts]  # type: ignore[operator]
    assert split_words("  ".join(quoted)) == quoted
    assert [expand(word, {}) for word in quoted] == [word for word, _ in parts]


@given(names, text, st.sampled_from(["$%s", "${%s}", '"$%s"', "${%s:-no}", "${%s-no}", "${%s?}"]))
def test_a_variable_becomes_its_value(name: str, value: str, form: str) -> None:
    assert expand(f"a{form % name}", {name: value + "x"}) == f"a{value}x"
    assert expand(f"'{form % name}'".replace("''", ""), {name: value}) == form % name
    assert expand(f"${{{name}:+{name}}}", {name: "x"}) == name


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$a$b", "1"),
        ("${b}x", "x"),
        ("${b:-$a}", "1"),
        ("${b:-${c:-d}}", "d"),
        ("${e:-x}", "x"),
        ("${e-x}", ""),
        ("${a:+y}", "y"),
        ("${b:+y}", ""),
        ("$", "$"),
        ("$.", "$."),
        (r"\$a", "$a"),
        ("a\\", "a\\"),
        (r'"\x"', r"\x"),
        (r"\x", "x"),
    ],
)
def test_substitutions(word: str, value: str) -> None:
    assert expand(word, {"a": "1", "e": ""}) == value


@pytest.mark.parametrize(
    "word", ["'a", '"a', "${a", "${a:", "${a:*b}", "${a#b}", "${}", "${b:?no}"]
)
def test_what_does_not_end_or_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter):
        expand(word, {})


@given(text)
def test_any_text_is_expanded_or_refused(word: str) -> None:
    try:
        assert isinstance(expand(word, {}), str)
    except InvalidParameter:
        pass
    assert "".join(split_words(word)).split() == "".join(split_words(word)).split()


@given(st.lists(text))
def test_the_json_form(words: list[str]) -> None:
    assert json_words(json.dumps(words)) == tuple(words)
    assert json_words("x" + json.dumps(words)) is None


def test_json_of_other_things_is_refused_and_broken_json_is_none() -> None:
    with pytest.raises(InvalidParameter, match="comprised of strings only"):
        json_words('["a", 1]')
    assert json_words('["a"') is None


def test_flags_stand_first_and_two_dashes_end_them() -> None:
    assert take_flags("--a=1 --b x --c") == ({"a": "1", "b": ""}, "x --c")
    assert take_flags("-- --c") == ({}, "--c")
    assert take_flags("--a") == ({"a": ""}, "")
    assert environment(("a=1=2", "b")) == {"a": "1=2", "b": ""}
