"""The kernel's overlayfs as the oracle: what we say a stack of layers is, it shows."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.layers.apply import apply_layer, apply_to_tree
from minidocker.layers.changes import changes, diff_layer, diff_trees
from minidocker.layers.metadata import copy_metadata
from minidocker.linux import flags, syscalls
from tests.layers.tars import file, folder, joined, tar
from tests.layers.trees import NAMES, Tree, build, pairs, read, trees, workshop
from tests.support.need import need_filesystem, need_root

pytestmark = pytest.mark.kernel
EXAMPLES = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    need_root()
    need_filesystem("overlay")


def in_overlay(lower: list[Path], upper: Path, act: Callable[[Path], Any]) -> Any:
    """``act`` on the mounted overlay, in a child with a mount namespace of its own."""
    work, merged = (upper.with_name(f"{upper.name}-{end}") for end in ("work", "merged"))
    work.mkdir(exist_ok=True)
    merged.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            syscalls.unshare(flags.CLONE_NEWNS)
            syscalls.mount(None, "/", None, flags.MS_REC | flags.MS_PRIVATE)
            stack = ":".join(str(path) for path in lower)
            options = f"lowerdir={stack},upperdir={upper},workdir={work}"
            syscalls.mount("overlay", str(merged), "overlay", 0, options)
            with open(writer, "wb") as pipe:
                pickle.dump(act(merged), pipe)
            code = 0
        except BaseException:
            # Nothing may leave the child: it would go on as a second test run.
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return pickle.loads(answer)


def shown(layers: list[Path]) -> Tree:
    """What the kernel shows of the layers, topmost first."""
    upper = layers[0].with_name("empty-upper")
    upper.mkdir()
    copy_metadata(layers[0], upper)
    tree: Tree = in_overlay(layers, upper, read)
    return tree


@EXAMPLES
@given(pairs())
def test_the_kernel_shows_an_applied_layer_as_the_tree_it_was_made_from(
    pair: tuple[Tree, Tree],
) -> None:
    with workshop() as shop:
        old, new = build(pair[0], shop / "old"), build(pair[1], shop / "new")
        layer = shop / "layer"
        layer.mkdir()
        apply_layer(joined(diff_trees(old, new)), layer, [old])
        assert shown([layer, old]) == read(new)


@EXAMPLES
@given(st.lists(trees(depth=2), min_size=2, max_size=4))
def test_the_kernel_shows_a_stack_of_layers_as_the_last_tree(states: list[Tree]) -> None:
    with workshop() as shop:
        layers: list[Path] = []
        before = shop / "nothing"
        before.mkdir()
        for i, state in enumerate(states):
            after, layer = build(state, shop / f"tree-{i}"), shop / f"layer-{i}"
            layer.mkdir()
            apply_layer(joined(diff_trees(before, after)), layer, layers)
            layers.insert(0, layer)
            before = after
        assert shown(layers) == read(before)


# What a container may do to its root, as small programs of (verb, path, path).
paths = st.lists(st.sampled_from(NAMES[:4]), min_size=1, max_size=3).map("/".join)
deeds = st.lists(
    st.tuples(
        st.sampled_from(["write", "mkdir", "remove", "rename", "symlink", "link", "chmod"]),
        paths,
        paths,
    ),
    max_size=8,
)


def perform(root: Path, program: list[tuple[str, str, str]]) -> None:
    import shutil

    for verb, one, other in program:
        here, there = root / one, root / other
        acts: dict[str, Callable[[], object]] = {
            "write": lambda here=here, one=one: here.write_bytes(one.encode()),
            "mkdir": lambda here=here: here.mkdir(),
            "remove": lambda here=here: (
                shutil.rmtree(here) if here.is_dir() and not here.is_symlink() else here.unlink()
            ),
            # overlayfs says EXDEV for a directory that is (also) below; mv(1) then copies.
            "rename": lambda here=here, there=there: os.rename(here, there),
            "symlink": lambda here=here, other=other: os.symlink(other, here),
            "link": lambda here=here, there=there: os.link(here, there, follow_symlinks=False),
            "chmod": lambda here=here: os.chmod(here, 0o711),
        }
        try:
            acts[verb]()
        except OSError:
            continue


def visible(path: Path) -> set[str]:
    return {f"/{each}" for each in read(path)} - {"/"}


@EXAMPLES
@given(trees(), deeds)
def test_what_a_container_did_is_in_its_layer_and_in_its_changes(
    tree: Tree, program: list[tuple[str, str, str]]
) -> None:
    # Links that lead out of the root would lead the deeds out of the overlay, and
    # who writes into a FIFO waits for a reader.
    tree = {path: node for path, node in tree.items() if node.kind not in ("link", "fifo")}
    tree = {p: n for p, n in tree.items() if all(q in tree for q in parents(p))}
    with workshop() as shop:
        lower, upper = build(tree, shop / "lower"), shop / "upper"
        upper.mkdir()
        copy_metadata(lower, upper)

        def act(root: Path) -> Tree:
            perform(root, program)
            return read(root)

        after: Tree = in_overlay([lower], upper, act)
        listed = changes(upper, [lower])
        before = visible(lower)
        assert {change.path for change in listed if change.kind == "A"} == {
            f"/{path}" for path in after if path and f"/{path}" not in before
        }
        deleted = {change.path for change in listed if change.kind == "D"}
        gone = before - {f"/{path}" for path in after}
        assert deleted <= gone
        assert all(
            path in deleted or path.rpartition("/")[0] in gone | deleted | replaced(after)
            for path in gone
        )
        apply_to_tree(joined(diff_layer(upper)), lower)
        assert unlinked(read(lower)) == unlinked(after)


def replaced(after: Tree) -> set[str]:
    """What is no directory now: Docker lists it as changed, and nothing that was in it."""
    return {f"/{path}" for path, node in after.items() if node.kind != "dir"}


def unlinked(tree: Tree) -> Tree:
    """Every name with its file's own content: overlayfs breaks hard links when it copies up."""
    return {
        path: tree[os.fsdecode(node.value)] if node.kind == "name" else node
        for path, node in tree.items()
    }


def parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


def test_an_opaque_root_is_hidden_for_the_kernel_too(tmp_path: Path) -> None:
    lower, layer = tmp_path / "lower", tmp_path / "layer"
    for path in (lower, layer):
        path.mkdir()
    apply_layer(tar(folder("a"), file("a/x"), file("b")), lower)
    apply_layer(tar(file(".wh..wh..opq"), folder("a"), file("a/y")), layer, [lower])
    assert set(shown([layer, lower])) == {"", "a", "a/y"}
