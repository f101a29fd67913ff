"""How much a container is trusted: capabilities and security options."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.containers.security import (
    Security,
    effective_capabilities,
    normalize_capabilities,
    parse_security_options,
)
from minidocker.errors import InvalidParameter, Refused
from minidocker.namespaces.capabilities import DEFAULT, NAMES
from tests.containers.strategies import capabilities


@given(capabilities, capabilities)
def test_what_is_added_and_dropped(add: tuple[str, ...], drop: tuple[str, ...]) -> None:
    chosen = effective_capabilities(add, drop, False, NAMES)
    assert set(chosen) == (set(DEFAULT) - set(drop)) | set(add)
    assert list(chosen) == [name for name in NAMES if name in chosen], "in the numbers' order"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("nope", 'invalid --security-opt 1: "nope"'),
        ("nope=1", 'invalid --security-opt 2: "nope=1"'),
        ("seccomp=", 'invalid --security-opt 2: "seccomp="'),
    ],
)
def test_an_option_that_does_not_exist_is_refused_in_dockers_words(option: str, said: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_security_options([option])
    assert str(refused.value) == said


@given(capabilities, st.sets(st.sampled_from(NAMES)))
def test_all_is_all_that_there_is_to_give(drop: tuple[str, ...], available: set[str]) -> None:
    assert set(effective_capabilities(["ALL"], drop, False, available)) == available - set(drop)
    assert set(effective_capabilities([], drop, True, available)) == available


@given(capabilities)
def test_drop_all_leaves_only_what_is_added(add: tuple[str, ...]) -> None:
    assert set(effective_capabilities(add, ["all"], False, NAMES)) == set(add)


@given(st.sampled_from(NAMES), st.booleans(), st.booleans())
def test_a_capability_may_be_spelled_in_three_ways(name: str, short: bool, lower: bool) -> None:
    spelled = name.removeprefix("CAP_") if short else name
    spelled = spelled.lower() if lower else spelled
    assert normalize_capabilities([spelled], NAMES, "CapAdd") == {name}


@pytest.mark.parametrize("field", ["CapAdd", "CapDrop"])
def test_a_name_that_does_not_exist_is_refused(field: str) -> None:
    with pytest.raises(InvalidParameter, match=f'invalid {field}: unknown capability: "CAP_MAGIC"'):
        normalize_capabilities(["magic"], NAMES, field)


def test_what_this_kernel_cannot_give_is_refused_by_name() -> None:
    with pytest.raises(InvalidParameter, match="CAP_SYS_ADMIN"):
        effective_capabilities(["SYS_ADMIN"], [], False, DEFAULT)


PROFILE = json.dumps({"defaultAction": "SCMP_ACT_ALLOW"})


@pytest.mark.parametrize(
    ("options", "security"),
    [
        ([], Security()),
        (["no-new-privileges"], Security(no_new_privileges=True)),
        (["no-new-privileges:false"], Security()),
        (["no-new-privileges=true"], Security(no_new_privileges=True)),
        (["seccomp=unconfined"], Security(seccomp="unconfined")),
        (["seccomp:unconfined"], Security(seccomp="unconfined")),
        (["seccomp=builtin"], Security()),
        ([f"seccomp={PROFILE}"], Security(seccomp=PROFILE)),
        (["systempaths=unconfined"], Security(masked=False)),
        (["apparmor=unconfined", "label=disable"], Security()),
    ],
)
def test_the_options_that_there_are(options: list[str], security: Security) -> None:
    assert parse_security_options(options) == security


@pytest.mark.parametrize(
    "option", ["magic", "no-new-privileges=maybe", "seccomp=", "seccomp={}", "seccomp={", "label="]
)
def test_what_makes_no_sense_is_refused(option: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_security_options([option])


@pytest.mark.parametrize("option", ["apparmor=docker-default", "label=type:container_t"])
def test_a_profile_for_what_the_kernel_has_not_is_refused_by_name(option: str) -> None:
    with pytest.raises(Refused, match="is not enabled in this kernel"):
        parse_security_options([option])
    if option.startswith("apparmor"):
        assert parse_security_options([option], apparmor=True).apparmor == "docker-default"


@given(st.lists(st.text(max_size=10), max_size=3))
def test_any_text_is_an_answer_or_a_clear_no(options: list[str]) -> None:
    with contextlib.suppress(InvalidParameter):
        assert isinstance(parse_security_options(options), Security)
