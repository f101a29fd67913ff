"""Whiteouts: how a layer says that something below it is gone.

A layer can only add, so a deletion is an entry too.  In a tar it is a file with
a special name; on disk, for overlayfs, it is a special file with the name itself:

    in the tar            on disk
    .wh.NAME              NAME, a character device 0:0        NAME below is gone
    DIR/.wh..wh..opq      DIR with trusted.overlay.opaque=y   all in DIR below is gone

https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
"""

from __future__ import annotations

import errno
import os
import stat

from minidocker.errors import InvalidParameter, SystemFailure

PREFIX = ".wh."
META_PREFIX = ".wh..wh."
OPAQUE_NAME = ".wh..wh..opq"

# What only root may set, and what overlayfs takes from others (mounted with userxattr).
NAMESPACES = ("trusted.overlay.", "user.overlay.")

# "I looked, and there is no such attribute", in the kernel's different words.
_NO_XATTR = {errno.ENODATA, errno.ENOTSUP, errno.EPERM, errno.EACCES}


def whiteout_name(name: str) -> str:
    """The name of the tar entry that hides ``name`` (one path component)."""
    return PREFIX + name


def hidden_by(name: str) -> str | None:
    """The name that the tar entry ``name`` (one path component) hides, None if it hides none.

    ``.wh..wh.*`` are names that aufs kept for itself: they hide nothing.
    Raises ``InvalidParameter`` for ``.wh.``, ``.wh..`` and ``.wh...``: what they
    would hide is the directory they are in, or the one above.
    """
    if not name.startswith(PREFIX) or name.startswith(META_PREFIX):
        return None
    hidden = name.removeprefix(PREFIX)
    if hidden in ("", ".", ".."):
        raise InvalidParameter(f"the layer has a whiteout that names no file: {name!r}")
    return hidden


def is_whiteout(status: os.stat_result) -> bool:
    """Whether a directory entry (not followed) is a whiteout: a character device 0:0."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(0, 0)


def make_whiteout(parent: int, name: str) -> None:
    """Hide ``name`` in the directory that is open as ``parent``.

    Since Linux 5.8 everybody may make this one device; ``SystemFailure`` where even
    that is forbidden.  Raises ``OSError``.
    """
    try:
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
    except PermissionError:
        raise SystemFailure(
            f"the whiteout of {name!r} cannot be made: this user may not make character "
            "devices here, not even 0:0; run as root, or on Linux 5.8 or newer"
        ) from None


def is_opaque(directory: str | int) -> bool:
    """Whether the directory (path or descriptor) hides all that is in it below."""
    for namespace in NAMESPACES:
        try:
            if os.getxattr(directory, namespace + "opaque") == b"y":
                return True
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
    return False


def make_opaque(directory: int) -> None:
    """Hide all that is in the directory below.

    With ``trusted.overlay.opaque``; who may not set that, with
    ``user.overlay.opaque``, which overlayfs heeds when mounted with userxattr.
    """
    trusted, user = (namespace + "opaque" for namespace in NAMESPACES)
    try:
        os.setxattr(directory, trusted, b"y")
    except PermissionError:
        os.setxattr(directory, user, b"y")


def is_overlays_own(xattr: str) -> bool:
    """Whether the extended attribute is one by which overlayfs talks to itself.

    Such a one says how a layer is stored and nothing about a file: it never goes
    into a tar, and one that comes out of a tar would be a way to forge layers.
    """
    return xattr.startswith(NAMESPACES)
