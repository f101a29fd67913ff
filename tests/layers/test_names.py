"""Pure rules: whiteout names, times, and what overlayfs keeps for itself."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.layers.tarheader import LATEST, nanoseconds
from minidocker.layers.tarwrite import pax_time
from minidocker.layers.whiteout import hidden_by, is_overlays_own, whiteout_name

components = st.text(min_size=1).filter(lambda name: "/" not in name)


@given(components)
def test_a_whiteout_name_hides_the_name_it_was_made_of(name: str) -> None:
    assume(name not in (".", "..") and not name.startswith(".wh."))
    assert hidden_by(whiteout_name(name)) == name


@given(components)
def test_other_names_hide_nothing(name: str) -> None:
    assume(not name.startswith(".wh."))
    assert hidden_by(name) is None


@pytest.mark.parametrize("name", [".wh..wh..opq", ".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh."])
def test_names_of_aufs_hide_nothing(name: str) -> None:
    assert hidden_by(name) is None


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_a_whiteout_of_no_file_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameter, match="names no file"):
        hidden_by(name)


@given(st.integers(-LATEST * 10**9, LATEST * 10**9))
def test_a_time_survives_to_the_nanosecond(time: int) -> None:
    assert nanoseconds(pax_time(time)) == time


@given(st.integers(0, LATEST), st.text("0123456789", max_size=20))
def test_digits_below_a_nanosecond_are_rounded_down(seconds: int, digits: str) -> None:
    assert nanoseconds(f"{seconds}.{digits}") <= nanoseconds(f"{seconds + 1}")
    assert nanoseconds(f"{seconds}.{digits}") == nanoseconds(f"{seconds}.{digits[:9]}")
    assert nanoseconds(f"-{seconds}.{digits}") <= -nanoseconds(f"{seconds}.{digits}")


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e9", "--1", "1.2.3", "٣", ".5", "1" * 31])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="time"):
        nanoseconds(text)


@pytest.mark.parametrize("text", ["1" * 30, "-" + "9" * 29])
def test_a_time_beyond_all_file_systems_becomes_the_nearest(text: str) -> None:
    assert abs(nanoseconds(text)) == LATEST * 10**9


def test_the_attributes_of_overlayfs_are_known_by_their_prefix() -> None:
    assert is_overlays_own("trusted.overlay.opaque")
    assert is_overlays_own("user.overlay.redirect")
    assert not is_overlays_own("user.overlaid")
    assert not is_overlays_own("security.capability")
