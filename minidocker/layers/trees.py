"""Removing a directory tree, whatever modes its directories have."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any


def remove_tree(path: Path) -> None:
    """Remove ``path`` and all in it; nothing happens when it is not there.

    No symbolic link is followed.  Without root a directory may refuse its owner;
    it is opened to him first.  Raises ``OSError``.
    """

    def insist(function: Any, name: str, error: Any) -> None:
        if isinstance(error[1], FileNotFoundError):
            return
        if not isinstance(error[1], PermissionError) or not open_up(path):
            raise error[1]
        shutil.rmtree(path)

    shutil.rmtree(path, onerror=insist)


def open_up(path: Path) -> bool:
    """Give the owner all rights on every directory below; whether that changed any."""
    changed = False
    todo = [str(path)]
    while todo:
        folder = todo.pop()
        status = os.lstat(folder)
        if stat.S_IMODE(status.st_mode) & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(folder, stat.S_IRWXU)
            changed = True
        with os.scandir(folder) as entries:
            todo += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return changed
