"""What is copied, loaded and pulled: folders, and an image of layers, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

FILES = 2040  # small ones, of a layer
SMALL, BIG = 8_000, 20_000_000  # bytes; a layer has one big file: five layers are 180 MB
FOLDER = 100  # files in one directory


def digits(size: int, seed: int) -> bytes:
    """Bytes that compress by half, as programs do."""
    return random.Random(seed).randbytes(size // 2).hex().encode()


def files(seed: int, count: int, big: int) -> Iterator[tuple[str, bytes]]:
    """``count`` small files in directories, and one of ``big`` bytes, if any: name, content."""
    source = digits(SMALL * 100, seed)
    for number in range(count):
        at = number * 4001 % (len(source) - SMALL)
        yield f"d{seed}-{number // FOLDER}/file-{number}", source[at : at + SMALL]
    if big:
        yield f"big-{seed}", digits(big, seed)


def write_folder(root: Path, count: int, big: int = 0) -> Path:
    for name, data in files(0, count, big):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def image(path: Path, name: str, seeds: Sequence[int]) -> None:
    """An archive as older ``docker save`` wrote it, which both daemons load; a layer a seed."""
    with tarfile.open(path, "w") as out:
        diff_ids = []
        layers = [f"layer-{seed}.tar" for seed in seeds]
        for name_in_it, seed in zip(layers, seeds, strict=True):
            tar = layer(seed)
            diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
            add(out, name_in_it, tar)
        config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]}}
        add_json(out, "config.json", {**config, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        manifest = {"Config": "config.json", "RepoTags": [name], "Layers": layers}
        add_json(out, "manifest.json", [manifest])


def layer(*seeds: int) -> bytes:
    """The files of these seeds, with their directories, in one tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        there = {""}
        for seed in seeds:
            for name, data in files(seed, FILES, BIG):
                folder = name.rpartition("/")[0]
                if folder not in there:
                    add(tar, folder, b"", tarfile.DIRTYPE)
                    there.add(folder)
                add(tar, name, data)
    return buffer.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.mtime = kind, len(data), 0o755, 1_000_000_000
    tar.addfile(info, io.BytesIO(data))


def add_json(tar: tarfile.TarFile, name: str, value: object) -> None:
    add(tar, name, json.dumps(value).encode())
