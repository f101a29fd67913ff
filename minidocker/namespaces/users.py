"""Who the container's program runs as: ``-u`` resolved with the image's own files.

``USER[:GROUP]``, each a name or a number.  Names are looked up in the
container's /etc/passwd and /etc/group, never the host's; a number needs no entry.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step

MAX_ID = 2**31 - 1  # of a number that the user gives
NO_ID = 2**32 - 1  # setresuid(2) would leave everything as it is, and that is root
MAX_FILE = 16 << 20  # an image that has a larger /etc/passwd means harm


class Identity(NamedTuple):
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class Passwd(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def parse_passwd(text: str) -> list[Passwd]:
    """passwd(5): ``name:password:UID:GID:GECOS:directory:shell``; bad lines are passed over."""
    entries = []
    for line in text.split("\n"):
        fields = line.strip().split(":")
        if len(fields) >= 6:
            uid, gid = _number(fields[2]), _number(fields[3])
            if uid is not None and gid is not None and max(uid, gid) < NO_ID:
                entries.append(Passwd(fields[0], uid, gid, fields[5]))
    return entries


def parse_group(text: str) -> list[Group]:
    """group(5): ``name:password:GID:user,user``; bad lines are passed over."""
    entries = []
    for line in text.split("\n"):
        fields = line.strip().split(":")
        gid = _number(fields[2]) if len(fields) >= 4 else None
        if gid is not None and gid < NO_ID:
            members = tuple(name for name in fields[3].split(",") if name)
            entries.append(Group(fields[0], gid, members))
    return entries


def resolve_user(
    user: str, extra_groups: Iterable[str], passwd: Sequence[Passwd], group: Sequence[Group]
) -> Identity:
    """Who ``user`` ("", "name", "1000", "name:group", "1000:1000") is.

    A group given with the user replaces all of the user's own groups;
    ``extra_groups`` (``--group-add``) come on top.  Raises ``LookupError`` with
    Docker's sentence for a name that is not there or a number out of range.
    """
    who, _, with_group = user.partition(":")
    entry = _find_user(who or "0", passwd)
    gid, groups = entry.gid, _groups_of(entry.name, group)
    if with_group:
        gid, groups = _find_group(with_group, group), []
    groups += [_find_group(each, group) for each in extra_groups]
    # The first group is among them too: else a file that denies it to "group" would be open
    # to the process by "other" (CVE-2022-36109).
    return Identity(entry.uid, gid, tuple(dict.fromkeys([gid, *groups])), entry.home or "/")


def _find_user(who: str, passwd: Sequence[Passwd]) -> Passwd:
    # A number is a number, as in Docker: an image that calls its root "1000" does not
    # make root of who was given 1000.
    uid = _number(who)
    for entry in passwd:
        if entry.name == who if uid is None else entry.uid == uid:
            return entry
    if uid is None:
        _not_negative(who)
        raise LookupError(f"unable to find user {who}: no matching entries in passwd file")
    return Passwd("", _in_range(uid), 0, "/")


def _groups_of(name: str, group: Sequence[Group]) -> list[int]:
    return [entry.gid for entry in group if name and name in entry.members]


def _find_group(which: str, group: Sequence[Group]) -> int:
    gid = _number(which)
    for entry in group:
        if entry.name == which if gid is None else entry.gid == gid:
            return entry.gid
    if gid is None:
        _not_negative(which)
        raise LookupError(f"unable to find group {which}: no matching entries in group file")
    return _in_range(gid)


def _number(text: str) -> int | None:
    """A number in ASCII digits that fits in 64 bits, as Go reads it; None for anything else."""
    digits = text.lstrip("0") or text[:1]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None


def _not_negative(text: str) -> None:
    """What is a number below zero is called that, not a name that nobody has."""
    if text.startswith("-") and _number(text[1:]) is not None:
        _in_range(-1)


def _in_range(number: int) -> int:
    if not 0 <= number <= MAX_ID:
        raise LookupError(f"uids and gids must be in range 0-{MAX_ID}")
    return number


def read_small(path: str) -> str:
    """A text file of the container, "" if there is none.

    The image may have put anything there, a FIFO that would block for ever
    included: only a regular file of sane size is read.
    """
    try:
        fd = syscalls.openat2(-100, path, os.O_RDONLY | os.O_NONBLOCK, flags.RESOLVE_NO_MAGICLINKS)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > MAX_FILE:
            return ""
        return file.read().decode(errors="replace")


def home_of(uid: int) -> str:
    """The home directory of ``uid`` by the container's /etc/passwd; "/" if it has none."""
    for entry in parse_passwd(read_small("/etc/passwd")):
        if entry.uid == uid:
            return entry.home or "/"
    return "/"


@dataclass(frozen=True)
class BecomeUser(Step):
    """Groups, then group, then user: after setuid the first two would be refused."""

    chapter: ClassVar[str] = "security"
    user: str
    extra_groups: tuple[str, ...] = ()

    def describe(self) -> str:
        extra = f", and groups {', '.join(self.extra_groups)}" if self.extra_groups else ""
        return f'setgroups(), setgid(), setuid() to "{self.user or "root"}"{extra}'

    def execute(self) -> None:
        passwd = parse_passwd(read_small("/etc/passwd"))
        group = parse_group(read_small("/etc/group"))
        try:
            who = resolve_user(self.user, self.extra_groups, passwd, group)
        except LookupError as error:
            raise OSError(errno.ENOENT, error.args[0]) from None
        # setuid from 0 to another clears the permitted set, and with it the
        # right to call capset: keep it over the change.
        syscalls.prctl(flags.PR_SET_KEEPCAPS, 1)
        _own_streams(who.uid)
        os.setgroups(who.groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        syscalls.prctl(flags.PR_SET_KEEPCAPS, 0)


def _own_streams(uid: int) -> None:
    """Give the standard streams to ``uid``, so that it may open /dev/stdout anew."""
    null = os.stat("/dev/null").st_rdev if os.path.exists("/dev/null") else None
    for fd in (0, 1, 2):
        status = os.fstat(fd)
        if status.st_uid == uid or (null is not None and status.st_rdev == null):
            continue
        try:
            os.fchown(fd, uid, -1)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM, errno.EROFS):
                raise
