"""The tests' own image is what an image should be."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from tests.support.busybox import ETC, NAME, archive, layer


def test_the_layer_is_the_same_bytes_every_time() -> None:
    assert layer() == layer()


def test_the_archive_names_everything_by_its_digest(tmp_path: Path) -> None:
    with tarfile.open(archive(tmp_path / "busybox.tar")) as tar:
        parts = {member.name: tar.extractfile(member) for member in tar}
        content = {name: file.read() for name, file in parts.items() if file}
    (manifest,) = json.loads(content["manifest.json"])
    config = content[manifest["Config"]]
    assert manifest["RepoTags"] == [NAME]
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    diff_ids = [f"sha256:{hashlib.sha256(content[one]).hexdigest()}" for one in manifest["Layers"]]
    assert json.loads(config)["rootfs"]["diff_ids"] == diff_ids


def test_the_layer_has_a_shell_and_users() -> None:
    with tarfile.open(fileobj=io.BytesIO(layer())) as tar:
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert tar.getmember("bin/busybox").mode == 0o755
        names = tar.getnames()
    assert len(names) == len(set(names))
    assert ETC.keys() <= set(names)


def test_another_image_has_files_of_its_own() -> None:
    more = {"etc/group": "root:x:0:\n", "var/opt/mark": "here"}
    with tarfile.open(fileobj=io.BytesIO(layer(more))) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names))
        assert tar.getmember("var/opt").isdir()
        for name, text in more.items():
            file = tar.extractfile(name)
            assert file is not None
            assert file.read().decode() == text
