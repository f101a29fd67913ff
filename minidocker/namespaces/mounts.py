"""The steps that build what a container sees as its file system.

All of them run in the container's own mount namespace, so the host's mount
table never changes and nothing is left when the last process is gone.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step
from minidocker.namespaces.inside import make_in_root, open_in_root, through


@dataclass(frozen=True)
class MakePropagation(Step):
    """Before the first mount, else it would show up on the host (mount_namespaces(7)).

    pivot_root(2) also refuses (EINVAL) while the root is shared.
    """

    chapter: ClassVar[str] = "namespaces"
    path: str
    propagation: int

    def describe(self) -> str:
        return f'mount(NULL, "{self.path}", NULL, {_words(self.propagation)})'

    def execute(self) -> None:
        syscalls.mount(None, self.path, None, self.propagation)


@dataclass(frozen=True)
class DetachParentMount(Step):
    """Make the mount that holds ``path`` private, for a root that must stay shared.

    The rest of the tree keeps its peers on the host (``-v /a:/b:rshared``); the
    container's root file system must not appear there.
    """

    chapter: ClassVar[str] = "namespaces"
    path: str

    def describe(self) -> str:
        return f'mount(NULL, the mount point above "{self.path}", NULL, MS_PRIVATE)'

    def execute(self) -> None:
        point = os.path.realpath(self.path)
        while not os.path.ismount(point):
            point = os.path.dirname(point)
        syscalls.mount(None, point, None, flags.MS_PRIVATE)


PLAIN = "redirect_dir=off,metacopy=off,index=off"
"""The upper layer stays what the image format knows: whole files, whiteouts, opaque
directories.  Some kernels are configured otherwise (Documentation/filesystems/overlayfs.rst)."""


@dataclass(frozen=True)
class MountOverlay(Step):
    """The image's layers under a layer of the container's own (overlayfs).

    ``lower``: directories, topmost first, relative to ``base``.  Names are short
    and relative because all options must fit in one page of memory.
    """

    chapter: ClassVar[str] = "layers"
    base: str
    lower: tuple[str, ...]
    upper: str
    work: str
    target: str

    @property
    def options(self) -> str:
        lower = ":".join(_escape(name) for name in self.lower)
        where = f"lowerdir={lower},upperdir={_escape(self.upper)},workdir={_escape(self.work)}"
        return f"{where},{PLAIN}"

    def describe(self) -> str:
        return (
            f'mount("overlay", "{self.target}", "overlay", 0, '
            f"{len(self.lower)} lower + {self.upper})"
        )

    def execute(self) -> None:
        os.chdir(self.base)
        try:
            syscalls.mount("overlay", self.target, "overlay", 0, self.options)
        finally:
            os.chdir("/")


@dataclass(frozen=True)
class MountFilesystem(Step):
    """A file system of the kernel's own making, inside the new root."""

    chapter: ClassVar[str] = "namespaces"
    fstype: str
    root: str
    target: str
    mount_flags: int = 0
    data: str = ""
    source: str = ""

    def describe(self) -> str:
        data = f', "{self.data}"' if self.data else ""
        return (
            f'mount("{self.source or self.fstype}", "{self.target}", "{self.fstype}", '
            f"{_words(self.mount_flags)}{data})"
        )

    def execute(self) -> None:
        data = self.data
        try:
            fd = open_in_root(self.root, self.target)
            if self.fstype == "tmpfs" and "mode=" not in data:
                # The mount hides the image's directory: keep the mode it had.
                mode = stat.S_IMODE(os.fstat(fd).st_mode)
                data = f"{data},mode={mode:o}".lstrip(",")
        except FileNotFoundError:
            fd = make_in_root(self.root, self.target, directory=True)
        try:
            syscalls.mount(
                self.source or self.fstype, through(fd), self.fstype, self.mount_flags, data or None
            )
        finally:
            os.close(fd)


@dataclass(frozen=True)
class BindMount(Step):
    """A file or directory of the host, seen inside the new root.

    ``mount_flags`` other than MS_BIND and MS_REC need a second call: the first one
    ignores them (mount(2)).  The remount must repeat what the source's own mount
    has (nosuid, nodev, noexec): these may be locked, and dropping them is EPERM.

    ``read_only_below``: whether MS_RDONLY holds for the mounts below too; None: where the
    kernel can do that.  ``subpath``: what of the source it is, and no link there leads
    out of the source.  ``inside``: the source is a path in the new root.
    """

    chapter: ClassVar[str] = "volumes"
    source: str
    root: str
    target: str
    mount_flags: int = 0
    propagation: int = flags.MS_PRIVATE | flags.MS_REC
    recursive: bool = True
    read_only_below: bool | None = None
    subpath: str = ""
    inside: bool = False

    def describe(self) -> str:
        how = flags.MS_BIND | (flags.MS_REC if self.recursive else 0)
        source = f"{self.source}/{self.subpath}" if self.subpath else self.source
        text = f'mount("{source}", "{self.target}", NULL, {_words(how)})'
        return f"{text}, then {_words(self.mount_flags)}" if self.mount_flags else text

    def execute(self) -> None:
        source_fd = self._open_source()
        try:
            directory = stat.S_ISDIR(os.fstat(source_fd).st_mode)
            fd = make_in_root(self.root, self.target, directory)
            try:
                if stat.S_ISDIR(os.fstat(fd).st_mode) != directory:
                    number = errno.ENOTDIR if directory else errno.EISDIR
                    raise OSError(number, os.strerror(number), self.source, None, self.target)
                how = flags.MS_BIND | (flags.MS_REC if self.recursive else 0)
                syscalls.mount(through(source_fd), through(fd), None, how)
            finally:
                os.close(fd)
        finally:
            os.close(source_fd)
        self._restrict()

    def _open_source(self) -> int:
        if self.inside:
            fd = open_in_root(self.root, self.source)
        else:
            fd = os.open(self.source, os.O_PATH | os.O_CLOEXEC)
        if not self.subpath:
            return fd
        try:
            how = flags.RESOLVE_BENEATH | flags.RESOLVE_NO_MAGICLINKS
            return syscalls.openat2(fd, self.subpath, os.O_PATH, how)
        finally:
            os.close(fd)

    def _restrict(self) -> None:
        fd = open_in_root(self.root, self.target)  # again: now it is the new mount
        try:
            if self.mount_flags:
                remount(through(fd), self.mount_flags)
            if self.mount_flags & flags.MS_RDONLY and self.recursive:
                self._restrict_below(fd)
            syscalls.mount(None, through(fd), None, self.propagation)
        finally:
            os.close(fd)

    def _restrict_below(self, fd: int) -> None:
        """mount_setattr(2) is of Linux 5.12."""
        if self.read_only_below is False:
            return
        try:
            syscalls.mount_setattr(
                fd, "", flags.AT_EMPTY_PATH | flags.AT_RECURSIVE, flags.MOUNT_ATTR_RDONLY
            )
        except OSError as error:
            if error.errno != errno.ENOSYS or self.read_only_below:
                raise


def remount(path: str, wanted: int) -> None:
    """Change a mount point's flags, keeping those it has."""
    has = os.statvfs(path).f_flag
    kept = has & (flags.MS_NOSUID | flags.MS_NODEV | flags.MS_NOEXEC | flags.MS_RDONLY)
    kept |= has & (flags.MS_NOATIME | flags.MS_NODIRATIME)
    if has & 4096:  # ST_RELATIME; as a mount flag this bit would be MS_BIND
        kept |= flags.MS_RELATIME
    syscalls.mount(None, path, None, flags.MS_REMOUNT | flags.MS_BIND | kept | wanted)


@dataclass(frozen=True)
class Remount(Step):
    """Other flags for what is mounted at ``target``."""

    chapter: ClassVar[str] = "namespaces"
    root: str
    target: str
    mount_flags: int

    def describe(self) -> str:
        how = flags.MS_REMOUNT | flags.MS_BIND | self.mount_flags
        return f'mount(NULL, "{self.target}", NULL, {_words(how)})'

    def execute(self) -> None:
        fd = open_in_root(self.root, self.target)
        try:
            remount(through(fd), self.mount_flags)
        finally:
            os.close(fd)


@dataclass(frozen=True)
class MakeNode(Step):
    """A device node in the container's /dev.  The device rules say if it may be opened."""

    chapter: ClassVar[str] = "namespaces"
    root: str
    path: str
    kind: str  # "c", "b" or "p"
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0

    def describe(self) -> str:
        return (
            f'mknod("{self.path}", {self.kind} {self.mode:04o}, makedev({self.major}, '
            f"{self.minor}))"
        )

    def execute(self) -> None:
        parent, name = os.path.split(self.path)
        fd = make_in_root(self.root, parent, directory=True)
        try:
            kind = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[self.kind]
            os.mknod(name, kind | self.mode, os.makedev(self.major, self.minor), dir_fd=fd)
            if self.uid or self.gid:
                os.chown(name, self.uid, self.gid, dir_fd=fd)
            os.chmod(name, self.mode, dir_fd=fd)  # again: mknod obeyed the umask
        finally:
            os.close(fd)


@dataclass(frozen=True)
class MakeSymlink(Step):
    chapter: ClassVar[str] = "namespaces"
    root: str
    path: str
    to: str

    def describe(self) -> str:
        return f'symlink("{self.to}", "{self.path}")'

    def execute(self) -> None:
        parent, name = os.path.split(self.path)
        fd = make_in_root(self.root, parent, directory=True)
        try:
            os.symlink(self.to, name, dir_fd=fd)
        except FileExistsError:
            pass
        finally:
            os.close(fd)


@dataclass(frozen=True)
class PivotRoot(Step):
    """The new root becomes "/", and the old tree is let go.

    With both arguments "." the old root ends up on top of the new one at the same
    place, so one umount2 of "." drops it and no directory for it is needed
    (pivot_root(2), NOTES).
    """

    chapter: ClassVar[str] = "namespaces"
    root: str

    def describe(self) -> str:
        return f'chdir("{self.root}"); pivot_root(".", "."); umount2(".", MNT_DETACH)'

    def execute(self) -> None:
        os.chdir(self.root)
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", flags.MNT_DETACH)
        os.chdir("/")


@dataclass(frozen=True)
class MaskPath(Step):
    """Hide a file behind /dev/null, a directory behind an empty read-only tmpfs."""

    chapter: ClassVar[str] = "namespaces"
    path: str

    def describe(self) -> str:
        return f'hide "{self.path}": mount /dev/null on a file, an empty tmpfs on a directory'

    def execute(self) -> None:
        try:
            status = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISDIR(status.st_mode):
            syscalls.mount("tmpfs", self.path, "tmpfs", flags.MS_RDONLY, "size=0k")
        else:
            syscalls.mount("/dev/null", self.path, None, flags.MS_BIND)


@dataclass(frozen=True)
class ReadonlyPath(Step):
    """Bind a path onto itself, then take the right to write from that mount."""

    chapter: ClassVar[str] = "namespaces"
    path: str

    def describe(self) -> str:
        return f'mount("{self.path}", "{self.path}", NULL, MS_BIND), then MS_RDONLY'

    def execute(self) -> None:
        if not os.path.exists(self.path):
            return
        syscalls.mount(self.path, self.path, None, flags.MS_BIND | flags.MS_REC)
        remount(self.path, flags.MS_RDONLY)


@dataclass(frozen=True)
class ReadonlyRoot(Step):
    """``--read-only``: last, since the mounts before it may still make directories."""

    chapter: ClassVar[str] = "namespaces"

    def describe(self) -> str:
        return 'mount(NULL, "/", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY)'

    def execute(self) -> None:
        remount("/", flags.MS_RDONLY)


def _escape(path: str) -> str:
    """overlayfs splits its options at commas and colons; a backslash takes that meaning away."""
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _words(value: int) -> str:
    """Mount flags as the manual page writes them, e.g. "MS_NOSUID|MS_NODEV"."""
    names = [
        name
        for name, bit in vars(flags).items()
        if name.startswith("MS_") and bit and value & bit == bit
    ]
    return "|".join(names) or "0"
