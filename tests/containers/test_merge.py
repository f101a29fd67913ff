"""What the user said, completed from the image."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.containers.merge import (
    command_line,
    effective_environment,
    merge,
    merge_environment,
    merge_health,
    united,
)
from minidocker.containers.spec import ContainerSpec, HealthCheck
from minidocker.errors import InvalidParameter
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults
from tests.containers import strategies as draw

NOTHING = RunDefaults()
SAID = ("user", "working_dir", "stop_signal")


def merged(spec: ContainerSpec, image: RunDefaults) -> ContainerSpec:
    """Merged, of those that have something to run."""
    try:
        return merge(spec, image)
    except InvalidParameter:
        assume(False)
        raise


@given(draw.specs, draw.images)
def test_the_users_word_wins(spec: ContainerSpec, image: RunDefaults) -> None:
    effective = merged(spec, image)
    for field in SAID:
        assert getattr(effective, field) == (getattr(spec, field) or getattr(image, field))
    assert effective.labels == {**image.labels, **spec.labels}
    for each in (spec.volumes, image.volumes):
        assert set(each) <= set(effective.volumes)


@given(draw.specs, draw.images)
def test_to_merge_twice_is_to_merge_once(spec: ContainerSpec, image: RunDefaults) -> None:
    effective = merged(spec, image)
    assume(effective.entrypoint or not image.entrypoint)  # --entrypoint "" leaves no trace
    assert merge(effective, image) == effective


@given(draw.specs)
def test_an_image_that_says_nothing_changes_nothing(spec: ContainerSpec) -> None:
    effective = merged(spec, NOTHING)
    assert command_line(effective) == tuple(
        word
        for part in (() if spec.entrypoint == ("",) else spec.entrypoint or (), spec.command or ())
        for word in part
    )
    assert (effective.environment, effective.labels) == (spec.environment, spec.labels)


@pytest.mark.parametrize(
    ("entrypoint", "command", "runs"),
    [
        (None, None, ("image-entry", "image-cmd")),
        (None, ("mine",), ("image-entry", "mine")),
        (("own",), None, ("own",)),
        (("own",), ("mine",), ("own", "mine")),
        (("",), ("mine",), ("mine",)),
    ],
)
def test_an_own_entry_point_drops_the_images_command(
    entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None, runs: tuple[str, ...]
) -> None:
    image = RunDefaults(entrypoint=("image-entry",), cmd=("image-cmd",))
    spec = ContainerSpec(entrypoint=entrypoint, command=command)
    assert command_line(merge(spec, image)) == runs


@pytest.mark.parametrize("entrypoint", [None, ("",)])
def test_nothing_to_run_is_refused(entrypoint: tuple[str, ...] | None) -> None:
    image = RunDefaults(entrypoint=("image-entry",)) if entrypoint else NOTHING
    with pytest.raises(InvalidParameter, match="No command specified"):
        merge(ContainerSpec(entrypoint=entrypoint), image)


@given(draw.environments, draw.environments)
def test_each_variable_is_the_users_where_he_named_it(
    own: tuple[str, ...], image: tuple[str, ...]
) -> None:
    both = merge_environment(own, image)
    assert both[: len(own)] == own
    taken = {entry.partition("=")[0] for entry in own}
    assert both[len(own) :] == tuple(e for e in image if e.partition("=")[0] not in taken)


@given(draw.environments, draw.words, st.booleans())
def test_the_program_gets_each_variable_once(
    environment: tuple[str, ...], hostname: str, tty: bool
) -> None:
    got = effective_environment(environment, hostname, tty)
    keys = [entry.partition("=")[0] for entry in got]
    assert len(keys) == len(set(keys))
    assert all("=" in entry for entry in got)
    last = {entry.partition("=")[0]: entry for entry in environment}
    for key, entry in last.items():
        assert (entry in got) == ("=" in entry), "one without a value takes the variable away"
        assert (key in keys) == ("=" in entry)
    for key, entry in (("PATH", None), ("HOSTNAME", f"HOSTNAME={hostname}")):
        assert key in keys or key in last
        assert entry is None or key in last or entry in got
    assert ("TERM=xterm" in got) == tty or "TERM" in last


@given(st.none() | draw.healths, st.none() | draw.image_healths)
def test_a_health_check_is_completed_field_by_field(
    own: HealthCheck | None, image: ImageHealthcheck | None
) -> None:
    both = merge_health(own, image)
    if own is None and image is None:
        assert both is None
        return
    assert both is not None
    for field in ("test", "interval", "timeout", "start_period", "start_interval", "retries"):
        said = [getattr(each, field) for each in (own, image) if each and getattr(each, field)]
        assert getattr(both, field) == (said[0] if said else getattr(HealthCheck(), field))


@given(st.lists(draw.words), st.lists(draw.words))
def test_united_lists_keep_each_name_once(own: list[str], image: list[str]) -> None:
    both = united(own, image)
    assert set(both) == set(own) | set(image)
    assert len(both) == len(set(both))
    assert both[: len(dict.fromkeys(own))] == tuple(dict.fromkeys(own))
