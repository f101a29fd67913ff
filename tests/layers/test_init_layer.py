"""The engine's own layer: what it adds, what it hides, and that all else stays as it was."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from minidocker.layers.init_layer import CONTENTS, make_init_layer
from minidocker.layers.union import find

NAMES = [f"{folder}/{name}".lstrip("/") for folder, names in CONTENTS.items() for name in names]
LINK = "etc/mtab"
FOLDERS = {*CONTENTS, "proc", "sys", "dev/pts", "dev/shm"} - {""}

kinds = st.sampled_from(["folder", "file", "link"])
images = st.dictionaries(st.sampled_from([*NAMES, "etc/passwd", "dev/null", "bin"]), kinds)


def make(root: Path, image: dict[str, str]) -> None:
    """An image's tree; a name below what is no folder is left out."""
    for path in sorted(image):
        place = root / path
        if any(parent.is_symlink() or parent.is_file() for parent in place.parents):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if image[path] == "folder":
            place.mkdir(exist_ok=True)
            os.chmod(place, 0o1751)
            os.utime(place, (5, 5))
        elif image[path] == "file":
            place.write_text("the image's")
        else:
            place.symlink_to("/elsewhere")
    for path in sorted(image):  # again, for making what is in a folder changes its time
        if image[path] == "folder" and (root / path).is_dir():
            os.utime(root / path, (5, 5), follow_symlinks=False)


@given(st.lists(images, max_size=3))
def test_all_of_it_is_there_whatever_the_image_has(stack: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layers = [Path(folder) / f"layer{index}" for index in range(len(stack))]
        for layer, image in zip(layers, stack, strict=True):
            layer.mkdir()
            make(layer, image)
        below = [str(layer) for layer in layers]
        target = Path(folder) / "init"
        target.mkdir()
        make_init_layer(str(target), below)
        for path in NAMES:
            before, now = find(below, path), find([str(target), *below], path)
            assert now is not None
            kept = before is not None and before.is_directory
            if path in FOLDERS or kept:
                assert now.is_directory
            else:
                assert stat.S_ISLNK(now.status.st_mode) == (path == LINK)
                assert path == LINK or now.status.st_size == 0
            if kept and before is not None:
                assert now.status.st_mode == before.status.st_mode
                assert now.status.st_mtime_ns == before.status.st_mtime_ns
        for path in ("etc/passwd", "dev/null", "bin"):
            hidden = (parent := path.partition("/")[0]) != path and not _folder(below, parent)
            if not hidden:
                before, now = find(below, path), find([str(target), *below], path)
                assert (before and before.path) == (now and now.path)


def _folder(below: list[str], path: str) -> bool:
    found = find(below, path)
    return found is not None and found.is_directory


def test_it_leads_where_mount_looks(tmp_path: Path) -> None:
    make_init_layer(str(tmp_path), [])
    assert os.readlink(tmp_path / LINK) == "/proc/mounts"
    assert stat.S_IMODE(os.stat(tmp_path / ".dockerenv").st_mode) == 0o755
