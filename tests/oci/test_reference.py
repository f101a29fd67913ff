"""The grammar of names, and the full name behind a short one: Docker's own examples."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.oci.reference import Reference, parse_reference, split_domain
from tests.oci.texts import references, tags
from tests.support.need import need_program

A64 = "a" * 64
SHA = f"sha256:{A64}"

# What is typed -> the full name, and how lists show it.
GOOD = {
    "alpine": ("docker.io/library/alpine:latest", "alpine:latest"),
    "alpine:3.20": ("docker.io/library/alpine:3.20", "alpine:3.20"),
    "library/alpine": ("docker.io/library/alpine:latest", "alpine:latest"),
    "docker.io/alpine": ("docker.io/library/alpine:latest", "alpine:latest"),
    "index.docker.io/alpine": ("docker.io/library/alpine:latest", "alpine:latest"),
    "docker.io/library/a/b": ("docker.io/library/a/b:latest", "library/a/b:latest"),
    "docker.io": ("docker.io/library/docker.io:latest", "docker.io:latest"),
    "user/app": ("docker.io/user/app:latest", "user/app:latest"),
    "localhost/app": ("localhost/app:latest", "localhost/app:latest"),
    "localhost:5000/app:v1": ("localhost:5000/app:v1", "localhost:5000/app:v1"),
    "[::1]:5000/app": ("[::1]:5000/app:latest", "[::1]:5000/app:latest"),
    "Registry/app": ("Registry/app:latest", "Registry/app:latest"),
    "ghcr.io/a/b/c": ("ghcr.io/a/b/c:latest", "ghcr.io/a/b/c:latest"),
    "a__b/c--d.e_f": ("docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest"),
    f"alpine@{SHA}": (f"docker.io/library/alpine@{SHA}", f"alpine@{SHA}"),
    f"alpine:1@{SHA}": (f"docker.io/library/alpine:1@{SHA}", f"alpine:1@{SHA}"),
    SHA: (f"docker.io/library/sha256:{A64}", f"sha256:{A64}"),
    "x.io/" + "a" * 255: ("x.io/" + "a" * 255 + ":latest", "x.io/" + "a" * 255 + ":latest"),
}

FORMAT = "invalid reference format"
LOWERCASE = "invalid reference format: repository name ({}) must be lowercase"
BAD = {
    "": FORMAT,
    "a b": FORMAT,
    "-a": FORMAT,
    "a-": FORMAT,
    "a//b": FORMAT,
    "a___b": FORMAT,
    "a..b": FORMAT,
    "alpine:": FORMAT,
    "a:b:c": FORMAT,
    "a:b/c": FORMAT,
    "é": FORMAT,
    "alpine\n": FORMAT,
    "http://a/b": FORMAT,
    "docker.io/": FORMAT,
    "alpine@sha256:abc": FORMAT,
    "a:" + "b" * 129: FORMAT,
    "Alpine": LOWERCASE.format("library/Alpine"),
    "foo/Bar": LOWERCASE.format("foo/Bar"),
    "localhost:5000/Foo:1": LOWERCASE.format("Foo"),
    A64: f"invalid repository name ({A64}), cannot specify 64-byte hexadecimal strings",
    "a" * 248: "repository name must not be more than 255 characters",
    f"alpine@sha256:{'A' * 64}": "invalid checksum digest format",
    f"alpine@sha256:{'a' * 63}": "invalid checksum digest length",
    f"alpine@md5:{'a' * 32}": "unsupported digest algorithm",
}


def test_what_is_too_long_for_a_name_is_not_looked_at() -> None:
    with pytest.raises(InvalidParameter, match="900000 characters are no name"):
        parse_reference("a/" * 450_000)


@pytest.mark.parametrize("text", GOOD)
def test_a_short_name_has_one_full_name(text: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.familiar()) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_a_bad_name_is_refused_in_dockers_words(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_reference(text)
    assert caught.value.message == BAD[text]


@pytest.mark.oracle
@pytest.mark.parametrize("text", [*GOOD, *BAD])
def test_the_docker_command_agrees(text: str) -> None:
    """It parses the name before it looks for a daemon, and here there is none."""
    docker = need_program("docker")
    answer = subprocess.run(
        [docker, "-H", "unix:///nonexistent.sock", "pull", "--quiet", "--", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    said = answer.stderr.strip()
    if text in GOOD:
        assert "docker daemon" in said, said
    else:
        assert said.splitlines()[0] == BAD[text]


@given(references())
def test_a_full_name_is_read_back(reference: Reference) -> None:
    assert parse_reference(str(reference), default_tag=False) == reference


@given(references())
def test_the_familiar_name_means_the_same(reference: Reference) -> None:
    """But for Docker Hub's users whose name looks like a host: Docker has that ambiguity too."""
    first = reference.path.partition("/")[0]
    assume(reference.domain != "docker.io" or ("." not in first and first != "localhost"))
    assume(reference.tag is not None or reference.digest is not None)
    assert parse_reference(reference.familiar()) == reference


@given(references())
def test_latest_is_for_those_without_tag_and_digest(reference: Reference) -> None:
    given = parse_reference(str(reference))
    if reference.tag is None and reference.digest is None:
        assert given == reference.tagged("latest")
    else:
        assert given == reference


@given(references(), tags)
def test_tagging_stays_in_the_repository(reference: Reference, tag: str) -> None:
    tagged = reference.tagged(tag)
    assert (tagged.name, tagged.tag, tagged.digest) == (reference.name, tag, None)
    pinned = tagged.pinned(SHA)
    assert (pinned.name, pinned.tag, pinned.digest) == (reference.name, None, SHA)


@given(st.text(alphabet="aA0/:@._-[] é\n", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidParameter:
        return
    assert parse_reference(str(reference)) == reference


@given(st.text(alphabet="aA/:.", max_size=12))
def test_splitting_loses_nothing(text: str) -> None:
    domain, rest = split_domain(text)
    assert f"{domain}/{rest}".endswith(text)
