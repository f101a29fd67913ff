"""One small process a container: parent of its PID 1, keeper of its streams and exit code.

The daemon may come and go; the monitor stays as long as the container.  It
pumps output to the log and to attached clients, input to the program, answers
the daemon on a socket, and writes the exit code to a file before it tells
anyone.  One thread, one epoll, no timers.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidocker.linux.messages import Channel, listen_unix
from minidocker.linux.plan import Step
from minidocker.namespaces.clients import HIGH_WATER, Client, Input
from minidocker.namespaces.logfile import JsonLog, NoLog
from minidocker.namespaces.plan import init_steps, monitor_steps
from minidocker.namespaces.program import exit_code
from minidocker.namespaces.start import LaunchFailed, Started, start
from minidocker.namespaces.terminal import set_size
from minidocker.namespaces.trace import Trace

CHUNK = 65536


class Monitor:
    """The loop.  ``link``: the connection on which the request came; ``announce``: who
    to tell the first process's pid, in case this monitor is killed.

    All state is this process's own; there is no other thread.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        fds: Sequence[int],
        link: Channel,
        announce: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self.request = request
        self._announce = announce
        wishes = request.get("clients") or []
        split = len(fds) - len(wishes)
        self._lent = list(fds[:split])  # pidfds, needed until the start
        self._arriving = list(zip(fds[split:], wishes, strict=True))
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._links: list[Channel] = [link]
        self._clients: list[Client] = []
        self._outputs: dict[int, str] = {}
        self._paused: set[int] = set()
        self._input: Input | None = None
        self._listener: socket.socket | None = None
        self._terminal_wanted = bool(request.get("terminal"))
        self._running = False

    # The start

    def run(self) -> None:
        """Start the process, serve until it and its readers are done."""
        try:
            started = self._start()
        except LaunchFailed as failed:
            self._tell(failed.answer)
            return
        except OSError as error:
            self._tell(
                LaunchFailed("", error.errno or 0, f"the monitor failed: {error}", 125).answer
            )
            return
        self.pid, self.pidfd = started.pid, os.pidfd_open(started.pid)
        self._announce(self.pid)
        self._running = True
        self._watch(self.pidfd, select.EPOLLIN, self._on_exit)
        for link in self._links:
            self._watch_link(link)
        self._tell({"event": "started", "pid": self.pid}, [self.pidfd])
        for fd, wish in self._arriving:
            self._add_client(fd, wish)
        while self._running or any(client.waiting for client in self._clients):
            for fd, events in self._epoll.poll():
                callback = self._callbacks.get(fd)
                if callback:
                    callback(events)
        for client in self._clients:
            client.close()

    def _start(self) -> Started:
        request = self.request
        log = request.get("log") or {}
        inside = self._links[0].line()  # what only init needs: it parses it, and is gone
        theirs, ours = _streams(self._terminal_wanted, bool(request.get("open_stdin")))
        report, inits = socket.socketpair()
        outside = monitor_steps(request, self._lent)
        trace = Trace(request.get("trace_file"))

        def steps_inside() -> Sequence[Step]:
            return init_steps(request, json.loads(inside), self._lent, inits.fileno())

        if request.get("socket"):
            self._listener = listen_unix(request["socket"])
        try:
            self._log = _open_log(log)
            started = start(outside, steps_inside, theirs, report, inits, trace)
        except BaseException:  # whatever it was, nobody may find the socket
            self._forget_socket()
            raise
        trace.close()
        for fd in {fd for fd in theirs if fd >= 0} | set(self._lent):
            os.close(fd)
        if self._listener:
            self._watch(self._listener.fileno(), select.EPOLLIN, self._on_connection)
        if self._terminal_wanted:
            os.set_blocking(started.terminal, False)
            self._outputs[started.terminal] = "stdout"
            self._terminal = started.terminal
            self._input = Input(os.dup(started.terminal))
        else:
            self._outputs = {ours[1]: "stdout", ours[2]: "stderr"}
            self._input = Input(ours[0]) if ours[0] >= 0 else None
        for fd in self._outputs:
            self._watch(fd, select.EPOLLIN, lambda events, fd=fd: self._on_output(fd))  # type: ignore[misc]
        return started

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
        for client in self._clients:
            client.send(stream, data)
        self._look_after_clients()

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
        if not self._terminal_wanted:
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
        if self._input and self.request.get("stdin_once"):
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
            link.send({"event": "running", "pid": self.pid}, [self.pidfd])
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
        elif message["op"] == "resize" and self._terminal_wanted:
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
        _, status = os.waitpid(self.pid, 0)
        self._running = False
        for fd in list(self._outputs):
            os.set_blocking(fd, False)
            while fd in self._outputs and self._readable(fd):
                self._on_output(fd)
        self._log.close()
        code, at = exit_code(status), time.time_ns()
        if self.request.get("exit_file"):
            write_atomically(self.request["exit_file"], {"code": code, "at": at})
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
                os.unlink(self.request["socket"])
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


def _streams(terminal: bool, open_stdin: bool) -> tuple[list[int], list[int]]:
    """The child's three descriptors, and our ends of them (-1: there is none)."""
    if terminal:
        return [-1, -1, -1], [-1, -1, -1]
    stdin = os.pipe() if open_stdin else (os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1)
    stdout, stderr = os.pipe(), os.pipe()
    return [stdin[0], stdout[1], stderr[1]], [stdin[1], stdout[0], stderr[0]]


def _open_log(log: Mapping[str, Any]) -> JsonLog | NoLog:
    if not log or log.get("driver") == "none":
        return NoLog()
    return JsonLog(log["path"], log.get("max_size", -1), log.get("max_file", 1))


def write_atomically(path: str, value: object) -> None:
    with open(f"{path}.tmp", "w") as file:
        json.dump(value, file)
    os.replace(f"{path}.tmp", path)
