"""An archive of images on its way in: its files become blobs, and nothing else.

The archive is never unpacked.  Each file in it goes into the blob store under the
digest of its bytes, and what it was called there is only remembered: so no name, link or
``..`` in it can mean a file of this machine.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from minidocker.errors import InvalidParameter, NotFound
from minidocker.layers.archives import open_archive
from minidocker.layers.blobs import BlobStore
from minidocker.layers.inside import clean_name
from minidocker.layers.sources import Source
from minidocker.layers.tarheader import DIRTYPE, LNKTYPE, REGTYPE, SYMTYPE, Entry
from minidocker.layers.tarstream import Limits, Stream, entries, pieces

LIMITS = Limits(entries=100_000)  # 127 layers of three files each, for 250 images
LINKS = 40  # in one path, as path_resolution(7)
DOCUMENT = 4 << 20  # bytes; a manifest, a config or a list is never longer

Hold = Callable[[str], None]


@dataclass
class Contents:
    """What was in an archive.  ``files``: name -> digest; ``links``: name -> name."""

    blobs: BlobStore
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """The digest of the file ``name``.  Raises ``NotFound``; ``InvalidParameter`` for a name
        that leaves the archive."""
        name = _clean(name)
        for _ in range(LINKS):
            if name not in self.links:
                break
            name = self.links[name]
        if name not in self.files:
            raise NotFound(f"invalid archive: it has no file {name}")
        return self.files[name]

    def has(self, name: str) -> bool:
        try:
            return bool(self.find(name))
        except NotFound:
            return False

    def read(self, name: str) -> bytes:
        """The bytes of a small file.  Raises as ``find``; ``InvalidParameter`` for a big one."""
        digest = self.find(name)
        if self.blobs.size(digest) > DOCUMENT:
            raise InvalidParameter(f"invalid archive: {name} has more than {DOCUMENT} bytes")
        return self.blobs.read(digest)


def receive(source: Source, blobs: BlobStore, hold: Hold, limits: Limits = LIMITS) -> Contents:
    """Read the archive to its end, and have its files as blobs.

    ``source``: compressed or not.  ``hold(digest)`` is called before a blob appears, and
    must see to it that nobody sweeps it away.  Raises ``InvalidParameter`` for what is no
    archive, damaged, cut or past ``limits``; ``OSError``.  Blobs that came before that are there.
    """
    contents = Contents(blobs)
    try:
        stream = Stream(open_archive(source), limits.size)
        for entry in entries(stream, limits):
            _take(entry, stream, contents, hold)
        stream.drain()
    except InvalidParameter as error:
        # The readers below speak of layers, which they mostly read.
        raise InvalidParameter(_of_the_archive(str(error))) from None
    if not contents.files:
        raise InvalidParameter("invalid archive: it is empty")
    return contents


def _take(entry: Entry, stream: Stream, contents: Contents, hold: Hold) -> None:
    name = _clean(entry.name)
    contents.files.pop(name, None)  # as when unpacking: the last of a name counts
    contents.links.pop(name, None)
    if entry.type == SYMTYPE:
        folder = posixpath.dirname(name)
        contents.links[name] = _clean(posixpath.join(folder, entry.linkname))
    elif entry.type == LNKTYPE:
        contents.links[name] = _clean(entry.linkname)
    elif entry.type == REGTYPE:
        if entry.extents is not None:
            raise InvalidParameter(f"{entry.name!r} is a sparse file: write the archive without")
        with contents.blobs.writer() as writer:
            for _, data in pieces(stream, entry):
                writer.write(data)
            hold(writer.digest)
            contents.files[name] = writer.commit()
    elif entry.type != DIRTYPE:
        raise InvalidParameter(f"{entry.name!r} is neither a file nor a directory")


def _clean(name: str) -> str:
    try:
        return clean_name(name)
    except InvalidParameter:
        raise InvalidParameter(f"a name leads out of it: {name!r}") from None


def _of_the_archive(text: str) -> str:
    text = text.removeprefix("invalid archive: ")
    return "invalid archive: " + text.replace("the layer's", "the archive's").replace(
        "the layer ", "it "
    )
