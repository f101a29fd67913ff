"""What rmi takes away, as a decision: Docker's rules."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minidocker.errors import Conflict
from minidocker.images.removal import Removal, Users, remove_by_id, remove_by_name
from minidocker.oci.digest import digest_of
from minidocker.oci.reference import Reference

ID = digest_of(b"image")
PIN = digest_of(b"manifest")
A1, A2, B1 = (Reference("docker.io", f"library/{n}", t) for n, t in ("a1", "a2", "b1"))
AP, BP = (Reference("docker.io", f"library/{n}", None, PIN) for n in "ab")
NOBODY = Users()
STOPPED, RUNNING = Users(stopped=("s" * 64,)), Users(running=("r" * 64,))

references = st.lists(st.sampled_from([A1, A2, B1, AP, BP]), unique=True)
users = st.sampled_from([NOBODY, STOPPED, RUNNING, Users(("r" * 64,), ("s" * 64,))])


@pytest.mark.parametrize(
    ("named", "known", "who", "force", "decision"),
    [
        (A1, [A1], NOBODY, False, Removal((A1,), True)),
        (A1, [A1, A2], NOBODY, False, Removal((A1,), False)),
        (A1, [A1, AP], NOBODY, False, Removal((A1, AP), True)),
        (A1, [A1, A2, AP], NOBODY, False, Removal((A1,), False)),
        (A1, [A1, AP, B1, BP], NOBODY, False, Removal((A1, AP), False)),
        (AP, [A1, AP], NOBODY, False, Removal((AP,), False)),
        (A1, [A1, B1], RUNNING, False, Removal((A1,), False)),
        (A1, [A1], STOPPED, True, Removal((A1,), True)),
        (A1, [A1], RUNNING, True, Removal((A1,), False)),
    ],
)
def test_a_name_goes_and_the_image_with_the_last(
    named: Reference, known: list[Reference], who: Users, force: bool, decision: Removal
) -> None:
    assert remove_by_name("a:1", named, ID, known, who, force) == decision


@given(references, users, st.booleans(), st.data())
def test_by_name_nothing_else_of_other_repositories_goes(
    known: list[Reference], who: Users, force: bool, data: st.DataObject
) -> None:
    assume(known)
    named = data.draw(st.sampled_from(known))
    try:
        decision = remove_by_name("x", named, ID, known, who, force)
    except Conflict:
        assert not force
        assert who != NOBODY
        return
    assert decision.untag[0] == named
    assert {each.name for each in decision.untag} == {named.name}
    assert set(decision.untag) <= set(known)
    if decision.delete:
        assert set(decision.untag) == set(known)
        assert not who.running


@given(references, users, st.booleans())
def test_by_id_all_goes_or_nothing(known: list[Reference], who: Users, force: bool) -> None:
    try:
        decision = remove_by_id(ID, known, who, force)
    except Conflict as conflict:
        said = conflict.message
    else:
        said = ""
    if said:
        assert ("cannot be forced" in said) == bool(who.running)
        assert who.running or not force
        return
    assert decision == Removal(tuple(known), delete=True)
    assert not who.running
    assert force or not who.stopped


def test_an_image_of_several_repositories_is_not_removed_by_id_unasked() -> None:
    with pytest.raises(Conflict, match=r"\(must be forced\) - image is referenced in multiple"):
        remove_by_id(ID, [A1, B1], NOBODY, force=False)
    assert remove_by_id(ID, [A1, AP], NOBODY, force=False).delete
