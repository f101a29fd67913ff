"""Between the user's streams and a raw connection, until the far end closes.

One loop over poll(2): bytes typed go out, frames come in and are parted into
stdout and stderr, and signals arrive through a pipe.  The end of our stdin
closes only the writing half: the program may still have much to say.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minidocker.client.commandline import Failed
from minidocker.client.connection import Raw
from minidocker.client.terminal import KeyWatch
from minidocker.wire.frames import STDERR, SYSTEM_ERROR, FrameDecoder
from minidocker.wire.http import MULTIPLEXED_STREAM

READ_SIZE = 65536

# Those that a user or a supervisor sends to a program; SIGWINCH is about our own terminal.
PROXIED = ("HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "TSTP")

OnSignal = Callable[[int], None]


@contextmanager
def caught_signals() -> Iterator[int]:
    """Signals become bytes (their numbers) on a descriptor, and do nothing else, in the block.

    So none of them can end us with the terminal still raw.
    """
    ours, theirs = socket.socketpair()
    numbers = [getattr(signal, f"SIG{name}") for name in (*PROXIED, "WINCH")]
    theirs.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    old = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield ours.fileno()
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()


class Pump:
    """Copies both ways.  ``stdin`` None: nothing is typed.  ``wake``: from ``caught_signals``."""

    def __init__(
        self,
        raw: Raw,
        *,
        tty: bool,
        stdin: int | None,
        keys: bytes,
        wake: int | None = None,
        on_signal: OnSignal = lambda number: None,
    ) -> None:
        self._sock = raw.sock
        self._early = raw.early
        self._stdin = stdin
        self._wake, self._on_signal = wake, on_signal
        self._watch = KeyWatch(keys if tty else b"")
        self._unsent = b""
        # An engine older than API 1.42 gives both kinds one name: there the terminal decides.
        framed = raw.content_type == MULTIPLEXED_STREAM or not tty
        self._frames = FrameDecoder() if framed else None

    def run(self) -> bool:
        """Copy until the far end closes.  True when that is since the detach keys were typed."""
        self._sock.setblocking(False)
        self._show(self._early)
        try:
            while True:
                poll = select.poll()
                for fd, events in self._interest().items():
                    poll.register(fd, events)
                ready = dict(poll.poll())
                if self._wake is not None and self._wake in ready:
                    for number in os.read(self._wake, READ_SIZE):
                        self._on_signal(number)
                if self._stdin is not None and self._stdin in ready:
                    self._read_stdin()
                if self._sock.fileno() in ready:
                    self._send()
                    if not self._receive():
                        return self._watch.seen
        finally:
            self._sock.close()

    def _interest(self) -> dict[int, int]:
        """What to wait for: nothing more is read from stdin while the far end has not taken it."""
        wanted = {self._sock.fileno(): select.POLLIN | (select.POLLOUT if self._unsent else 0)}
        if self._stdin is not None and not self._unsent:
            wanted[self._stdin] = select.POLLIN
        if self._wake is not None:
            wanted[self._wake] = select.POLLIN
        return wanted

    def _read_stdin(self) -> None:
        assert self._stdin is not None
        try:
            data = os.read(self._stdin, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a terminal that hung up
        self._watch.feed(data)
        self._unsent += data
        if not data:
            self._stdin = None
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the far end closed first: the next read sees it
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent, self._stdin = b"", None  # nobody reads us any more; it may still speak

    def _receive(self) -> bool:
        """Take what has come; False at the end of the stream."""
        try:
            data = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        if self._frames is None:
            write_all(1, data)
            return
        for stream, piece in self._frames.feed(data):
            if stream == SYSTEM_ERROR:
                text = piece.decode(errors="replace").strip()
                raise Failed(f"Error response from daemon: {text}")
            write_all(2 if stream == STDERR else 1, piece)


def write_all(fd: int, data: bytes) -> None:
    """All of ``data`` to a descriptor that may be non-blocking (a shared terminal's often is)."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
