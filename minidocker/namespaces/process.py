"""The steps that make a process a container's first one: namespaces, limits, names.

Everything here acts on the calling process.  What becomes a file system is in
``mounts.py``, who it runs as in ``users.py`` and ``capabilities.py``.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step


@dataclass(frozen=True)
class NewSession(Step):
    """A session of its own: no terminal's Ctrl-C outside reaches it."""

    chapter: ClassVar[str] = "namespaces"

    def describe(self) -> str:
        return "setsid()"

    def execute(self) -> None:
        os.setsid()


@dataclass(frozen=True)
class JoinCgroup(Step):
    """Under the limits before the first instruction of anything else.

    And before unshare(CLONE_NEWCGROUP): the cgroup that the process is in then
    becomes the root of what it sees (cgroup_namespaces(7)).
    """

    chapter: ClassVar[str] = "cgroups"
    procs_files: tuple[str, ...]

    def describe(self) -> str:
        if not self.procs_files:
            return "no cgroup to join"
        return f'write "0" (this process) to {braced(self.procs_files)}'

    def execute(self) -> None:
        for path in self.procs_files:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"0")  # 0 is the writer itself, in any pid namespace
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
            finally:
                os.close(fd)


def braced(paths: Sequence[str]) -> str:
    """Paths that differ in one part only as a shell would be told: /a/{b,c}/d."""
    split = [path.split("/") for path in paths]
    parts = list(zip(*split, strict=False))
    differing = [at for at, names in enumerate(parts) if len(set(names)) > 1]
    if len(differing) != 1 or len({len(names) for names in split}) > 1:
        return ", ".join(paths)
    (at,) = differing
    return "/".join([*split[0][:at], "{" + ",".join(parts[at]) + "}", *split[0][at + 1 :]])


@dataclass(frozen=True)
class Unshare(Step):
    """New namespaces; a new pid namespace is for the children only (unshare(2))."""

    chapter: ClassVar[str] = "namespaces"
    namespaces: tuple[str, ...]

    @property
    def flags(self) -> int:
        return sum(flags.NAMESPACES[name] for name in self.namespaces)

    def describe(self) -> str:
        words = {"mount": "NS", "network": "NET"}
        names = (f"CLONE_NEW{words.get(name, name.upper())}" for name in self.namespaces)
        return f"unshare({'|'.join(names)})"

    def execute(self) -> None:
        syscalls.unshare(self.flags)


@dataclass(frozen=True)
class JoinNamespaces(Step):
    """Enter namespaces of a running process, all in one call.

    ``fd`` is a pidfd: a pid could have been given to another process meanwhile.
    """

    chapter: ClassVar[str] = "namespaces"
    fd: int
    namespaces: tuple[str, ...]

    def describe(self) -> str:
        return f"setns(pidfd {self.fd}, {'|'.join(self.namespaces)})"

    def execute(self) -> None:
        syscalls.setns(self.fd, sum(flags.NAMESPACES[name] for name in self.namespaces))


@dataclass(frozen=True)
class Fork(Step):
    """The point where the plan goes on in a child.

    A marker that is described and timed; the fork itself is the starter's, which
    is left behind as the parent, and ends.
    """

    chapter: ClassVar[str] = "namespaces"
    child: str

    def describe(self) -> str:
        return f"fork(): the child is {self.child}, and the monitor's as this process ends"

    def execute(self) -> None:
        """Nothing: the reader of the plan forks here."""


@dataclass(frozen=True)
class NotDumpable(Step):
    """Until execve this process is still our Python: keep /proc/PID of it closed."""

    chapter: ClassVar[str] = "security"

    def describe(self) -> str:
        return "prctl(PR_SET_DUMPABLE, 0)"

    def execute(self) -> None:
        syscalls.prctl(flags.PR_SET_DUMPABLE, 0)


@dataclass(frozen=True)
class SessionKeyring(Step):
    """Keys of the host's session are not the container's (keyctl(2))."""

    chapter: ClassVar[str] = "security"
    name: str

    def describe(self) -> str:
        return f'keyctl(KEYCTL_JOIN_SESSION_KEYRING, "{self.name[:12]}")'

    def execute(self) -> None:
        try:
            syscalls.keyctl_join_session_keyring(self.name)
        except OSError as error:
            # A kernel without keyrings has none to leak.
            if error.errno not in (38, 1, 122):  # ENOSYS, EPERM, EDQUOT
                raise


@dataclass(frozen=True)
class SetOomScore(Step):
    chapter: ClassVar[str] = "cgroups"
    score: int

    def describe(self) -> str:
        return f'write "{self.score}" to /proc/self/oom_score_adj'

    def execute(self) -> None:
        _write("/proc/self/oom_score_adj", str(self.score))


@dataclass(frozen=True)
class WriteSysctl(Step):
    """A kernel setting of the container's own namespaces, ``kernel.shmmax`` style name."""

    chapter: ClassVar[str] = "namespaces"
    name: str
    value: str

    @property
    def path(self) -> str:
        return "/proc/sys/" + self.name.replace(".", "/")

    def describe(self) -> str:
        return f'write "{self.value}" to {self.path}'

    def execute(self) -> None:
        _write(self.path, self.value)


@dataclass(frozen=True)
class SetHostname(Step):
    chapter: ClassVar[str] = "namespaces"
    hostname: str

    def describe(self) -> str:
        return f'sethostname("{self.hostname}")'

    def execute(self) -> None:
        syscalls.sethostname(self.hostname)


@dataclass(frozen=True)
class SetDomainname(Step):
    chapter: ClassVar[str] = "namespaces"
    domainname: str

    def describe(self) -> str:
        return f'setdomainname("{self.domainname}")'

    def execute(self) -> None:
        syscalls.setdomainname(self.domainname)


@dataclass(frozen=True)
class SetRlimit(Step):
    """``--ulimit``; ``kind`` is the OCI name, "RLIMIT_NOFILE"."""

    chapter: ClassVar[str] = "cgroups"
    kind: str
    soft: int
    hard: int

    def describe(self) -> str:
        return f"prlimit({self.kind}, soft={self.soft}, hard={self.hard})"

    def execute(self) -> None:
        limits = (_signed(self.soft), _signed(self.hard))
        try:
            resource.setrlimit(getattr(resource, self.kind), limits)
        except ValueError as error:  # Python's word for EPERM and EINVAL
            raise OSError(1, f"{self.kind} cannot be raised to {self.hard}: {error}") from None


def _signed(limit: int) -> int:
    return resource.RLIM_INFINITY if limit < 0 or limit >= 2**63 else limit


@dataclass(frozen=True)
class BringUpLoopback(Step):
    """A new network namespace has a loopback interface, and it is down."""

    chapter: ClassVar[str] = "networks"

    def describe(self) -> str:
        return 'ioctl(SIOCSIFFLAGS, "lo", IFF_UP)'

    def execute(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = struct.pack("16sh22x", b"lo", 0)
            answer = fcntl.ioctl(sock, flags.SIOCGIFFLAGS, request)
            now = struct.unpack_from("16sh", answer)[1]
            fcntl.ioctl(sock, flags.SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", now | flags.IFF_UP))


@dataclass(frozen=True)
class ChangeDirectory(Step):
    """``-w``: made if it is missing; and it must be inside the container.

    getcwd(2) says "(unreachable)" when a descriptor of the host's file system
    was taken along and used as working directory (CVE-2024-21626).
    """

    chapter: ClassVar[str] = "namespaces"
    path: str
    make: bool = True

    def describe(self) -> str:
        return f'chdir("{self.path}")'

    def execute(self) -> None:
        if self.make:
            try:
                os.makedirs(self.path, exist_ok=True)
            except OSError:
                pass  # chdir says what is wrong
        os.chdir(self.path)
        if not os.getcwd().startswith("/"):
            raise OSError(2, "the working directory is outside of the container", self.path)


@dataclass(frozen=True)
class NoNewPrivileges(Step):
    """No setuid program gains anything from here on (prctl(2))."""

    chapter: ClassVar[str] = "security"

    def describe(self) -> str:
        return "prctl(PR_SET_NO_NEW_PRIVS, 1)"

    def execute(self) -> None:
        syscalls.prctl(flags.PR_SET_NO_NEW_PRIVS, 1)


@dataclass(frozen=True)
class ApplyAppArmor(Step):
    """The profile that execve will switch to (apparmor(7))."""

    chapter: ClassVar[str] = "security"
    profile: str

    def describe(self) -> str:
        return f'write "exec {self.profile}" to /proc/self/attr/apparmor/exec'

    def execute(self) -> None:
        _write("/proc/self/attr/apparmor/exec", f"exec {self.profile}")


@dataclass(frozen=True)
class ResetSignals(Step):
    """execve keeps what is ignored (signal(7)): Python ignores SIGPIPE and SIGXFSZ, and an
    engine that was started by nohup SIGHUP."""

    chapter: ClassVar[str] = "namespaces"

    def describe(self) -> str:
        return "signal(..., SIG_DFL) for every signal, and an empty mask; umask(022)"

    def execute(self) -> None:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)


@dataclass(frozen=True)
class CloseDescriptors(Step):
    """Nothing but the three standard streams survives execve (close_range(2)).

    ``report``, on which a failing execve is told, is marked instead: it lives until
    execve has worked.
    """

    chapter: ClassVar[str] = "security"
    report: int

    def describe(self) -> str:
        return "close_range(3, ~0), but for the one that tells of execve: CLOSE_RANGE_CLOEXEC"

    def execute(self) -> None:
        if self.report > 3:
            syscalls.close_range(3, self.report - 1)
        syscalls.close_range(self.report, self.report, flags.CLOSE_RANGE_CLOEXEC)
        syscalls.close_range(self.report + 1)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
    finally:
        os.close(fd)
