"""A warm Python that forks monitors: what makes a start cost milliseconds.

It has everything imported, one thread, and nothing to do but fork.  The asyncio
daemon itself never forks.  The launcher outlives the daemon as long as there
are containers, and the next daemon takes it over.  It is also a child
subreaper: if a monitor is killed, the container's first process becomes the
launcher's child, and its exit code is written down here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence

from minidocker.linux import flags, syscalls
from minidocker.linux.messages import Channel
from minidocker.namespaces.edition import edition
from minidocker.namespaces.monitor import Monitor, write_atomically
from minidocker.namespaces.port_proxy import serve_ports
from minidocker.namespaces.program import exit_code, set_title
from minidocker.namespaces.starter import Announce, Started, start_apart, start_here

PATIENCE = 5.0
"""Seconds that a client of the launcher has to send its request."""
HELLO, EXEC, PROXY = b'{"op":"hello"', b'{"op":"exec",', b'{"op":"proxy"'
"""How a message begins with which a daemon makes itself known; and one that asks for an exec,
or for the proxy of published ports."""


class Launcher:
    """Accept, fork, reap.  Ends when no daemon holds it and no child is left."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._edition = edition()
        self._keepers: dict[int, Channel] = {}
        self._monitors: dict[int, tuple[int, str] | None] = {}  # -> first process, exit file
        self._orphans: dict[int, str] = {}  # first process of a killed monitor -> exit file
        self._news, self._news_in = os.pipe()
        self._wake, self._wake_in = os.pipe()
        for fd in (self._news, self._wake, self._wake_in):
            os.set_blocking(fd, False)

    def run(self) -> None:
        """Serve until nobody holds it and nothing runs; then return."""
        syscalls.prctl(flags.PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        # What is there now is shared by all children for ever: keep the collector
        # from touching, and so copying, it.
        gc.disable()
        gc.collect()
        gc.freeze()
        while True:
            poll = select.poll()
            for fd in (self._listener.fileno(), self._news, self._wake, *self._keepers):
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll():
                if fd == self._listener.fileno():
                    self._accept()
                elif fd == self._news:
                    self._read_news()
                elif fd == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                else:
                    self._keeper_spoke(fd)
            if not self._keepers and not self._monitors and not self._orphans:
                return

    def _accept(self) -> None:
        """A daemon's greeting is answered here; a request is the child's to read, since
        what it leaves behind in memory is then no other monitor's."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        try:
            beginning = connection.recv(len(HELLO), socket.MSG_PEEK)
        except OSError:
            beginning = b""
        if beginning == HELLO:  # the message itself is read as if from a known keeper
            self._keepers[connection.fileno()] = Channel(connection)
            return
        pid = os.fork() if beginning else -1
        if pid == 0:
            connection.settimeout(None)
            self._be_child(connection, beginning)
        connection.close()
        if pid > 0:
            self._monitors[pid] = None

    def _greet(self, channel: Channel) -> None:
        with contextlib.suppress(OSError):
            channel.send({"version": self._edition, "pid": os.getpid()})

    def _be_child(self, connection: socket.socket, beginning: bytes) -> None:
        """What the request asks for: never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            close_all_but([connection.fileno(), self._news_in])
            link = Channel(connection)
            if beginning == PROXY:
                os.close(self._news_in)
                serve_ports(link)
            else:
                self._be_monitor(link, start_here if beginning == EXEC else start_apart)
            status = 0
        finally:
            if status:
                import traceback

                traceback.print_exc()
            os._exit(status)

    def _be_monitor(
        self, link: Channel, start: Callable[[Channel, Announce], Started | None]
    ) -> None:
        started = start(link, self._announcer())
        os.close(self._news_in)
        if started:
            set_title(f"minidocker-monitor {started.keep['id'][:12]}")
            Monitor(started, link).run()

    def _announcer(self) -> Announce:
        """What is called once the container runs: one short line, whole in the pipe."""
        monitor = os.getpid()

        def announce(child: int, exit_file: str | None) -> None:
            if exit_file:
                os.write(self._news_in, f"{monitor} {child} {exit_file}\0".encode())

        return announce

    def _read_news(self) -> None:
        try:
            lines = os.read(self._news, 65536).split(b"\0")[:-1]
        except BlockingIOError:
            return
        for line in lines:
            monitor, child, exit_file = line.decode().split(" ", 2)
            if int(monitor) in self._monitors:
                self._monitors[int(monitor)] = (int(child), exit_file)

    def _reap(self) -> None:
        self._read_news()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                break
            if pid in self._monitors:
                left = self._monitors.pop(pid)
                if left and status != 0:  # it was killed: its child is ours now
                    self._orphans[left[0]] = left[1]
            elif pid in self._orphans:
                self._write_exit(self._orphans.pop(pid), exit_code(status))

    def _write_exit(self, path: str, code: int) -> None:
        """The monitor was killed: what it would have written, unless it had already."""
        import time

        if os.path.isdir(os.path.dirname(path)) and not os.path.exists(path):
            with contextlib.suppress(OSError):
                write_atomically(path, {"code": code, "at": time.time_ns()})

    def _keeper_spoke(self, fd: int) -> None:
        """A daemon asks who we are, once more, or has come to its end."""
        channel = self._keepers[fd]
        with contextlib.suppress(OSError, ValueError):  # or speaks no sense
            if channel.feed():
                while channel.next() is not None:
                    self._greet(channel)
                return
        del self._keepers[fd]
        channel.close()


def close_all_but(fds: Sequence[int]) -> None:
    """Close every descriptor above standard error that is not one of ``fds``."""
    below = 2
    for fd in sorted(fds):
        os.closerange(below + 1, fd)
        below = fd
    os.closerange(below + 1, 2**31 - 1)  # no descriptor is higher


def main(listener_fd: int) -> None:
    """The launcher's process; ``listener_fd`` is the socket it was born with."""
    close_all_but([listener_fd])
    os.set_inheritable(listener_fd, False)
    listener = socket.socket(fileno=listener_fd)
    path = str(listener.getsockname())
    born = _inode(path)
    set_title(f"minidocker-launcher {os.path.dirname(path)}")
    Launcher(listener).run()
    if born is not None and _inode(path) == born:  # not a successor's
        with contextlib.suppress(OSError):
            os.unlink(path)


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
