"""Masks and names of capabilities, against arithmetic and the kernel's own numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidocker.namespaces.capabilities import (
    DEFAULT,
    NAMES,
    DropBoundingSet,
    SetCapabilities,
    bounding_set,
    mask_of,
    names_of,
)

sets = st.sets(st.sampled_from(NAMES))
masks = st.integers(0, 2**64 - 1)
KNOWN = 2 ** len(NAMES) - 1


@given(sets)
def test_a_set_of_names_comes_back_from_its_mask(names: set[str]) -> None:
    assert set(names_of(mask_of(names))) == names
    assert mask_of(names).bit_count() == len(names)


@given(masks)
def test_a_mask_comes_back_from_its_names_but_for_bits_that_nobody_knows(mask: int) -> None:
    assert mask_of(names_of(mask)) == mask & KNOWN


@given(sets, sets)
def test_masks_do_what_sets_do(one: set[str], other: set[str]) -> None:
    assert mask_of(one | other) == mask_of([*one, *other]) == mask_of(one) | mask_of(other)
    assert mask_of(one & other) == mask_of(one) & mask_of(other)
    assert (mask_of(one) & ~mask_of(other) == 0) == (one <= other)


@given(masks)
def test_names_are_in_the_order_of_their_numbers(mask: int) -> None:
    numbers = [mask_of([name]) for name in names_of(mask)]
    assert numbers == sorted(set(numbers))


@given(st.text(max_size=8).filter(lambda text: text not in NAMES))
@example("cap_chown")
@example("CHOWN")
def test_what_is_no_capability_has_no_mask(name: str) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        mask_of([name])


# <linux/capability.h>; a number never changes once it is given.
@pytest.mark.parametrize(
    ("name", "number"),
    [("CHOWN", 0), ("NET_RAW", 13), ("SYS_ADMIN", 21), ("SYSLOG", 34), ("CHECKPOINT_RESTORE", 40)],
)
def test_a_capability_has_the_kernels_number(name: str, number: int) -> None:
    assert mask_of([f"CAP_{name}"]) == 2**number


def test_dockers_fourteen_are_the_mask_that_every_container_of_docker_shows() -> None:
    assert mask_of(DEFAULT) == 0xA80425FB
    assert len(DEFAULT) == 14


def test_the_bounding_set_is_the_one_that_proc_shows() -> None:
    status = Path("/proc/self/status").read_text()
    (shown,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    assert mask_of(bounding_set()) == int(shown, 16) & KNOWN


def test_no_capability_of_this_kernel_is_without_a_name() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert last < len(NAMES)


@given(sets, sets)
def test_the_steps_say_how_many_they_leave(kept: set[str], ambient: set[str]) -> None:
    names = tuple(kept)
    assert f"but {len(kept)}" in DropBoundingSet(names).describe()
    said = SetCapabilities(names, NAMES, ambient=tuple(ambient)).describe()
    assert f"effective={len(kept)}, permitted={len(NAMES)}" in said
    assert f"{len(ambient)} ambient" in said
