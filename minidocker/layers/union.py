"""What a stack of layers looks like from above: overlayfs's rules, in Python.

A directory of the stack is a list of directories, the topmost first.  One looks
for a name in each; the first that has it decides: a file is the file, a
whiteout is "gone", a directory goes on downward and merges with the
directories of that name below, until something stops it.

https://docs.kernel.org/filesystems/overlayfs.html#upper-and-lower
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from minidocker.layers.whiteout import is_opaque, is_whiteout


@dataclass(frozen=True)
class Found:
    """Something in the stack: the topmost ``path``, its ``status`` (not followed), and for
    a directory all the directories that merge into it, topmost first."""

    path: str
    status: os.stat_result
    merged: tuple[str, ...] = ()

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)


def look_up(directories: Sequence[str], name: str) -> Found | None:
    """``name`` in a merged directory, given as its ``directories``, topmost first.

    None when no layer has it, or when the topmost that has it has a whiteout.
    """
    top: Found | None = None
    merged: list[str] = []
    for directory in directories:
        path = os.path.join(directory, name)
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if is_whiteout(status):
            break
        if not stat.S_ISDIR(status.st_mode):
            top = top or Found(path, status)
            break
        top = top or Found(path, status)
        merged.append(path)
        if is_opaque(path):
            break
    return Found(top.path, top.status, tuple(merged)) if top else None


def names_in(directories: Sequence[str]) -> list[str]:
    """The names that one sees in a merged directory, sorted."""
    names = {name for directory in directories for name in os.listdir(directory)}
    return sorted(name for name in names if look_up(directories, name))


def root_of(layers: Sequence[str]) -> Found | None:
    """The root of the stack; the roots of all ``layers`` (topmost first) merge.

    None for no layers at all.  An opaque root changes nothing: overlayfs does not look.
    """
    if not layers:
        return None
    return Found(layers[0], os.lstat(layers[0]), tuple(layers))


def find(layers: Sequence[str], path: str) -> Found | None:
    """What is at ``path`` (relative, no ``..``, no symbolic link followed) in the stack."""
    found = root_of(layers)
    for name in path.split("/") if path else ():
        found = look_up(found.merged, name) if found else None
    return found
