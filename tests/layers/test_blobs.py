"""The blob store: contents by digest, resumed writers, and what a crash leaves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from pyfakefs.fake_filesystem import FakeFilesystem

from minidocker.errors import InvalidParameter, NotFound, SystemFailure
from minidocker.layers.blobs import BlobStore
from minidocker.oci.digest import digest_of
from tests.layers.crash import crashed

EMPTY = digest_of(b"")


@pytest.fixture
def store(fs: FakeFilesystem) -> Iterator[BlobStore]:
    """A store on a file system that exists only in memory."""
    fs.create_dir("/images")
    return BlobStore(Path("/images"))


def test_what_was_put_is_there_under_its_digest(store: BlobStore) -> None:
    digest = store.put(b"content")
    assert digest == digest_of(b"content")
    assert store.has(digest)
    assert store.read(digest) == b"content"
    assert store.size(digest) == 7
    assert store.path(digest) == Path("/images/blobs/sha256", digest.removeprefix("sha256:"))
    assert list(store.all()) == [digest]
    with store.open(digest) as file:
        assert file.read() == b"content"


def test_the_same_content_is_stored_once(store: BlobStore) -> None:
    assert store.put(b"a") == store.put(b"a")
    assert len(list(store.all())) == 1


def test_what_is_not_there_is_not_found(store: BlobStore) -> None:
    assert not store.has(EMPTY)
    for ask in (store.open, store.read, store.size):
        with pytest.raises(NotFound, match=EMPTY):
            ask(EMPTY)
    store.delete(EMPTY)
    assert list(store.all()) == []


@pytest.mark.parametrize(
    "bad", ["", "sha256:", "sha256:../../etc/passwd", "../x", "md5:" + "0" * 32]
)
def test_a_digest_is_never_a_path(store: BlobStore, bad: str) -> None:
    for ask in (store.has, store.path, store.open, store.delete, store.writer):
        with pytest.raises(InvalidParameter):
            ask(bad)


def test_damage_is_noticed_when_a_blob_is_read(store: BlobStore) -> None:
    digest = store.put(b"content")
    store.path(digest).write_bytes(b"contenT")
    with pytest.raises(SystemFailure, match="damaged"):
        store.read(digest)


def test_bytes_that_are_not_what_was_promised_are_dropped(store: BlobStore) -> None:
    with store.writer(EMPTY) as writer:
        writer.write(b"something")
        with pytest.raises(SystemFailure, match="their digest is"):
            writer.commit(EMPTY)
    assert list(store.all()) == []
    assert os.listdir("/images/ingest") == []


def test_a_writer_goes_on_where_the_last_one_with_its_key_stopped(store: BlobStore) -> None:
    digest = digest_of(b"one two")
    with store.writer(digest) as writer:
        writer.write(b"one ")
    with store.writer(digest) as writer:
        assert writer.offset == 4
        writer.write(b"two")
        assert writer.commit(digest) == digest
    assert store.read(digest) == b"one two"
    assert os.listdir("/images/ingest") == []


def test_an_aborted_writer_leaves_nothing(store: BlobStore) -> None:
    writer = store.writer(EMPTY)
    writer.write(b"x")
    writer.abort()
    assert os.listdir("/images/ingest") == []
    assert store.writer(EMPTY).offset == 0


def test_a_writer_without_a_key_keeps_nothing(store: BlobStore) -> None:
    with store.writer() as writer:
        writer.write(b"x")
    assert os.listdir("/images/ingest") == []


def test_other_files_are_no_blobs(store: BlobStore) -> None:
    store.put(b"")
    Path("/images/blobs/sha256/README").write_text("not ours")
    assert list(store.all()) == [EMPTY]


def test_two_writers_of_one_key_do_not_mix_and_clean_spares_the_living(tmp_path: Path) -> None:
    """On real files: pyfakefs has no locks."""
    store = BlobStore(tmp_path)
    digest = digest_of(b"abc")
    with store.writer(digest) as one, store.writer(digest) as two:
        one.write(b"ab")
        two.write(b"abc")
        store.clean()
        assert two.commit(digest) == digest
        one.write(b"c")
        assert one.commit(digest) == digest
    assert store.read(digest) == b"abc"
    assert os.listdir(tmp_path / "ingest") == []


class Blobs(RuleBasedStateMachine):
    """Any order of puts, cut and resumed writers, deletes and crashes, against a dict."""

    digests = Bundle("digests")
    contents = st.binary(max_size=3)

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory(prefix="minidocker-blobs-")
        self.store = BlobStore(Path(self.home.name))
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        self.home.cleanup()

    @rule(target=digests, data=contents)
    def put(self, data: bytes) -> str:
        digest = self.store.put(data)
        self.model[digest] = data
        return digest

    @rule(target=digests, data=contents, cut=st.integers(0, 3))
    def write_in_two_pieces(self, data: bytes, cut: int) -> str:
        digest = digest_of(data)
        with self.store.writer(digest) as writer:
            writer.write(data[writer.offset : max(cut, writer.offset)])
        with self.store.writer(digest) as writer:
            writer.write(data[writer.offset :])
            writer.commit(digest)
        self.model[digest] = data
        return digest

    @rule(digest=digests)
    def delete(self, digest: str) -> None:
        self.store.delete(digest)
        self.model.pop(digest, None)

    @rule(data=contents, step=st.integers(0, 8))
    def crash_while_putting(self, data: bytes, step: int) -> None:
        digest = digest_of(data)
        before = digest in self.model
        crashed(lambda: self.store.put(data), step)
        if self.store.has(digest) and not before:
            self.model[digest] = data

    @rule()
    def clean(self) -> None:
        self.store.clean()
        ingest = self.store.root / "ingest"
        assert not ingest.exists() or os.listdir(ingest) == []

    @invariant()
    def the_store_is_the_model(self) -> None:
        assert {digest: self.store.read(digest) for digest in self.store.all()} == self.model


TestBlobs = Blobs.TestCase
TestBlobs.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
