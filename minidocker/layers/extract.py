"""One entry of a tar becomes one file: every kind of entry, and what it may not be.

A new file never goes through what was there before: that is removed, and the file
made anew, exclusively.  So a link that an earlier entry planted is replaced,
not followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from minidocker.errors import InvalidParameter
from minidocker.layers.inside import Inside, Place, clean_name
from minidocker.layers.metadata import read_metadata, write_metadata, write_metadata_at
from minidocker.layers.tarheader import (
    BLKTYPE,
    CHRTYPE,
    DIRTYPE,
    FIFOTYPE,
    LNKTYPE,
    REGTYPE,
    SYMTYPE,
    Entry,
)
from minidocker.layers.tarstream import Stream, pieces
from minidocker.layers.union import Found
from minidocker.layers.whiteout import is_whiteout

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

DEVICES = {
    CHRTYPE: stat.S_IFCHR,
    BLKTYPE: stat.S_IFBLK,
    FIFOTYPE: stat.S_IFIFO,
}


def extract(entry: Entry, stream: Stream, place: Place, tree: Inside) -> list[str]:
    """Make what ``entry`` says at ``place``; its content comes from ``stream``.

    Returns what this machine or user could not make of it (a device, an
    attribute), a few words each.  Raises ``InvalidParameter`` for what no layer
    may have, ``OSError`` when the machine fails.
    """
    if entry.type == DIRTYPE:
        tree.make_directory(place, entry.metadata)
        return []
    if entry.type == LNKTYPE:
        make_hard_link(entry, place, tree)
        return []
    if entry.type == REGTYPE:
        left_out = make_file(entry, stream, place, lambda: tree.remove(place))
    elif entry.type == SYMTYPE:
        tree.remove(place)
        make_link(entry, place)
        left_out = write_metadata_at(place.parent, place.name, entry.metadata, link=True)
    elif entry.type in DEVICES:
        tree.remove(place)
        if not make_device(entry, place):
            return [f"{place.path}: a device, which needs root"]
        left_out = write_metadata_at(place.parent, place.name, entry.metadata, link=False)
    else:
        raise InvalidParameter(f"the layer has {entry.name!r} of an unknown type {entry.type!r}")
    return [f"{place.path}: {name}" for name in left_out]


def make_file(
    entry: Entry, stream: Stream, place: Place, make_way: Callable[[], object]
) -> list[str]:
    """A regular file; returns the attributes that were left out.  ``make_way()`` removes what is
    at its place; mostly nothing is, and to ask first would take as long as to try."""
    try:
        fd = os.open(place.name, _CREATE, 0o600, dir_fd=place.parent)
    except FileExistsError:
        make_way()
        fd = os.open(place.name, _CREATE, 0o600, dir_fd=place.parent)
    try:
        write_content(entry, stream, fd)
        return write_metadata(fd, entry.metadata)
    finally:
        os.close(fd)


def write_content(entry: Entry, stream: Stream, fd: int) -> None:
    """The content of a regular file; the holes of a sparse one stay holes."""
    end = 0
    for offset, data in pieces(stream, entry):
        if offset != end:
            os.lseek(fd, offset, os.SEEK_SET)
        end = offset + len(data)
        while written := os.write(fd, data):
            if written == len(data):
                break
            data = data[written:]
    if end != entry.size:
        os.ftruncate(fd, entry.size)


def make_link(entry: Entry, place: Place) -> None:
    """A symbolic link, to whatever it says: it means something only inside a container."""
    if not entry.linkname or "\0" in entry.linkname:
        raise InvalidParameter(f"the layer has {entry.name!r}, a link to {entry.linkname!r}")
    os.symlink(entry.linkname, place.name, dir_fd=place.parent)


def make_device(entry: Entry, place: Place) -> bool:
    """Make a device or FIFO; False where that is not allowed (without root)."""
    kind = DEVICES[entry.type]
    device = os.makedev(*entry.device) if kind != stat.S_IFIFO else 0
    if kind == stat.S_IFCHR and device == os.makedev(0, 0):
        raise InvalidParameter(
            f"the layer has {entry.name!r}, a character device 0:0: on disk that is a whiteout"
        )
    try:
        os.mknod(place.name, 0o600 | kind, device, dir_fd=place.parent)
    except PermissionError:
        return False
    return True


def make_hard_link(entry: Entry, place: Place, tree: Inside) -> None:
    """Another name for a file of this layer, or of one below, which is then copied up first.

    The link has its target's metadata: they are one file.  Raises
    ``InvalidParameter`` when there is no such file, or it is a directory.
    """
    what = f"the layer has a hard link {entry.name!r} to {entry.linkname!r}, "
    name = clean_name(entry.linkname)
    if not name:
        raise InvalidParameter(what + "which is a directory")
    target = tree.place(name)
    if target.path == place.path:
        return
    if target.path.startswith(place.path + "/"):
        raise InvalidParameter(what + "which it replaces")
    status = tree.status(target)
    if status is None and (found := tree.below(target.path)) is not None:
        copy_up(found, target, what)
    elif status is None or is_whiteout(status):
        raise InvalidParameter(what + "which is not there")
    elif stat.S_ISDIR(status.st_mode):
        raise InvalidParameter(what + "which is a directory")
    tree.remove(place)
    os.link(
        target.name,
        place.name,
        src_dir_fd=target.parent,
        dst_dir_fd=place.parent,
        follow_symlinks=False,
    )


def copy_up(found: Found, target: Place, what: str) -> None:
    """Copy a file of a lower layer into this one, as overlayfs does before it changes a file."""
    metadata = read_metadata(found.path, found.status)
    if found.is_link:
        os.symlink(os.readlink(found.path), target.name, dir_fd=target.parent)
        write_metadata_at(target.parent, target.name, metadata, link=True)
    elif stat.S_ISREG(found.status.st_mode):
        with (
            open(found.path, "rb") as source,
            open(os.open(target.name, _CREATE, 0o600, dir_fd=target.parent), "wb") as copy,
        ):
            while data := source.read(1 << 20):
                copy.write(data)
            copy.flush()
            write_metadata(copy.fileno(), metadata)
    else:
        raise InvalidParameter(what + "which is neither a file nor a symbolic link")
