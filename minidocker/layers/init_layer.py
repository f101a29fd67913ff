"""The engine's own layer in a container: what every container finds in its root.

The engine mounts things on the image's tree, and a mount needs something to be mounted
on; and it leaves two names by which programs know where they are.  None of these is
the user's change, so they are in a layer of their own, between the image's layers
and the container's.  What is in it is Docker's (moby daemon/initlayer/setup_unix.go).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from minidocker.layers.metadata import copy_metadata
from minidocker.layers.union import look_up, root_of

FOLDER: Final = "a directory"
FILE: Final = "an empty file"

# directory -> name -> what it is, or where the symbolic link leads.
CONTENTS: Final[dict[str, dict[str, str]]] = {
    "": {
        ".dockerenv": FILE,  # by which programs know that they are in a container
        "dev": FOLDER,
        "etc": FOLDER,
        "proc": FOLDER,
        "sys": FOLDER,
    },
    "dev": {"console": FILE, "pts": FOLDER, "shm": FOLDER},
    "etc": {"hostname": FILE, "hosts": FILE, "mtab": "/proc/mounts", "resolv.conf": FILE},
}
MODE: Final = 0o755


def make_init_layer(target: str, lowers: Sequence[str]) -> None:
    """Fill the empty directory ``target``, to lie on ``lowers`` (topmost first, may be none).

    A file or link of the image's gives way to ours; a directory stays what it is, also
    where a file of ours would be.  overlayfs shows a merged directory with the mode,
    owner and time of the topmost, so ours copy the image's.  Raises ``OSError``.
    """
    root = root_of(lowers)
    images = {"": root.merged if root else ()}
    for directory, names in CONTENTS.items():
        for name, what in names.items():
            path = f"{directory}/{name}".lstrip("/")
            found = look_up(images[directory], name)
            kept = found.merged if found is not None else ()
            if path in CONTENTS:
                images[path] = kept
            elif kept:
                continue
            _make(os.path.join(target, path), what)
    for directory, merged in images.items():
        if merged:
            copy_metadata(merged[0], os.path.join(target, directory))


def _make(path: str, what: str) -> None:
    if what is FOLDER:
        os.mkdir(path)
        os.chmod(path, MODE)  # again: mkdir obeyed the umask
    elif what is FILE:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.fchmod(fd, MODE)
        finally:
            os.close(fd)
    else:
        os.symlink(what, path)
