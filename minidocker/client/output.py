"""Where a command puts what is a file: ``save``, ``export`` and ``cp`` write by these rules."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable

from minidocker.client.commandline import Failed

KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFCHR: "character device file",
    stat.S_IFBLK: "block device file",
    stat.S_IFIFO: "named pipe (FIFO)",
    stat.S_IFSOCK: "socket",
}


def write(path: str | None, pieces: Iterable[bytes]) -> None:
    """To standard output, or to a file that is whole or as it was, whatever happens.

    Raises ``Failed`` for a file that cannot be written.
    """
    if not path:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "xb") as file:
            file.writelines(pieces)
        os.replace(part, path)
    except BaseException as error:  # also Ctrl-C: half an archive is of no use
        if os.path.lexists(part):
            os.unlink(part)
        if isinstance(error, OSError):
            raise Failed(f"cannot write {path}: {(error.strerror or '').lower()}") from error
        raise


def check(path: str | None, what: str) -> None:
    """Raise ``Failed``, before anything is asked, where nothing can be put; ``what`` says what for.

    None is standard output, which must be no terminal.
    """
    if not path:
        if sys.stdout.isatty():
            raise Failed("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        return
    folder = os.path.dirname(os.path.normpath(path)) or "."
    if not os.path.isdir(folder):
        raise Failed(f"{what}: invalid output path: stat {folder}: no such file or directory")
    kind = KINDS.get(stat.S_IFMT(os.stat(path).st_mode)) if os.path.exists(path) else None
    if kind:
        raise Failed(f"{what}: cannot write to a {kind}")
