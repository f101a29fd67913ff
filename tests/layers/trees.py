"""Trees as values: generated, built on disk, read back and compared.

A tree is a dict of relative path -> Node; the root is ``""``.  ``read`` gives
the same form, so that a test compares two dicts and pytest shows what differs.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import strategies as st

from minidocker.layers.metadata import read_xattrs
from minidocker.layers.whiteout import is_whiteout

ROOT = os.geteuid() == 0
# Without root every file is ours, and directories must let us in.
OWNERS = (0, 7, 1000, 70_000, 3_000_000) if ROOT else (os.getuid(),)
GROUPS = OWNERS if ROOT else (os.getgid(),)
NAMES = ("a", "b", "c", "é", "long" * 30, "\udcff", "x y")
DAY = 86_400 * 10**9


@dataclass(frozen=True)
class Node:
    """``kind``: file, dir, link, fifo or name (another name for the file ``value``)."""

    kind: str
    value: bytes | str = b""
    mode: int = 0o755
    uid: int = OWNERS[0]
    gid: int = GROUPS[0]
    mtime: int = DAY
    xattrs: dict[str, bytes] = field(default_factory=dict)


Tree = dict[str, Node]

times = st.one_of(
    st.integers(0, 4 * 10**9).map(lambda seconds: seconds * 10**9), st.integers(0, 4 * 10**18)
)
xattrs = st.dictionaries(
    st.sampled_from(["user.one", "user.two"] + ["trusted.three"] * ROOT), st.binary(max_size=20)
)


@st.composite
def nodes(draw: st.DrawFn, depth: int) -> Node:
    kinds = ["file", "file", "link", "fifo"] + ["dir", "dir"] * (depth > 0)
    kind = draw(st.sampled_from(kinds))
    value: bytes | str = b""
    if kind == "file":
        value = draw(st.one_of(st.binary(max_size=40), st.just(b"\0" * 513), st.just(b"x" * 512)))
    elif kind == "link":
        value = draw(st.sampled_from(["a", "../b", "/c", "../../../../etc", "x" * 150]))
    mode = draw(st.sampled_from([0o755, 0o700, 0o644, 0o4755, 0o2711, 0o1777, 0o000, 0o555]))
    if kind == "dir" and not ROOT:
        mode |= 0o700
    if kind == "file" and not ROOT:
        mode |= 0o600
    node = Node(
        kind,
        value,
        0o777 if kind == "link" else mode,
        draw(st.sampled_from(OWNERS)),
        draw(st.sampled_from(GROUPS)),
        draw(times),
    )
    # The kernel has no user attributes on links and FIFOs (xattr(7)).
    return replace(node, xattrs=draw(xattrs)) if kind in ("file", "dir") else node


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Tree:
    root = replace(draw(nodes(0)), kind="dir", value=b"", mode=0o755, xattrs={})
    tree = {"": root}
    grow(draw, tree, "", depth)
    files = [path for path, node in tree.items() if node.kind == "file"]
    folders = [path for path, node in tree.items() if node.kind == "dir"]
    for _ in range(draw(st.integers(0, 2)) if files else 0):
        path = os.path.join(draw(st.sampled_from(folders)), draw(st.sampled_from(NAMES)))
        tree.setdefault(path, Node("name", draw(st.sampled_from(files))))
    return tree


def grow(draw: st.DrawFn, tree: Tree, folder: str, depth: int) -> None:
    for name in draw(st.sets(st.sampled_from(NAMES), max_size=3)):
        path = os.path.join(folder, name)
        tree[path] = draw(nodes(depth))
        if tree[path].kind == "dir":
            grow(draw, tree, path, depth - 1)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """Two trees; the second often the first with some subtrees from elsewhere."""
    one, other = draw(trees()), draw(trees())
    if draw(st.booleans()):
        return one, other
    tops = draw(st.sets(st.sampled_from(NAMES)))
    mixed = {path: node for path, node in one.items() if path.split("/")[0] not in tops}
    mixed |= {path: node for path, node in other.items() if path.split("/")[0] in tops}
    return one, {p: n for p, n in mixed.items() if n.kind != "name" or is_file(mixed, n.value)}


def is_file(tree: Tree, path: bytes | str) -> bool:
    return isinstance(path, str) and path in tree and tree[path].kind == "file"


def build(tree: Tree, root: Path) -> Path:
    """Make the tree on disk; ``root`` is made."""
    for path, node in sorted(tree.items(), key=lambda item: item[1].kind == "name"):
        where = root / path if path else root
        if node.kind == "dir":
            where.mkdir()
        elif node.kind == "file":
            assert isinstance(node.value, bytes)
            where.write_bytes(node.value)
        elif node.kind == "link":
            os.symlink(node.value, where)
        elif node.kind == "fifo":
            os.mkfifo(where)
        else:
            os.link(root / os.fsdecode(node.value), where)
    for path, node in sorted(tree.items(), reverse=True):
        if node.kind != "name":
            dress(root / path, node)
    return root


def dress(where: Path, node: Node) -> None:
    link = node.kind == "link"
    if ROOT:
        os.chown(where, node.uid, node.gid, follow_symlinks=False)
    if not link:
        os.chmod(where, node.mode)
    for name, value in node.xattrs.items():
        os.setxattr(where, name, value)
    os.utime(where, ns=(node.mtime, node.mtime), follow_symlinks=False)


def read(root: Path) -> Tree:
    """What is on disk, as a value; hard links become names of the first one."""
    tree: Tree = {}
    inodes: dict[int, str] = {}
    for path in sorted(walk(root, "")):
        where = root / path if path else root
        status = os.lstat(where)
        if not stat.S_ISDIR(status.st_mode):
            first = inodes.setdefault(status.st_ino, path)
            if first != path:
                tree[path] = Node("name", first)
                continue
        kind, value = content(where, status)
        mode = stat.S_IMODE(status.st_mode)
        mtime = 0 if is_whiteout(status) else status.st_mtime_ns  # whose means nothing
        tree[path] = Node(
            kind, value, mode, status.st_uid, status.st_gid, mtime, read_xattrs(where)
        )
    return tree


def content(where: Path, status: os.stat_result) -> tuple[str, bytes | str]:
    if stat.S_ISREG(status.st_mode):
        return "file", where.read_bytes()
    if stat.S_ISLNK(status.st_mode):
        return "link", os.readlink(where)
    if stat.S_ISDIR(status.st_mode):
        return "dir", b""
    kind = "fifo" if stat.S_ISFIFO(status.st_mode) else f"device {status.st_rdev}"
    return kind, b""


def walk(root: Path, path: str) -> Iterator[str]:
    yield path
    where = root / path if path else root
    if where.is_dir() and not where.is_symlink():
        for name in os.listdir(where):
            yield from walk(root, os.path.join(path, name))


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """A fresh directory: hypothesis runs a test many times, and fixtures once."""
    with tempfile.TemporaryDirectory(prefix="minidocker-layers-") as path:
        yield Path(path)
