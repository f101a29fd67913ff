"""Chain IDs: the name of a stack of layers, where a diff ID is the name of one.

The same layer on another parent makes another tree, so an unpacked stack is
known by all that lies in it, the bottom first.

https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
"""

from __future__ import annotations

from collections.abc import Iterable

from minidocker.oci.digest import digest_of


def chain_id(parent: str | None, diff_id: str) -> str:
    """The chain ID of the layer ``diff_id`` on the stack ``parent`` (None: on nothing).

    ChainID(L0) = DiffID(L0); ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + DiffID(Ln)).
    """
    if parent is None:
        return diff_id
    return digest_of(f"{parent} {diff_id}".encode())


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """The chain ID of every layer on all those before it; ``diff_ids``: the bottom first."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(chain_id(chain[-1] if chain else None, diff_id))
    return chain
