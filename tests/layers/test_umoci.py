"""umoci as the oracle: it unpacks the same layers to the same tree."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from minidocker.layers.apply import apply_to_tree
from minidocker.layers.blobs import BlobStore
from minidocker.layers.changes import diff_layer, diff_trees
from minidocker.layers.compression import gzip_compress
from minidocker.layers.store import LayerStore
from tests.layers.tars import diff_id, file, folder, hard, joined, link, tar
from tests.layers.trees import Node, Tree, build, pairs, read, workshop
from tests.support.need import need_program, need_root

pytestmark = [pytest.mark.oracle, pytest.mark.kernel]
OCI = "application/vnd.oci.image"


def layout(root: Path, layers: Iterable[bytes]) -> BlobStore:
    """An OCI image layout with one image, tagged ``it``, whose layers are these tars."""
    blobs = BlobStore(root)
    tars = list(layers)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id(each) for each in tars]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": describe(blobs, "config.v1+json", json.dumps(config).encode()),
        "layers": [
            describe(blobs, "layer.v1.tar+gzip", b"".join(gzip_compress([each]))) for each in tars
        ],
    }
    listed = describe(blobs, "manifest.v1+json", json.dumps(manifest).encode())
    listed["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    return blobs


def describe(blobs: BlobStore, kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": f"{OCI}.{kind}", "digest": blobs.put(data), "size": len(data)}


def unpacked_by_umoci(umoci: str, shop: Path, layers: Iterable[bytes]) -> Tree:
    layout(shop / "images", layers)
    command = [umoci, "raw", "unpack", "--image", f"{shop / 'images'}:it", str(shop / "theirs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return read(shop / "theirs")


def unpacked_by_us(shop: Path, layers: Iterable[bytes]) -> Tree:
    ours = shop / "ours"
    ours.mkdir()
    for layer in layers:
        apply_to_tree(joined([layer]), ours)
    return read(ours)


LAYERS = [
    tar(
        folder("./", mode=0o711, mtime=5),
        folder("etc", mode=0o750, mtime=7),
        file("etc/passwd", b"root", uid=3, gid=4, mtime=9),
        file("su", b"#!", mode=0o4755, uid=5),
        hard("su2", "su"),
        folder("usr/lib", mtime=11),
        folder("usr", mtime=11),
        link("lib", "usr/lib"),
        file("old", b"x"),
        folder("data", mtime=1),
        file("data/1"),
        file("attributes", pax_headers={"SCHILY.xattr.user.note": "yes"}),
        file("late", pax_headers={"mtime": "1234.567891234"}),
    ).getvalue(),
    tar(
        file(".wh.old"),
        file("lib/libc.so", b"elf", mtime=3),
        file("data/.wh..wh..opq"),
        file("data/2", b"2"),
        folder("etc", mode=0o755, mtime=8),
        link("late", "nowhere"),
    ).getvalue(),
]


def test_umoci_unpacks_layers_to_the_same_tree(tmp_path: Path) -> None:
    need_root()
    umoci = need_program("umoci")
    theirs, ours = unpacked_by_umoci(umoci, tmp_path, LAYERS), unpacked_by_us(tmp_path, LAYERS)
    for path in ("", "data", "usr/lib"):
        # umoci gives a directory whose files a layer changes the time of that moment.
        assert theirs[path].mode == ours[path].mode
        del theirs[path], ours[path]
    assert theirs == ours


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(pairs())
def test_umoci_understands_the_layers_we_write(pair: tuple[Tree, Tree]) -> None:
    need_root()
    umoci = need_program("umoci")
    states = [portable(tree) for tree in pair]
    with workshop() as shop:
        empty = build({"": Node("dir")}, shop / "empty")
        old, new = (build(state, shop / f"tree-{i}") for i, state in enumerate(states))
        layers = [b"".join(diff_trees(empty, old)), b"".join(diff_trees(old, new))]
        theirs, ours = unpacked_by_umoci(umoci, shop, layers), unpacked_by_us(shop, layers)
        assert ours == read(new) | {"": ours[""]}
        assert theirs == ours | {"": theirs[""]}


def portable(tree: Tree) -> Tree:
    """The tree without what umoci cannot be asked: names that are no UTF-8, and attributes
    without a value (pax(1): an empty value takes the keyword away)."""
    return {
        utf8(path): replace(
            node,
            value=utf8(node.value) if isinstance(node.value, str) else node.value,
            xattrs={name: value for name, value in node.xattrs.items() if value},
        )
        for path, node in tree.items()
    }


def utf8(name: str) -> str:
    return name.replace("\udcff", "ü")


def test_umoci_unpacks_what_a_store_holds(tmp_path: Path) -> None:
    need_root()
    umoci = need_program("umoci")
    ids = [diff_id(each) for each in LAYERS]
    store = LayerStore(tmp_path / "layers")
    for index, layer in enumerate(LAYERS):
        store.ensure(ids, index, lambda layer=layer: joined([layer]))  # type: ignore[misc]
    # Out of the overlay form again, and through umoci: the same as applied by us.
    written = [b"".join(diff_layer(path)) for path in reversed(store.lower_dirs(ids))]
    theirs = unpacked_by_umoci(umoci, tmp_path, written)
    ours = unpacked_by_us(tmp_path, LAYERS)
    assert {path: node.value for path, node in theirs.items()} == {
        path: node.value for path, node in ours.items()
    }
