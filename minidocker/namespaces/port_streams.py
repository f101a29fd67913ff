"""TCP from a published port to the container, and back.

The bytes never come into this process: splice(2) moves them from one socket into a pipe
and from there into the other.  A pipe is lent to a direction for as long as bytes are
in it, so a connection at rest costs two descriptors, and one whose receiver is slow
makes its sender wait when the pipe is full.  Each direction ends by itself: an end of
file is passed on as such (shutdown(2)), a reset as a reset.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable

from minidocker.namespaces.poller import BROKEN, IN, OUT, Poller

PIECE = 1 << 20  # bytes to ask for at once
WIDE = 32
"""So many pipes have room for a whole piece, which halves the time that is spent here; those
lent beyond have the usual 64 KiB: many slow receivers take little memory each."""
SPARE = 16  # empty pipes that are kept for the next
ROUNDS = 16  # pieces of one direction before it is the others' turn
_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_RESET = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER of 0: close() sends a reset

Address = tuple[str, int]
Pipe = tuple[int, int]


class Pipes:
    """Empty pipes, lent and given back."""

    def __init__(self) -> None:
        self._spare: list[Pipe] = []
        self._lent = 0

    def lend(self) -> Pipe:
        """Raises ``OSError`` when the process has no descriptor left."""
        if self._spare:
            pipe = self._spare.pop()
        else:
            pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            if self._lent < WIDE:
                with contextlib.suppress(OSError):  # EPERM: over the user's share, pipe(7)
                    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIECE)
        self._lent += 1
        return pipe

    def give_back(self, pipe: Pipe, empty: bool) -> None:
        """What is in one that is not empty is lost."""
        self._lent -= 1
        if empty and len(self._spare) < SPARE:
            self._spare.append(pipe)
        else:
            os.close(pipe[0])
            os.close(pipe[1])


class Way:
    """One direction.  ``held``: bytes in its pipe.  ``over``: nothing more will come through."""

    __slots__ = ("_pipe", "_pipes", "broken", "held", "over", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket, pipes: Pipes) -> None:
        self.source, self.sink, self._pipes = source, sink, pipes
        self._pipe: Pipe | None = None
        self.held = 0
        self.over = self.broken = False

    def move(self) -> None:
        """Until there is nothing to read, no room to write, or it is the others' turn.

        ``over`` afterwards: the source has ended; or the sink takes no more, which is ``broken``.
        Raises ``OSError`` when the source was reset.
        """
        if self._pipe is None:
            self._pipe = self._pipes.lend()
        for turn in range(ROUNDS):
            if not self.held and not self._fill(self._pipe[1], first=turn == 0):
                break
            if not self._empty(self._pipe[0]):
                break
        if self.over or not self.held:
            self.close()

    def _fill(self, pipe: int, first: bool) -> bool:
        """Whether there is something in the pipe now.

        At a byte that was sent as urgent splice(2) stops for ever, as if nothing came after it:
        so where it has nothing, at first or at the end, one byte is read in the usual way.
        """
        try:
            self.held = os.splice(self.source.fileno(), pipe, PIECE, flags=_FLAGS)
        except BlockingIOError:
            if not first:
                return False
        if self.held == 0:
            try:
                self.held = os.write(pipe, self.source.recv(1))
            except BlockingIOError:
                return False
        self.over = self.held == 0
        return not self.over

    def _empty(self, pipe: int) -> bool:
        """Whether there is nothing left in it."""
        try:
            self.held -= os.splice(pipe, self.sink.fileno(), self.held, flags=_FLAGS)
        except BlockingIOError:
            return False
        except OSError:  # EPIPE, ECONNRESET: what it still has to say is the other way's business
            self.over = self.broken = True
        return self.held == 0

    def close(self) -> None:
        """Give the pipe back."""
        if self._pipe is not None:
            self._pipes.give_back(self._pipe, empty=not self.held)
            self._pipe, self.held = None, 0


class Connection:
    """A client, the container's socket, and the two ways between them.

    ``ended``: called once, when it is closed.  Raises ``OSError`` when the container
    cannot be reached at all; the client is the caller's then.
    """

    __slots__ = ("_back", "_client", "_ended", "_poller", "_target", "_there")

    def __init__(
        self,
        client: socket.socket,
        target: Address,
        poller: Poller,
        pipes: Pipes,
        ended: Callable[[Connection], None],
    ) -> None:
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        self._client, self._poller, self._ended = client, poller, ended
        self._target = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._there = Way(client, self._target, pipes)
        self._back = Way(self._target, client, pipes)
        try:
            error = self._target.connect_ex(target)
            if error not in (0, errno.EINPROGRESS):
                raise OSError(error, os.strerror(error))
            prepare(self._target)
            poller.watch(self._target.fileno(), OUT, self._on_connect)
        except OSError:
            self._target.close()
            raise

    def _on_connect(self, events: int) -> None:
        if self._target.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close(reset=True)
            return
        try:
            self._target.getpeername()
        except OSError:  # ENOTCONN: not yet, and this was told for nothing
            return
        self._look_after()

    def _on_client(self, events: int) -> None:
        self._advance(events, self._back, self._there)

    def _on_target(self, events: int) -> None:
        self._advance(events, self._there, self._back)

    def _advance(self, events: int, into: Way, out: Way) -> None:
        """One of the sockets is ready: write what is for it, and read what it has."""
        try:
            if into.held:
                self._move(into, out)
            if not out.over and not out.held:
                self._move(out, into)
            elif out.over and not into.over and events & BROKEN:
                into.over = into.broken = True  # gone, while there was nothing to write to it
        except OSError:
            self.close(reset=True)
            return
        if into.over and out.over:
            self.close(reset=into.broken or out.broken)
        else:
            self._look_after()

    def _move(self, way: Way, other: Way) -> None:
        way.move()
        # An end that is none (the rest could not be delivered) is not told as one.
        if way.over and not way.broken and not other.broken:
            with contextlib.suppress(OSError):  # ENOTCONN: it is gone already
                way.sink.shutdown(socket.SHUT_WR)

    def _look_after(self) -> None:
        self._watch(self._client, self._back, self._there, self._on_client)
        self._watch(self._target, self._there, self._back, self._on_target)

    def _watch(
        self, sock: socket.socket, into: Way, out: Way, handler: Callable[[int], None]
    ) -> None:
        """A socket that has not ended and must not be read now is not watched at all: its end
        would be told again and again."""
        reads = not out.over and not out.held
        events = (IN if reads else 0) | (OUT if into.held else 0)
        if events or out.over:
            self._poller.watch(sock.fileno(), events, handler)
        else:
            self._poller.forget(sock.fileno())

    def finish(self) -> None:
        """The container has ended: pass on what it said last, as far as that goes at once."""
        with contextlib.suppress(OSError):  # it was reset, or never connected
            for _ in range(8):  # which is more than a socket's buffer
                if not self._back.over:
                    self._move(self._back, self._there)
        self.close(reset=not self._back.over)

    def close(self, reset: bool) -> None:
        """``reset``: both ends learn that it did not end well."""
        for way in (self._there, self._back):
            way.close()
        for sock in (self._client, self._target):
            self._poller.forget(sock.fileno())
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
        self._ended(self)


def prepare(sock: socket.socket) -> None:
    """No waiting for more bytes to send at once; a peer that has vanished is noticed; urgent
    bytes are read like others (tcp(7), socket(7)).  What is set on a listener holds for the
    sockets that it accepts."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in (socket.SO_KEEPALIVE, socket.SO_OOBINLINE):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        sock.setsockopt(socket.IPPROTO_TCP, option, 15)


def refuse(client: socket.socket) -> None:
    """As if nobody listened."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.close()
