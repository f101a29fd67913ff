"""Strategies for the texts and values of the OCI specifications."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.platform import Platform
from minidocker.oci.reference import Reference

LOWER = string.ascii_lowercase + string.digits

digests = st.binary(max_size=8).map(digest_of)
labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True)
ports = st.just("") | st.integers(0, 99999).map(lambda n: f":{n}")
hosts = st.one_of(
    st.lists(labels, min_size=2, max_size=3).map(".".join),
    st.just("localhost"),
    st.sampled_from(["[::1]", "[fe80::1]"]),
)
domains = st.one_of(
    st.just("docker.io"),
    st.tuples(hosts, ports).map("".join),
    # a label alone is a host only with a port
    st.tuples(labels, st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
).filter(lambda domain: domain != "index.docker.io")
components = st.from_regex(r"[a-z0-9]{1,4}(([._]|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
paths = st.lists(components, min_size=1, max_size=3).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Full names as ``parse_reference(..., default_tag=False)`` makes them."""
    domain, path = draw(domains), draw(paths)
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return Reference(domain, path, draw(st.none() | tags), draw(st.none() | digests))


words = st.text(max_size=8)
lists = st.lists(words, max_size=3).map(tuple)
maybe_lists = st.none() | lists
maps = st.dictionaries(words, words, max_size=3)
annotations = st.dictionaries(st.text(min_size=1, max_size=8), words, max_size=3)
platforms = st.builds(
    Platform,
    st.sampled_from(["linux", "windows", "freebsd"]),
    st.sampled_from(["amd64", "386", "arm", "arm64", "riscv64"]),
    st.sampled_from(["", "v5", "v6", "v7", "v8", "v2"]),
    words,
    lists,
)
media_types = st.from_regex(r"[a-z]{1,8}/[a-z0-9.+-]{1,12}", fullmatch=True).filter(
    lambda text: text.partition("/")[2][0].isalnum()
)
sizes = st.integers(0, 2**53)
descriptors = st.builds(
    Descriptor, media_types, digests, sizes, st.none() | platforms, annotations, st.just(())
)
