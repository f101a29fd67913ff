"""Platforms: names, and the choice from an index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter, NotFound
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.platform import (
    Platform,
    acceptable,
    choose,
    host_platform,
    normalize,
    parse_platform,
    runs_on,
)
from tests.oci.texts import platforms

HOST = host_platform()


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("Linux/AMD64/v1", Platform("linux", "amd64")),
        ("linux/amd64/v3", Platform("linux", "amd64", "v3")),
        ("linux/arm64/v8", Platform("linux", "arm64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm", Platform("linux", "arm", "v7")),
        ("linux/armhf", Platform("linux", "arm", "v7")),
        ("linux/arm/6", Platform("linux", "arm", "v6")),
        ("linux/i386", Platform("linux", "386")),
        ("arm64", Platform(HOST.os, "arm64")),
        ("linux", Platform("linux", HOST.architecture, HOST.variant)),
        ("macos/arm64", Platform("darwin", "arm64")),
    ],
)
def test_a_platform_has_many_spellings_and_one_name(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform


@pytest.mark.parametrize("text", ["", "/", "linux/", "linux/amd64/v1/x", "a b", "pear", "linux/é"])
def test_a_bad_platform_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_platform(text)
    assert f'"{text}"' in caught.value.message


@given(platforms)
def test_normalizing_twice_changes_nothing(platform: Platform) -> None:
    once = normalize(platform)
    assert normalize(once) == once
    assert parse_platform(str(once)) == Platform(once.os, once.architecture, once.variant)


@given(platforms)
def test_a_platform_is_read_back_from_json(platform: Platform) -> None:
    assert Platform.from_json(platform.to_json()) == platform


@given(platforms)
def test_every_platform_runs_its_own_images_first(platform: Platform) -> None:
    platform = normalize(platform)
    assert acceptable(platform)[0] == (platform.architecture, platform.variant)
    assert runs_on(platform, platform)


def entry(text: str | None, n: int = 0) -> Descriptor:
    platform = None if text is None else parse_platform(text)
    return Descriptor("application/x", digest_of(f"{text} {n}".encode()), 1, platform)


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["linux/386", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["windows/amd64", "linux/386"], "linux/386"),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        ("linux/arm64", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
    ],
)
def test_the_nearest_below_is_taken(wanted: str, offered: list[str], taken: str) -> None:
    assert choose([entry(each) for each in offered], parse_platform(wanted)) == entry(taken)


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ("linux/amd64", ["linux/arm64", "windows/amd64", None]),
        ("linux/arm/v6", ["linux/arm/v7"]),
        ("linux/386", ["linux/amd64"]),
        ("linux/amd64", []),
    ],
)
def test_no_fit_is_said_in_dockers_words(wanted: str, offered: list[str | None]) -> None:
    said = f"^no matching manifest for {wanted} in the manifest list entries$"
    with pytest.raises(NotFound, match=said):
        choose([entry(each) for each in offered], parse_platform(wanted))


@given(st.lists(platforms, max_size=6), platforms)
def test_whatever_is_chosen_runs_and_nothing_better_was_there(
    offered: list[Platform], wanted: Platform
) -> None:
    entries = [Descriptor("a/b", digest_of(b"%d" % n), n, p) for n, p in enumerate(offered)]
    ranks = acceptable(wanted)
    fitting = [p for p in map(normalize, offered) if runs_on(p, wanted)]
    try:
        taken = choose(entries, wanted)
    except NotFound:
        assert not fitting
        return
    assert taken.platform is not None
    best = normalize(taken.platform)
    rank = ranks.index((best.architecture, best.variant))
    assert all(rank <= ranks.index((p.architecture, p.variant)) for p in fitting)
