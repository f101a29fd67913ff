"""``-t``: a pseudo-terminal that lives in the container (pty(7)).

The pair is opened inside, from the container's own devpts instance, so that
/dev/pts/0 in there is its terminal; the master end is passed out to the monitor.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import termios
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import flags, syscalls
from minidocker.linux.messages import Channel
from minidocker.linux.plan import Step

_TIOCSPTLCK = 0x40045431  # <asm-generic/ioctls.h>
_TIOCGPTPEER = 0x5441
_PTMX = os.makedev(5, 2)


@dataclass(frozen=True)
class OpenTerminal(Step):
    """Open the pair, send the master through ``socket_fd``, stand on the slave.

    ``console``: also bind the slave to /dev/console, as the first process wants.
    """

    chapter: ClassVar[str] = "namespaces"
    socket_fd: int
    rows: int = 0
    columns: int = 0
    console: bool = True

    def describe(self) -> str:
        console = '; bind it to "/dev/console"' if self.console else ""
        return f'open("/dev/pts/ptmx"), send the master out; the slave is 0, 1 and 2{console}'

    def execute(self) -> None:
        master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        status = os.fstat(master)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _PTMX:
            raise OSError(errno.ENOTTY, "not a terminal multiplexer", "/dev/pts/ptmx")
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        if self.rows or self.columns:
            set_size(master, self.rows, self.columns)
        if self.console:
            _bind_console(os.ttyname(slave))
        with socket.socket(fileno=os.dup(self.socket_fd)) as sock:
            Channel(sock).send({"terminal": True}, [master])
        os.close(master)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        if slave > 2:
            os.close(slave)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _bind_console(slave: str) -> None:
    fd = os.open("/dev/console", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY, 0o600)
    os.close(fd)
    syscalls.mount(slave, "/dev/console", None, flags.MS_BIND)


def set_size(fd: int, rows: int, columns: int) -> None:
    """Tell the terminal its size; the foreground group gets SIGWINCH (ioctl_tty(2))."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
