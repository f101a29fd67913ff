"""The image store under any order of use: nothing used goes, nothing unused stays."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minidocker.errors import Conflict, NotFound
from minidocker.oci.chain import chain_ids
from minidocker.oci.reference import Reference, parse_reference
from tests.images.samples import Sample, digest, sample
from tests.images.stores import content, entries, listed, open_store, put

X, Y, Z = {"x": b"1"}, {"y": b"22"}, {"z": b"333"}
# They share layers; the last two even a stack, in other bytes.
SAMPLES = [
    sample([X]),
    sample([X, Y]),
    sample([X, Y, Z]),
    sample([Y]),
    sample([X, Y], compression="zstd", cmd=("other",)),
]
samples = st.sampled_from(SAMPLES)
names = st.sampled_from(["a:1", "a:2", "b:1", "localhost/a:1"])


class Images(RuleBasedStateMachine):
    """The model: name -> image ID, image ID -> sample, image ID -> is its container running?"""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.names: dict[str, str] = {}
        self.images: dict[str, Sample] = {}
        self.containers: dict[str, bool] = {}
        self.gone_with_container: dict[str, Sample] = {}
        self.open()

    def open(self) -> None:
        self.stack = ExitStack()
        self.store = self.stack.enter_context(open_store(self.root))

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.root)

    def in_use(self, image_id: str) -> list[str]:
        return ["c" * 64] if image_id in self.containers else []

    def running(self, image_id: str) -> list[str]:
        return ["c" * 64] if self.containers.get(image_id) else []

    # -- what is done

    @rule(made=samples, tags=st.lists(names, max_size=2), pinned=st.booleans())
    def add(self, made: Sample, tags: list[str], pinned: bool) -> None:
        extra = [f"a@{digest(made.manifest)}"] if pinned else []
        put(self.store, made, [*tags, *extra])
        self.images[made.id] = made
        self.gone_with_container.pop(made.id, None)
        self.names |= dict.fromkeys([*tags, *extra], made.id)

    @precondition(lambda self: self.images)
    @rule(data=st.data(), name=names)
    def tag(self, data: st.DataObject, name: str) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.images)))
        self.store.tag(image_id, parse_reference(name))
        self.names[name] = image_id

    @rule(name=names)
    def untag(self, name: str) -> None:
        if name in self.names:
            self.store.untag(parse_reference(name))
            del self.names[name]
        else:
            with pytest.raises(NotFound):
                self.store.untag(parse_reference(name))

    @precondition(lambda self: self.images)
    @rule(data=st.data(), running=st.booleans())
    def run_container(self, data: st.DataObject, running: bool) -> None:
        self.containers[data.draw(st.sampled_from(sorted(self.images)))] = running

    @precondition(lambda self: self.containers)
    @rule(data=st.data())
    def remove_container(self, data: st.DataObject) -> None:
        image_id = data.draw(st.sampled_from(sorted(self.containers)))
        del self.containers[image_id]
        self.gone_with_container.pop(image_id, None)
        self.store.release(self.in_use)

    @precondition(lambda self: self.images)
    @rule(data=st.data(), force=st.booleans())
    def remove(self, data: st.DataObject, force: bool) -> None:
        known = [*self.names, *self.images, *(each[7:19] for each in self.images)]
        text = data.draw(st.sampled_from(sorted(known)))
        image_id = self.store.resolve(text).id
        try:
            done = self.store.remove(text, force, self.in_use, self.running)
        except Conflict:
            assert not force or self.containers.get(image_id), "force yields to running ones only"
            return
        untagged = {name for kind, name in done if kind == "Untagged"}
        deleted = [name for kind, name in done if kind == "Deleted"]
        assert untagged <= {name for name, id in self.names.items() if id == image_id}
        assert text in untagged or text not in self.names
        self.names = {name: id for name, id in self.names.items() if name not in untagged}
        if deleted:
            assert deleted[0] == image_id
            assert not self.running(image_id), "a running container's image was deleted"
            assert force or not self.in_use(image_id)
            made = self.images.pop(image_id)
            if image_id in self.containers:
                self.gone_with_container[image_id] = made

    @rule()
    def start_again(self) -> None:
        self.stack.close()
        self.open()

    # -- what always holds

    @invariant()
    def names_lead_to_their_images(self) -> None:
        assert {image.id for image in self.store.list()} == set(self.images)
        for name, image_id in self.names.items():
            assert self.store.resolve(name).id == image_id
        shown = [name for image in self.store.list() for name in image.names + image.repo_digests]
        assert sorted(shown) == sorted(self.names)

    @invariant()
    def there_is_what_is_used_and_nothing_else(self) -> None:
        blobs, layers, half = content(self.root)
        assert blobs == {key[7:] for made in self.images.values() for key in made.blobs}
        stacks = [*self.images.values(), *self.gone_with_container.values()]
        assert layers == {each[7:33] for made in stacks for each in chain_ids(made.diff_ids)}
        assert not half

    @invariant()
    def the_layout_lists_every_image(self) -> None:
        found = listed(self.root)
        tags = {name: id for name, id in self.names.items() if reference(name).digest is None}
        assert {name: found[name] for name in tags} == {
            name: digest(self.images[id].manifest) for name, id in tags.items()
        }
        assert {each for _, each in entries(self.root)} == {
            digest(made.manifest) for made in self.images.values()
        }


def reference(name: str) -> Reference:
    return parse_reference(name)


Images.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
TestImages = Images.TestCase
