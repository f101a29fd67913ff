"""Tars for the tests, written entry by entry, as no honest program would."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from typing import Any


def entry(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any) -> bytes:
    """One entry; ``fields`` are those of ``tarfile.TarInfo``."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    head = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return head + data + bytes(-len(data) % 512)


def file(name: str, data: bytes = b"", **fields: Any) -> bytes:
    return entry(name, data=data, **{"mode": 0o644, **fields})


def folder(name: str, mode: int = 0o755, **fields: Any) -> bytes:
    return entry(name, tarfile.DIRTYPE, mode=mode, **fields)


def link(name: str, target: str) -> bytes:
    return entry(name, tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> bytes:
    return entry(name, tarfile.LNKTYPE, linkname=target)


def tar(*entries: bytes) -> io.BytesIO:
    return io.BytesIO(b"".join(entries) + bytes(1024))


def diff_id(data: io.BytesIO | bytes) -> str:
    raw = data if isinstance(data, bytes) else data.getvalue()
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def joined(pieces: Iterable[bytes]) -> io.BytesIO:
    return io.BytesIO(b"".join(pieces))
