"""The images of this machine: names -> image IDs -> manifests, configs and layers.

On disk it is an OCI image layout (see ``layout``), beside which the names
are rows of the database.  Content is shared between images, and goes with the
last one that needs it.  An image's ID is the digest of its config.

Order makes it safe: content is written before the row that needs it, and
removed after.  What a crash leaves in between is swept at the next start.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from minidocker.errors import InvalidParameter, MinidockerError, NotFound
from minidocker.images import layout, removal
from minidocker.images.claims import Claims
from minidocker.layers.blobs import BlobStore
from minidocker.layers.store import LayerStore
from minidocker.oci.chain import chain_ids
from minidocker.oci.digest import PREFIX, digest_of
from minidocker.oci.image_config import ImageConfig
from minidocker.oci.manifest import OCI_MANIFEST, Manifest, parse_manifest
from minidocker.oci.reference import IMAGE_ID, Reference, parse_reference
from minidocker.records import transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS images (
    id       TEXT PRIMARY KEY,    -- digest of the config
    manifest TEXT NOT NULL,       -- digest of the manifest, as it came
    listed   TEXT NOT NULL,       -- digest of the one in index.json: the same, in OCI's types
    size     INTEGER NOT NULL     -- bytes of all layers, unpacked
);
CREATE TABLE IF NOT EXISTS image_names (
    reference TEXT PRIMARY KEY,   -- "docker.io/library/alpine:latest", "...@sha256:..."
    image_id  TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS layers_of_containers (
    image_id TEXT PRIMARY KEY,    -- an image that is gone; a container still stands on its layers
    diff_ids TEXT NOT NULL        -- JSON list
);
"""

Notify = Callable[[str, str, str], None]
InUse = Callable[[str], Sequence[str]]
Removed = list[tuple[str, str]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """``names``: "alpine:latest"; ``repo_digests``: "alpine@sha256:..."; both sorted.

    ``size``: bytes of all layers, unpacked.  ``created``: RFC 3339 or "".
    ``blobs``: the digest of everything in the store that is (also) this image's.
    """

    id: str
    config: ImageConfig
    manifest_digest: str
    names: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    size: int = 0
    created: str = ""
    blobs: tuple[str, ...] = ()


class ImageStore:
    """Images under ``root``, unpacked into ``layers``, named in ``db``.

    The event loop's thread owns it.  ``notify(action, image_id, name)`` hears of
    "tag", "untag" and "delete" (and of "pull", from a pull), after they happened.
    """

    def __init__(
        self,
        root: Path,
        layers: LayerStore,
        db: sqlite3.Connection,
        notify: Notify = lambda action, image_id, name: None,
    ) -> None:
        self.blobs = BlobStore(root)
        self.layers = layers
        self.claims = Claims()
        self.notify = notify
        self._root = root
        self._db = db
        self._db.executescript(SCHEMA)
        self._images: dict[str, Image] = {}
        self._listed: dict[str, str] = {}
        self._names: dict[Reference, str] = {}
        self._load()
        self._sweep_leftovers()

    # -- asking

    def get(self, image_id: str) -> Image | None:
        """The image with this full ID ("sha256:...")."""
        return self._images.get(image_id)

    def named(self, reference: Reference) -> Image | None:
        """The image of this name.  Of a tag and a digest, the digest decides."""
        return self._images.get(self._names.get(_key(reference), ""))

    def resolve(self, text: str) -> Image:
        """By name, name@digest, ID, or the beginning of an ID, with or without "sha256:".

        A name goes before the beginning of an ID, and a whole ID before a name.
        Raises ``NotFound``: "No such image: ..."; ``InvalidParameter`` for what can be neither.
        """
        digits = text.removeprefix(PREFIX)
        if IMAGE_ID.fullmatch(digits):
            if image := self.get(PREFIX + digits):
                return image
            raise NotFound(f"No such image: {text}")
        reference = parse_reference(text)
        if image := self.named(reference):
            return image
        found = matching_ids(digits, self._images)
        if len(found) == 1:
            return self._images[found[0]]
        # Not another error: a client whose image is not found here asks a registry for it.
        several = f": {len(found)} images have an ID that begins so" if found else ""
        raise NotFound(f"No such image: {reference.familiar()}{several}")

    def references(self, image_id: str) -> list[Reference]:
        """All names of the image, tags and digests, sorted."""
        found = [reference for reference, id in self._names.items() if id == image_id]
        return sorted(found, key=str)

    def in_repository(self, name: str) -> list[Reference]:
        """All references of a repository ("docker.io/library/alpine"), sorted."""
        return sorted((each for each in self._names if each.name == name), key=str)

    # -- changing

    def add_manifest(self, manifest: bytes, references: Iterable[Reference] = ()) -> Image:
        """An image whose config and layers are here already, and names for it.

        ``manifest``: the bytes, of OCI's type or Docker's.  An image that is
        known (by its config) gets the names only.  Raises ``NotFound`` for a
        missing blob, ``InvalidParameter`` for a manifest that is none.
        """
        parsed = _image_manifest(manifest)
        if parsed.config.digest not in self._images:
            config = ImageConfig.from_bytes(self.blobs.read(parsed.config.digest))
            size = sum(self.layers.size(chain) for chain in chain_ids(config.diff_ids))
            for layer in parsed.layers:
                self.blobs.size(layer.digest)
            digest = self.blobs.put(manifest)
            listed = self.blobs.put(layout.as_oci(manifest))
            with transaction(self._db):
                row = parsed.config.digest, digest, listed, size
                self._db.execute("INSERT INTO images VALUES (?, ?, ?, ?)", row)
                self._db.execute("DELETE FROM layers_of_containers WHERE image_id = ?", row[:1])
            self._remember(*row)
        for reference in references:
            self._name(reference, parsed.config.digest)
        self._write_index()
        return self._images[parsed.config.digest]

    def tag(self, image_id: str, reference: Reference) -> None:
        """The name is this image's from now on, whosever it was before.

        Raises ``NotFound`` for no image, ``InvalidParameter`` for a name with a digest.
        """
        if reference.digest is not None or reference.tag is None:
            raise InvalidParameter("refusing to create a tag with a digest reference")
        if image_id not in self._images:
            raise NotFound(f"No such image: {image_id}")
        self._name(reference, image_id)
        self._write_index()
        self.notify("tag", image_id, reference.familiar())

    def untag(self, reference: Reference) -> None:
        """The name is nobody's any more; the image stays.  Raises ``NotFound``."""
        image_id = self._names.get(_key(reference))
        if image_id is None:
            raise NotFound(f"No such image: {reference.familiar()}")
        self._unname(reference)
        self._write_index()
        self.notify("untag", image_id, reference.familiar())

    def remove(
        self, text: str, force: bool, in_use: InUse, running: InUse | None = None
    ) -> Removed:
        """``rmi``: what was done, as ("Untagged", name) and ("Deleted", ID) in order.

        ``in_use``: the IDs of an image's containers; ``running``: of those that run (all
        of them, if it is not given).  The rules are those of ``removal``.  Layers on
        which a container stands stay until ``release``.  Raises ``NotFound``, ``Conflict``.
        """
        image = self.resolve(text)
        using = in_use(image.id)
        active = using if running is None else running(image.id)
        users = removal.Users(tuple(active), tuple(each for each in using if each not in active))
        references = self.references(image.id)
        if matching_ids(text.removeprefix(PREFIX), [image.id]) and not self._is_name(text):
            decision = removal.remove_by_id(image.id, references, users, force)
        else:
            named = _key(parse_reference(text))
            decision = removal.remove_by_name(text, named, image.id, references, users, force)
        done: Removed = []
        for reference in decision.untag:
            self._unname(reference)
            self.notify("untag", image.id, reference.familiar())
            done.append(("Untagged", reference.familiar()))
        if decision.delete:
            done += self._delete(image, kept=bool(using))
        self._write_index()
        return done

    def release(self, in_use: InUse) -> None:
        """Remove the layers of images that are gone, and now of no container either."""
        for row in self._db.execute("SELECT * FROM layers_of_containers").fetchall():
            if not in_use(row["image_id"]):
                where = "DELETE FROM layers_of_containers WHERE image_id = ?"
                self._db.execute(where, (row["image_id"],))
                self.sweep((), chain_ids(json.loads(row["diff_ids"])))

    def sweep(self, blobs: Iterable[str], chains: Iterable[str]) -> list[str]:
        """Remove those of ``blobs`` and ``chains`` that nobody needs; the chains that went.

        ``chains``: the bottom first; they go from the top.
        """
        needed = {blob for image in self._images.values() for blob in self._blobs_of(image)}
        for blob in set(blobs) - needed:
            if blob not in self.claims:
                self.blobs.delete(blob)
        used, gone = self._used_chains(), []
        for chain in reversed(list(chains)):
            if chain not in used and chain not in self.claims and self.layers.has(chain):
                self.layers.remove(chain)
                gone.append(chain)
        return gone

    def list(self) -> list[Image]:
        """All images, by ID."""
        return [image for _, image in sorted(self._images.items())]

    # -- rows and memory

    def _load(self) -> None:
        for row in self._db.execute("SELECT * FROM images").fetchall():
            try:
                self._remember(row["id"], row["manifest"], row["listed"], row["size"])
            except MinidockerError as error:
                log.warning("the image %s is damaged and is forgotten: %s", row["id"], error)
                self._db.execute("DELETE FROM images WHERE id = ?", (row["id"],))
        for row in self._db.execute("SELECT * FROM image_names").fetchall():
            reference = parse_reference(row["reference"], default_tag=False)
            self._names[reference] = row["image_id"]
        for image_id in self._images:
            self._refresh(image_id)

    def _remember(self, image_id: str, manifest: str, listed: str, size: int) -> None:
        parsed = _image_manifest(self.blobs.read(manifest))
        config = ImageConfig.from_bytes(self.blobs.read(image_id))
        blobs = (manifest, image_id, *(layer.digest for layer in parsed.layers))
        self._listed[image_id] = listed
        self._images[image_id] = Image(
            image_id, config, manifest, size=size, created=config.created, blobs=blobs
        )

    def _refresh(self, image_id: str) -> None:
        """Tell the image its names."""
        references = self.references(image_id)
        self._images[image_id] = replace(
            self._images[image_id],
            names=tuple(each.familiar() for each in references if each.digest is None),
            repo_digests=tuple(each.familiar() for each in references if each.digest is not None),
        )

    def _name(self, reference: Reference, image_id: str) -> None:
        key = _key(reference)
        before = self._names.get(key)
        self._db.execute("REPLACE INTO image_names VALUES (?, ?)", (str(key), image_id))
        self._names[key] = image_id
        for each in {before, image_id} - {None}:
            self._refresh(str(each))

    def _unname(self, reference: Reference) -> None:
        key = _key(reference)
        self._db.execute("DELETE FROM image_names WHERE reference = ?", (str(key),))
        self._refresh(self._names.pop(key))

    def _is_name(self, text: str) -> bool:
        try:
            return _key(parse_reference(text)) in self._names
        except InvalidParameter:
            return False

    def _delete(self, image: Image, kept: bool) -> Removed:
        diff_ids = json.dumps(image.config.diff_ids)
        with transaction(self._db):
            self._db.execute("DELETE FROM images WHERE id = ?", (image.id,))
            if kept:
                row = image.id, diff_ids
                self._db.execute("REPLACE INTO layers_of_containers VALUES (?, ?)", row)
        blobs = self._blobs_of(image)
        del self._images[image.id], self._listed[image.id]
        self._write_index()  # before the blobs go: a reader finds what is listed
        gone = self.sweep(blobs, chain_ids(image.config.diff_ids))
        self.notify("delete", image.id, "")
        return [("Deleted", each) for each in (image.id, *gone)]

    # -- content

    def _blobs_of(self, image: Image) -> tuple[str, ...]:
        return (*image.blobs, self._listed[image.id])

    def _used_chains(self) -> set[str]:
        used = {id for each in self._images.values() for id in chain_ids(each.config.diff_ids)}
        for row in self._db.execute("SELECT diff_ids FROM layers_of_containers"):
            used.update(chain_ids(json.loads(row["diff_ids"])))
        return used

    def _write_index(self) -> None:
        """Bring index.json in step with the rows."""
        entries = []
        for image in self.list():
            digest = self._listed[image.id]
            descriptor = {
                "mediaType": OCI_MANIFEST,
                "digest": digest,
                "size": self.blobs.size(digest),
                "platform": image.config.platform.to_json(),
            }
            entries.append((descriptor, image.names or image.repo_digests))
        layout.write_layout(self._root, layout.index_json(entries))

    def _sweep_leftovers(self) -> None:
        """What a killed daemon left: half blobs, half layers, content without an image."""
        self.blobs.clean()
        self.layers.clean()
        self._write_index()
        self.sweep(list(self.blobs.all()), self.layers.all())


def matching_ids(prefix: str, ids: Iterable[str]) -> list[str]:
    """The image IDs whose digits begin with ``prefix``; none for the empty one."""
    return [id for id in ids if prefix and id.removeprefix(PREFIX).startswith(prefix)]


def _key(reference: Reference) -> Reference:
    """What a name is found by: a digest makes the tag beside it a mere comment."""
    return reference if reference.digest is None else reference.pinned(reference.digest)


def _image_manifest(data: bytes) -> Manifest:
    parsed = parse_manifest(data)
    if not isinstance(parsed, Manifest):
        raise InvalidParameter(f"{digest_of(data)} is an index of images, not one image's manifest")
    return parsed
