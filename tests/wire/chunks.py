"""A strategy for cutting bytes into pieces, as a network does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` cut at each of ``places`` (taken modulo its length); joined it is ``data``."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(edges)]


places = st.lists(st.integers(0, 1 << 20), max_size=20)
