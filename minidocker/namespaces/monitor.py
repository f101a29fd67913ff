"""One small process a container: parent of its PID 1, keeper of its streams and exit code.

The daemon may come and go; the monitor stays as long as the container.  It
pumps output to the log and to attached clients, input to the program, answers
the daemon on a socket, and writes the exit code to a file before it tells
anyone.  One thread, one epoll, no timers.  The start itself is another process's
(``starter.py``), so that this one stays small.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidocker.linux.heap import keep_freed
from minidocker.linux.messages import Channel
from minidocker.namespaces.clients import HIGH_WATER, Client, Input
from minidocker.namespaces.logfile import JsonLog, NoLog, log_writer
from minidocker.namespaces.program import exit_code
from minidocker.namespaces.starter import Started
from minidocker.namespaces.terminal import set_size

CHUNK = 65536


class Monitor:
    """The loop.  ``link``: the connection on which the request came.

    All state is this process's own; there is no other thread.
    """

    def __init__(self, started: Started, link: Channel) -> None:
        self._keep = started.keep
        self._pid, self._pidfd = started.pid, os.pidfd_open(started.pid)
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._links = [link]
        self._clients: list[Client] = []
        self._paused: set[int] = set()
        self._running = True
        self._take(started.fds)
        self._arriving = started.clients

    def _take(self, fds: Mapping[str, int]) -> None:
        """The descriptors that the starter made."""
        self._log: JsonLog | NoLog = NoLog()
        if "log" in fds:
            self._log = log_writer(self._keep["log"], fds["log"])
        self._listener: socket.socket | None = None
        if "listener" in fds:
            self._listener = socket.socket(fileno=fds["listener"])
            self._watch(fds["listener"], select.EPOLLIN, self._on_connection)
        self._input: Input | None = None
        self._terminal = fds.get("terminal", -1)
        if self._terminal >= 0:
            os.set_blocking(self._terminal, False)
            self._outputs = {self._terminal: "stdout"}
            self._input = Input(os.dup(self._terminal))
        else:
            self._outputs = {fds[name]: name for name in ("stdout", "stderr")}
            if "stdin" in fds:
                self._input = Input(fds["stdin"])
        for fd in self._outputs:
            self._watch(fd, select.EPOLLIN, lambda events, fd=fd: self._on_output(fd))  # type: ignore[misc]

    def run(self) -> None:
        """Serve until the container's first process and its readers are done."""
        keep_freed(16 * CHUNK)  # what it takes to make a chunk into entries of the log
        self._watch(self._pidfd, select.EPOLLIN, self._on_exit)
        for link in self._links:
            self._watch_link(link)
        for fd, wish in zip(self._arriving, self._keep["clients"] or (), strict=True):
            self._add_client(fd, wish)
        while self._running or any(client.waiting for client in self._clients):
            for fd, events in self._epoll.poll():
                callback = self._callbacks.get(fd)
                if callback:
                    callback(events)
        for client in self._clients:
            client.close()

    # Output: from the container to the log and the clients

    def _on_output(self, fd: int) -> None:
        """Read once.  The end of a stream, or EIO of a terminal without a slave, ends it."""
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        stream = self._outputs[fd]
        if not data:
            self._unwatch(fd)
            del self._outputs[fd]
            os.close(fd)
            return
        self._log.write(stream, data)
        if self._log.waiting:
            self._wait_for_log()
        for client in self._clients:
            client.send(stream, data)
        self._look_after_clients()

    def _wait_for_log(self) -> None:
        fd = self._log.fd
        if fd not in self._callbacks:
            self._watch(fd, select.EPOLLOUT, lambda events: self._on_log_room(fd))

    def _on_log_room(self, fd: int) -> None:
        self._log.flush()
        if not self._log.waiting:
            self._unwatch(fd)

    def _look_after_clients(self) -> None:
        """Drop who is gone, wait for who is slow: a full queue makes the container wait."""
        for client in list(self._clients):
            if client.gone:
                self._drop(client)
            else:
                self._rewatch_client(client)
        slow = self._running and any(client.waiting > HIGH_WATER for client in self._clients)
        for fd in self._outputs:
            if slow and fd not in self._paused:
                self._epoll.modify(fd, 0)
                self._paused.add(fd)
            elif not slow and fd in self._paused:
                self._epoll.modify(fd, select.EPOLLIN)
                self._paused.discard(fd)

    # Clients, and input from them

    def _add_client(self, fd: int, wish: Mapping[str, Any]) -> None:
        client = Client(fd, wish)
        if self._terminal < 0:
            client.keys.keys = b""  # as in Docker, only a terminal has detach keys
        self._clients.append(client)
        self._watch(client.fileno(), 0, lambda events: self._on_client(client, events))
        if client.early:
            self._typed(client, client.early)
        if client in self._clients:
            self._rewatch_client(client)

    def _rewatch_client(self, client: Client) -> None:
        full = self._input is not None and self._input.waiting > CHUNK
        events = select.EPOLLIN if client.reads and not full else 0
        events |= select.EPOLLOUT if client.waiting else 0
        self._epoll.modify(client.fileno(), events)

    def _on_client(self, client: Client, events: int) -> None:
        if events & select.EPOLLOUT:
            client.flush()
        if events & select.EPOLLIN and client.reads:
            data = client.read()
            if data is not None:
                self._typed(client, data)
        elif events & (select.EPOLLHUP | select.EPOLLERR):
            client.gone = True  # both directions: nobody is there any more
        self._look_after_clients()

    def _typed(self, client: Client, data: bytes) -> None:
        """Input of a client; b"" is its end: only its writing half is closed."""
        if not data:
            client.reads = False
            self._client_ended_input()
            return
        data, detached = client.keys.feed(data)
        if self._input and client.reads:
            self._input.write(data)
            self._look_after_input()
        if detached:
            client.reads = False
            self._drop(client)
            self._tell({"event": "detached"})

    def _client_ended_input(self) -> None:
        """A terminal stays open for whoever comes next: the docker command looks for the
        detach keys itself, and then only hangs up."""
        if self._input and self._keep["stdin_once"] and self._terminal < 0:
            self._input.ending = True
            self._look_after_input()

    def _look_after_input(self) -> None:
        """Wait for room while something is queued; close when the end has been reached."""
        stdin = self._input
        if stdin is None:
            return
        watched = stdin.fd in self._callbacks
        if stdin.waiting and not watched:
            self._watch(stdin.fd, select.EPOLLOUT, lambda events: self._on_input_room(stdin))
        elif not stdin.waiting and watched:
            self._unwatch(stdin.fd)
        if stdin.done:
            os.close(stdin.fd)
            self._input = None

    def _on_input_room(self, stdin: Input) -> None:
        stdin.flush()
        self._look_after_input()
        self._look_after_clients()

    def _drop(self, client: Client) -> None:
        self._unwatch(client.fileno())
        self._clients.remove(client)
        client.close()
        if client.reads:  # it vanished in the middle of its input
            client.reads = False
            self._client_ended_input()

    # The daemon

    def _on_connection(self, events: int) -> None:
        assert self._listener is not None
        connection, _ = self._listener.accept()
        link = Channel(connection)
        try:
            link.send({"event": "running", "pid": self._pid}, [self._pidfd])
        except OSError:
            link.close()
            return
        self._links.append(link)
        self._watch_link(link)

    def _watch_link(self, link: Channel) -> None:
        self._watch(link.fileno(), select.EPOLLIN, lambda events: self._on_link(link))

    def _on_link(self, link: Channel) -> None:
        try:
            open_still = link.feed()
        except OSError:
            open_still = False
        while (received := link.next()) is not None:
            self._obey(*received)
        if not open_still:
            self._unwatch(link.fileno())
            self._links.remove(link)
            link.close()

    def _obey(self, message: Mapping[str, Any], fds: list[int]) -> None:
        if message["op"] == "attach":
            self._add_client(fds[0], message["client"])
        elif message["op"] == "resize" and self._terminal >= 0:
            set_size(self._terminal, message["rows"], message["cols"])

    def _tell(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        for link in self._links:
            try:
                link.send(message, fds)
            except OSError:
                continue  # that daemon is gone; the next one will ask

    # The end

    def _on_exit(self, events: int) -> None:
        """The first process has ended, and in its pid namespace all others with it."""
        _, status = os.waitpid(self._pid, 0)
        self._running = False
        for fd in list(self._outputs):
            os.set_blocking(fd, False)
            while fd in self._outputs and self._readable(fd):
                self._on_output(fd)
        if self._log.fd in self._callbacks:
            self._unwatch(self._log.fd)
        self._log.close()
        code, at = exit_code(status), time.time_ns()
        if self._keep["exit_file"]:
            try:
                write_atomically(self._keep["exit_file"], {"code": code, "at": at})
            except OSError:
                pass  # a full disk: who is connected is told all the same
        self._forget_socket()
        self._tell({"event": "exited", "code": code, "at": at})
        for link in self._links:
            self._unwatch(link.fileno())
            link.close()
        self._links = []
        for client in list(self._clients):
            if not client.waiting:
                self._drop(client)

    def _readable(self, fd: int) -> bool:
        """Is there anything left?  A process of another pid namespace may hold it open."""
        return bool(select.select([fd], [], [], 0)[0])

    def _forget_socket(self) -> None:
        if self._listener:
            self._unwatch(self._listener.fileno())
            self._listener.close()
            self._listener = None
            try:
                os.unlink(self._keep["socket"])
            except OSError:
                pass

    # epoll

    def _watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def _unwatch(self, fd: int) -> None:
        if self._callbacks.pop(fd, None):
            self._epoll.unregister(fd)
        self._paused.discard(fd)


def write_atomically(path: str, value: object) -> None:
    """Raises ``OSError``; then the file is as it was."""
    try:
        with open(f"{path}.tmp", "w") as file:
            json.dump(value, file)
        os.replace(f"{path}.tmp", path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(f"{path}.tmp")
        raise
