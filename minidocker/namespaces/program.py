"""The last step: the container's own program takes the process over (execve(2))."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step
from minidocker.namespaces.users import home_of

_AT_FDCWD = -100
NOT_HERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True)
class ExecProgram(Step):
    """``args`` as argv, ``environment`` as "NAME=value" strings.

    A name without a slash is looked up in the container's PATH.  HOME is taken
    from the container's /etc/passwd unless it is given.
    """

    chapter: ClassVar[str] = "namespaces"
    args: tuple[str, ...]
    environment: tuple[str, ...]

    def describe(self) -> str:
        return f'execve("{self.args[0]}", {list(self.args)}, {len(self.environment)} variables)'

    def execute(self) -> None:
        environment = dict(each.partition("=")[::2] for each in self.environment if "=" in each)
        if not environment.get("HOME"):
            environment["HOME"] = home_of(os.getuid())
        path = find_program(self.args[0], environment.get("PATH", ""))
        try:
            os.execve(path, self.args, environment)
        except OSError as error:
            raise _failure(self.args[0], path, error) from None


def find_program(name: str, search_path: str) -> str:
    """Where ``name`` is, by the rules of execvp(3); ``search_path`` is PATH's value.

    Raises ``OSError`` with Docker's words: ENOENT when it is not there, EACCES when
    it is and may not be executed, EISDIR when it is a directory.
    """
    if "/" in name:
        _check_program(name, name)
        return name
    denied: OSError | None = None
    for directory in search_path.split(":"):
        path = os.path.join(directory or ".", name)
        try:
            _check_program(name, path)
        except OSError as error:
            if error.errno not in (*NOT_HERE, errno.EACCES, errno.EISDIR):
                raise
            if error.errno == errno.EACCES:
                denied = denied or error
            continue
        return path
    raise denied or OSError(errno.ENOENT, f'exec: "{name}": executable file not found in $PATH')


def _check_program(name: str, path: str) -> None:
    # /proc/self/exe is the engine's own interpreter as long as this is Python:
    # magic links are not followed (CVE-2019-5736).
    try:
        fd = syscalls.openat2(_AT_FDCWD, path, os.O_PATH, flags.RESOLVE_NO_MAGICLINKS)
    except OSError as error:
        raise OSError(error.errno, f'exec: "{name}": stat {path}: {_reason(error)}') from None
    mode = os.fstat(fd).st_mode
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, f'exec: "{name}": is a directory')
    if not stat.S_ISREG(mode) or not os.access(path, os.X_OK, effective_ids=True):
        raise OSError(errno.EACCES, f'exec: "{name}": permission denied')


def _failure(name: str, path: str, error: OSError) -> OSError:
    """execve's ENOENT for a file that is there means its interpreter is not."""
    if error.errno == errno.ENOENT:
        interpreter = interpreter_of(path)
        visible = interpreter.replace("\r", "\\r")  # of a script with the line ends of Windows
        missing = f" (its interpreter {visible} is missing)" if interpreter else ""
        return OSError(errno.ENOENT, f'exec: "{name}": no such file or directory{missing}')
    return OSError(error.errno, f'exec: "{name}": {_reason(error)}')


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def interpreter_of(path: str) -> str:
    """What the kernel would run to run ``path``: of a script or of an ELF file; "" if unknown."""
    try:
        with open(path, "rb") as file:
            head = file.read(65536)
    except OSError:
        return ""
    if head.startswith(b"#!"):
        # The kernel ends it at a blank, a tab or the line's end: a carriage return is a part of it.
        line = head[2:].split(b"\n", 1)[0].replace(b"\t", b" ").replace(b"\0", b" ")
        return line.strip(b" ").partition(b" ")[0].decode(errors="replace")
    if head.startswith(b"\x7fELF"):
        return _elf_interpreter(head)
    return ""


def _elf_interpreter(head: bytes) -> str:
    """The PT_INTERP segment of a 64-bit ELF file (elf(5))."""
    if len(head) < 64 or head[4] != 2:
        return ""
    order = "little" if head[5] == 1 else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)  # type: ignore[arg-type]

    table, size, count = number(32, 8), number(54, 2), number(56, 2)
    for entry in range(table, table + size * count, size or 1):
        if number(entry, 4) == 3:  # PT_INTERP
            start, length = number(entry + 8, 8), number(entry + 32, 8)
            return head[start : start + length].rstrip(b"\0").decode(errors="replace")
    return ""


@dataclass(frozen=True)
class ReapAsInit(Step):
    """``--init``: this process stays as PID 1, the program is its child.

    PID 1 gets no signal that it has no handler for, and every orphan of the
    container is its to wait for (pid_namespaces(7)): most programs do neither well.
    """

    chapter: ClassVar[str] = "namespaces"
    title: str = "docker-init"

    def describe(self) -> str:
        return "fork(): the parent stays as PID 1, passes signals on and reaps orphans"

    def execute(self) -> None:
        # Blocked over the fork: a signal that comes now waits for the loop.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        child = os.fork()
        if child == 0:
            _lead_group()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            return
        syscalls.close_range(3)
        set_title(self.title)
        os._exit(_pass_on_and_reap(child))


def _lead_group() -> None:
    os.setpgid(0, 0)
    try:
        os.tcsetpgrp(0, os.getpgrp())  # SIGTTOU is blocked here, so this does not stop us
    except OSError:
        pass  # no terminal


def _pass_on_and_reap(child: int) -> int:
    passed_over = {signal.SIGTTIN, signal.SIGTTOU}
    while True:
        got = signal.sigwait(signal.valid_signals())
        if got != signal.SIGCHLD:
            if got not in passed_over:
                os.kill(child, got)
            continue
        ended: int | None = None
        for pid, status in _reap():
            if pid == child:
                ended = exit_code(status)
        if ended is not None:
            return ended


def _reap() -> Iterable[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def exit_code(status: int) -> int:
    """A wait status as a shell tells it: the exit code, or 128 and the signal's number."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def set_title(title: str) -> None:
    """What ``ps`` shows of this process: written over its own argv (proc(5), cmdline)."""
    start, end = _arguments()
    if start and end > start:
        room = end - start
        text = title.encode()[: room - 1]
        ctypes.memmove(start, text + b"\0" * (room - len(text)), room)
    program = title.split(maxsplit=1)[0].rpartition("/")[2]
    syscalls.prctl(flags.PR_SET_NAME, program.encode()[:15])


@functools.cache
def _arguments() -> tuple[int, int]:
    """Where argv lies in memory, in this process and in all that it forks (proc(5), stat)."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[46])  # arg_start, arg_end
