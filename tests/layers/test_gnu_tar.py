"""GNU tar as the oracle: what it writes we read, what we write it reads, sparse files too."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.layers.apply import apply_to_tree
from minidocker.layers.changes import diff_trees
from minidocker.layers.trees import remove_tree
from tests.layers.tars import joined
from tests.layers.trees import Tree, build, read, trees, workshop
from tests.support.need import need_program, need_root

pytestmark = pytest.mark.oracle
FORMATS = ["v7", "oldgnu", "gnu", "ustar", "posix"]
KEEP = ("--xattrs", "--xattrs-include=*", "--numeric-owner")


def gnu_tar(*args: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [need_program("tar"), *args], input=input, capture_output=True, check=False
    )


@settings(max_examples=40, deadline=None)
@given(trees(), st.sampled_from(FORMATS))
def test_what_it_writes_is_unpacked_as_it_does(tree: Tree, form: str) -> None:
    need_root()
    keep = KEEP if form == "posix" else ()
    with workshop() as shop:
        source = build(tree, shop / "source")
        made = gnu_tar("-C", str(source), f"--format={form}", *keep, "-cf", "-", ".")
        theirs, ours = shop / "theirs", shop / "ours"
        for each in (theirs, ours):
            each.mkdir()
        extracted = gnu_tar("-C", str(theirs), "-p", *KEEP, "-xf", "-", input=made.stdout)
        assert extracted.returncode == 0, extracted.stderr
        apply_to_tree(io.BytesIO(made.stdout), ours)
        found, expected = read(ours), read(theirs)
        if made.returncode:  # the format has no room for some entry, perhaps the root's
            del found[""], expected[""]
        assert found == expected


@settings(max_examples=40, deadline=None)
@given(trees())
def test_what_is_written_it_unpacks(tree: Tree) -> None:
    need_root()
    with workshop() as shop:
        source, empty, theirs = build(tree, shop / "source"), shop / "empty", shop / "theirs"
        for each in (empty, theirs):
            each.mkdir()
        written = joined(diff_trees(empty, source)).getvalue()
        extracted = gnu_tar("-C", str(theirs), "-p", *KEEP, "-xf", "-", input=written)
        assert extracted.returncode == 0, extracted.stderr
        expected, found = read(source), read(theirs)
        del found[""], expected[""]
        assert found == expected


SPARSE = {
    "old GNU": ("--format=gnu",),
    "PAX 0.0": ("--format=posix", "--sparse-version=0.0"),
    "PAX 0.1": ("--format=posix", "--sparse-version=0.1"),
    "PAX 1.0": ("--format=posix", "--sparse-version=1.0"),
}


@pytest.mark.parametrize("form", SPARSE)
@pytest.mark.parametrize("parts", [0, 1, 3, 4, 5, 60])
def test_sparse_files_keep_content_and_holes(tmp_path: Path, form: str, parts: int) -> None:
    """Some data here and there, with as much nothing behind."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    with open(source / ("sparse" * 20), "wb") as file:
        for part in range(parts):
            file.seek(part * (1 << 17) + 4096)
            file.write(os.urandom(5000))
        file.truncate((parts + 1) << 17)
    (source / "z").write_bytes(b"what follows")
    made = gnu_tar("-C", str(source), "-S", *SPARSE[form], "-cf", "-", ".")
    assert made.returncode == 0, made.stderr
    assert len(made.stdout) < 40_000 + parts * 12_000, "it is sparse"
    apply_to_tree(io.BytesIO(made.stdout), target)
    for name in os.listdir(source):
        assert (target / name).read_bytes() == (source / name).read_bytes()
        assert (target / name).stat().st_blocks <= (source / name).stat().st_blocks
    remove_tree(target)
