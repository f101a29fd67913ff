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
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Any

import minidocker
from minidocker.linux import flags, syscalls
from minidocker.linux.messages import Channel
from minidocker.namespaces.monitor import Monitor, write_atomically
from minidocker.namespaces.program import exit_code, set_title

PATIENCE = 5.0
"""Seconds that a client of the launcher has to send its request."""


class Launcher:
    """Accept, fork, reap.  Ends when no daemon holds it and no child is left."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
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
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        channel = Channel(connection)
        try:
            received = channel.receive()
        except (OSError, ValueError):
            received = None
        if received is None:
            channel.close()
            return
        connection.settimeout(None)
        request, fds = received
        if request.get("op") == "hello":
            self._greet(channel)
            self._keepers[channel.fileno()] = channel
            return
        pid = os.fork()
        if pid == 0:
            self._be_monitor(request, fds, channel)
        self._monitors[pid] = None
        for fd in fds:
            os.close(fd)
        channel.close()

    def _greet(self, channel: Channel) -> None:
        with contextlib.suppress(OSError):
            channel.send({"version": minidocker.__version__, "pid": os.getpid()})

    def _be_monitor(self, request: dict[str, Any], fds: list[int], channel: Channel) -> None:
        """The child: never returns."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            syscalls.prctl(flags.PR_SET_CHILD_SUBREAPER, 0)
            os.setsid()
            self._listener.close()
            for keeper in self._keepers.values():
                keeper.close()
            for fd in (self._news, self._wake, self._wake_in):
                os.close(fd)
            set_title(f"minidocker-monitor {request['id'][:12]}")
            Monitor(request, fds, channel, self._announcer(request)).run()
            status = 0
        finally:
            if status:
                import traceback

                traceback.print_exc()
            os._exit(status)

    def _announcer(self, request: dict[str, Any]) -> Callable[[int], None]:
        """What the monitor calls once its child runs: one short line, whole in the pipe."""

        def announce(child: int) -> None:
            news = {"monitor": os.getpid(), "child": child, "exit_file": request.get("exit_file")}
            os.write(self._news_in, json.dumps(news).encode() + b"\n")
            os.close(self._news_in)

        return announce

    def _read_news(self) -> None:
        try:
            lines = os.read(self._news, 65536).splitlines()
        except BlockingIOError:
            return
        for line in lines:
            news = json.loads(line)
            if news["monitor"] in self._monitors and news["exit_file"]:
                self._monitors[news["monitor"]] = (news["child"], news["exit_file"])

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
        with contextlib.suppress(OSError):
            if channel.feed():
                while channel.next() is not None:
                    self._greet(channel)
                return
        del self._keepers[fd]
        channel.close()


def main(listener_fd: int) -> None:
    """The launcher's process; ``listener_fd`` is the socket it was born with."""
    if listener_fd > 3:
        syscalls.close_range(3, listener_fd - 1)
    syscalls.close_range(listener_fd + 1)
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
