"""Who ``-u`` means: passwd and group files as made up by hypothesis, and as libc reads them."""

from __future__ import annotations

import grp
import pwd
import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.namespaces.users import (
    MAX_ID,
    NO_ID,
    Group,
    Passwd,
    parse_group,
    parse_passwd,
    resolve_user,
)

names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=3)
# A field holds anything but what ends it: form feeds and the line ends of Unicode included.
fields = st.text(st.characters(exclude_characters=":\n", exclude_categories=("Cs",)), max_size=6)
ids = st.integers(0, 3) | st.integers(0, NO_ID - 1)
users = st.builds(Passwd, names, ids, ids, st.sampled_from(["/", "/root", "/home/a b"]))
groups = st.builds(
    Group, names, ids, st.lists(names, max_size=3, unique=True).map(lambda some: tuple(some))
)
wholly_digits = st.text(string.digits, min_size=1, max_size=3)


def passwd_line(user: Passwd, gecos: str) -> str:
    return f"{user.name}:x:{user.uid}:{user.gid}:{gecos}:{user.home}:/bin/sh"


def group_line(group: Group, password: str) -> str:
    return f"{group.name}:{password}:{group.gid}:{','.join(group.members)}"


@given(st.lists(st.tuples(users, fields)), st.sampled_from(["\n", "\r\n", "\n\n", " \n"]))
def test_a_passwd_file_says_what_was_written_in_it(
    written: list[tuple[Passwd, str]], end: str
) -> None:
    text = "".join(f" {passwd_line(user, gecos)}{end}" for user, gecos in written)
    assert parse_passwd(text) == [user for user, _ in written]


@given(st.lists(st.tuples(groups, fields)), st.sampled_from(["\n", "\r\n", "\n\n", " \n"]))
def test_a_group_file_says_what_was_written_in_it(
    written: list[tuple[Group, str]], end: str
) -> None:
    text = "".join(f" {group_line(group, password)}{end}" for group, password in written)
    assert parse_group(text) == [group for group, _ in written]


@pytest.mark.parametrize("number", ["", "-1", "+1", "1_0", "0x1", "٣", str(NO_ID), "9" * 5000])
def test_a_line_whose_number_is_none_hides_no_other(number: str) -> None:
    good = "good:x:1:2::/home:/bin/sh"
    assert parse_passwd(f"bad:x:{number}:0::/:\nbad:x:0:{number}::/:\n{good}") == [
        Passwd("good", 1, 2, "/home")
    ]
    assert parse_group(f"bad:x:{number}:\ngood:x:7:a,b") == [Group("good", 7, ("a", "b"))]


@given(st.text(max_size=80))
def test_any_text_is_a_list_of_entries(text: str) -> None:
    for user in parse_passwd(text):
        assert 0 <= user.uid < NO_ID
        assert 0 <= user.gid < NO_ID
    assert all(0 <= group.gid < NO_ID for group in parse_group(text))


def test_the_machines_own_files_are_read_as_its_libc_reads_them() -> None:
    entries = parse_passwd(Path("/etc/passwd").read_text())
    assert entries
    for name, uid, gid, home in entries:
        known = pwd.getpwnam(name)
        assert (known.pw_uid, known.pw_gid, known.pw_dir) == (uid, gid, home)
    for group in parse_group(Path("/etc/group").read_text()):
        assert (grp.getgrnam(group.name).gr_gid, *grp.getgrnam(group.name).gr_mem) == (
            group.gid,
            *group.members,
        )


@given(st.lists(users, max_size=3), st.lists(groups, max_size=3))
def test_a_user_by_name_is_the_first_of_that_name_with_all_his_groups(
    passwd: list[Passwd], group: list[Group]
) -> None:
    for user in passwd:
        if user.name.isdecimal():
            continue
        first = next(each for each in passwd if each.name == user.name)
        who = resolve_user(user.name, (), passwd, group)
        assert (who.uid, who.gid, who.home) == (first.uid, first.gid, first.home)
        assert set(who.groups) == {first.gid} | {
            each.gid for each in group if first.name in each.members
        }


@given(
    st.integers(0, MAX_ID) | st.integers(0, 3),
    st.lists(users, max_size=3),
    st.lists(groups, max_size=3),
)
def test_a_number_is_that_uid_whatever_the_image_calls_its_users(
    uid: int, passwd: list[Passwd], group: list[Group]
) -> None:
    impostor = Passwd(str(uid), 0, 0, "/root")
    who = resolve_user(str(uid), (), [impostor, *passwd], group)
    assert who.uid == uid
    if uid not in {0, *(each.uid for each in passwd)}:
        assert who == (uid, 0, (0,), "/")


@given(st.integers(0, MAX_ID), st.lists(groups, max_size=3))
def test_a_group_by_number_is_that_gid_whatever_the_image_calls_its_groups(
    gid: int, group: list[Group]
) -> None:
    impostor = Group(str(gid), 0, ())
    assert resolve_user(f"0:{gid}", (), (), [impostor, *group]).gid == gid


@given(st.lists(groups, min_size=1, max_size=3), st.lists(st.integers(0, 99), max_size=3))
def test_a_group_that_is_given_replaces_all_but_the_added_ones(
    group: list[Group], extra: list[int]
) -> None:
    member = Passwd("app", 1, 1, "/")
    his = Group("his", 100, ("app",))
    group = [his, *(each for each in group if not each.name.isdecimal()), his]
    for given_one in group:
        who = resolve_user(f"app:{given_one.name}", [*map(str, extra)], [member], group)
        gid = next(each.gid for each in group if each.name == given_one.name)
        assert who.gid == gid
        assert set(who.groups) == {gid, *extra}


@given(
    st.sampled_from(["", "0", ":1"]) | ids.filter(lambda each: each <= MAX_ID).map(str),
    st.lists(users, max_size=3),
    st.lists(groups, max_size=3),
    st.lists(st.integers(0, 5).map(str)),
)
def test_the_first_group_is_also_among_the_others_and_none_is_there_twice(
    user: str, passwd: Sequence[Passwd], group: Sequence[Group], extra: Sequence[str]
) -> None:
    who = resolve_user(user, extra, passwd, group)
    assert who.groups[0] == who.gid
    assert len(set(who.groups)) == len(who.groups)


@given(st.lists(users, max_size=3), st.lists(groups, max_size=3))
def test_no_user_at_all_is_user_0(passwd: list[Passwd], group: list[Group]) -> None:
    assert resolve_user("", (), passwd, group) == resolve_user("0", (), passwd, group)


@given(fields.filter(lambda text: text and not text.isdecimal()))
def test_a_name_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(LookupError) as no_user:
        resolve_user(name, (), (), ())
    assert no_user.value.args[0] == (
        f"unable to find user {name}: no matching entries in passwd file"
    )
    for user, extra in ((f"0:{name}", ()), ("0", (name,))):
        with pytest.raises(LookupError) as no_group:
            resolve_user(user, extra, (), ())
        assert no_group.value.args[0] == (
            f"unable to find group {name}: no matching entries in group file"
        )


@given(st.integers(MAX_ID + 1, 10**18 - 1))
def test_a_number_out_of_range_is_refused(number: int) -> None:
    for user, extra in ((f"{number}", ()), (f"0:{number}", ()), ("0", (f"{number}",))):
        with pytest.raises(LookupError, match="must be in range 0-2147483647"):
            resolve_user(user, extra, (), ())


@given(wholly_digits, st.integers(0, 5000))
def test_zeros_before_a_number_change_nothing(number: str, zeros: int) -> None:
    assert resolve_user("0" * zeros + number, (), (), ()) == resolve_user(number, (), (), ())
