"""The volume store under any order of use and death: what is named stays, what nobody has goes."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minidocker.errors import Conflict, NotFound
from tests.layers.crash import crashed
from tests.volumes.stores import opened

names = st.sampled_from(["aa", "bb", "cc"])
containers = st.sampled_from(["c1", "c2", "c3"])
steps = st.integers(0, 12)


class Volumes(RuleBasedStateMachine):
    """The model: volume -> what is in it; container -> its volumes, in the making and on record."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp())
        self.content: dict[str, str] = {}
        self.making: dict[str, set[str]] = {}
        self.recorded: dict[str, set[str]] = {}
        self.pending: set[str] = set()
        self.count = 0
        self.open()

    def open(self) -> None:
        self.stack = ExitStack()
        self.root = self.stack.enter_context(opened(self.top))

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.top)

    def wrote(self, name: str) -> None:
        """Something that only this volume has."""
        self.count += 1
        self.content[name] = str(self.count)
        (self.root.store.get(name).data / "file").write_text(self.content[name])

    def users(self, name: str) -> set[str]:
        return {each for each, volumes in self.recorded.items() if name in volumes}

    def claims(self, name: str) -> set[str]:
        return {each for each, volumes in self.making.items() if name in volumes}

    # -- what is done

    @rule(name=names)
    def create(self, name: str) -> None:
        _, made = self.root.store.create(name)
        assert made == (name not in self.content)
        self.pending.discard(name)
        if made:
            self.wrote(name)

    @rule(container=containers, wanted=st.sets(names, min_size=1))
    def begin_a_container(self, container: str, wanted: set[str]) -> None:
        if container in self.making or container in self.recorded:
            return
        for name in sorted(wanted):
            _, made = self.root.store.claim(container, name)
            assert made == (name not in self.content)
            if made:
                self.pending.add(name)
                self.wrote(name)
        self.making[container] = wanted

    @rule(container=containers)
    def it_is_created(self, container: str) -> None:
        if container not in self.making:
            return
        volumes = self.making.pop(container)
        self.root.record(container, sorted(volumes))
        assert self.root.store.give_up(container) == []
        self.recorded[container] = volumes
        self.pending -= volumes

    @rule(container=containers)
    def it_cannot_be_created(self, container: str) -> None:
        gone = {each.name for each in self.root.store.give_up(container)}
        mine = self.making.pop(container, set())
        assert gone == {each for each in mine & self.pending if not self.claims(each)}
        for name in gone:
            shutil.rmtree(self.root.store.remove(name))
            del self.content[name]
        self.pending -= gone

    @rule(container=containers)
    def remove_a_container(self, container: str) -> None:
        self.root.forget(container)
        self.recorded.pop(container, None)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name not in self.content:
            with pytest.raises(NotFound):
                self.root.store.remove(name)
        elif self.users(name) or self.claims(name):
            with pytest.raises(Conflict):
                self.root.store.remove(name, self.root.users(name))
        else:
            shutil.rmtree(self.root.store.remove(name))
            del self.content[name]

    @rule(name=names, step=steps)
    def die_creating(self, name: str, step: int) -> None:
        self.die(lambda: self.root.store.create(name), step)
        if name in {each.name for each in self.root.store.all()} - set(self.content):
            self.wrote(name)

    @rule(name=names, step=steps)
    def die_removing(self, name: str, step: int) -> None:
        if name in self.content:
            used = self.users(name)

            def act() -> None:
                try:
                    self.root.store.remove(name, used)
                except (Conflict, NotFound):  # made for a container that never came to be
                    pass

            self.die(act, step)
            if (
                name in self.content
                and not used
                and not (self.root.path / name / "_data" / "file").exists()
            ):
                del self.content[name]
                if name in {each.name for each in self.root.store.all()}:
                    self.wrote(name)  # the row was left, and the volume is empty

    @rule(name=names, step=steps)
    def die_creating_a_container(self, name: str, step: int) -> None:
        def act() -> None:
            self.root.store.claim("c9", name)
            self.root.record("c9", [name])

        self.die(act, step)
        if self.root.users(name) and "c9" in self.root.users(name):
            if name not in self.content:
                self.wrote(name)
            self.root.forget("c9")

    @rule()
    def start_again(self) -> None:
        self.die(lambda: None, 0)

    def die(self, act: object, step: int) -> None:
        """A daemon does it in a child, and is killed; the next one takes over."""
        self.stack.close()
        self.open()  # the child's connection must not be one that somebody used
        for name in sorted(self.pending):
            del self.content[name]
        self.pending.clear()
        self.making.clear()
        self.clear()
        self.stack.close()

        def whole() -> None:
            with opened(self.top) as self.root:
                act()  # type: ignore[operator]

        crashed(whole, step)
        self.open()
        self.clear()

    def clear(self) -> None:
        for path in self.root.store.recover():
            shutil.rmtree(path)

    # -- what always holds

    @invariant()
    def there_is_what_the_model_says(self) -> None:
        assert {each.name for each in self.root.store.all()} == set(self.content)
        assert self.root.names() == sorted(self.content)
        for volume in self.root.store.all():
            assert (volume.data / "file").read_text() == self.content[volume.name]

    @invariant()
    def what_a_container_names_is_there(self) -> None:
        for container, volumes in [*self.recorded.items(), *self.making.items()]:
            assert volumes <= set(self.content), container


Volumes.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestVolumes = Volumes.TestCase
