"""The conversation around a container in the foreground: wait, attach, start, resize, its end.

The order matters.  The waiter is registered and the streams are attached
before the start, so that neither the first byte nor the end of a program that
lives for a millisecond is missed.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from minidocker.client import terminal
from minidocker.client.commandline import Failed
from minidocker.client.connection import ApiError, Connection, Raw, Reply
from minidocker.client.session import Session
from minidocker.client.streams import Pump, caught_signals
from minidocker.errors import MinidockerError

Json = dict[str, Any]


class Foreground(NamedTuple):
    """Which of a container's streams are ours.  ``keys``: what ``--detach-keys`` said."""

    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool
    keys: str | None = None
    proxy: bool = True

    @property
    def key_bytes(self) -> bytes:
        return terminal.parse_keys(terminal.DEFAULT_KEYS if self.keys is None else self.keys)


def attach(session: Session, id: str, ends: Foreground, *, logs: bool = False) -> Raw:
    """Connect to the streams of ``id`` (ContainerAttach)."""
    ends.key_bytes  # noqa: B018  refuses bad keys before anything is asked
    return session.another().hijack(
        f"/containers/{id}/attach",
        stream=True,
        stdin=ends.stdin or None,
        stdout=ends.stdout or None,
        stderr=ends.stderr or None,
        logs=logs or None,
        detachKeys=ends.keys,
    )


class Ending:
    """A registered wait: how the container ends, told once."""

    def __init__(self, session: Session, id: str, condition: str) -> None:
        self._connection = session.another()
        self._reply: Reply = self._connection.ask(
            "POST", f"/containers/{id}/wait", condition=condition
        )

    def code(self) -> int:
        """Block until the end; the exit code.  Raises ``Failed`` if the daemon lost it."""
        # The answer is known before the daemon ends it, for which it may find no time.
        end: Json = next(self._reply.messages(), {})
        self._connection.close()
        if "StatusCode" not in end:
            raise Failed("the daemon ended before it could tell the exit code", 125)
        if (end.get("Error") or {}).get("Message"):
            raise Failed(end["Error"]["Message"], 125)
        return int(end["StatusCode"])

    def wait_a_little(self, seconds: float) -> None:
        """Until the end, or for so long: after a failed start, for its removal."""
        self._connection.open().settimeout(seconds)
        with contextlib.suppress(MinidockerError):
            self._reply.read()
        self._connection.close()


def converse(
    daemon: Connection, raw: Raw, ends: Foreground, resize: str, kill: str | None, begin: Begin
) -> bool:
    """Be the container's terminal until its streams end.  True if the user has detached.

    ``begin`` starts it, once signals are caught.  ``resize``: the path to tell the terminal's
    size to.  ``kill``: the path that takes signals; None keeps them from it, and then
    SIGTERM, SIGHUP and SIGINT end us (``Failed``), after the terminal is as it was.
    """

    def size() -> None:
        rows, columns = terminal.size(1)
        if rows and columns:
            with contextlib.suppress(ApiError):  # it may have ended, or not begun
                daemon.ask("POST", resize, h=rows, w=columns).read()

    def on_signal(number: int) -> None:
        if number == signal.SIGWINCH:
            if ends.tty:
                size()
        elif kill is not None:
            name = signal.Signals(number).name
            with contextlib.suppress(ApiError):  # it may have ended meanwhile
                daemon.ask("POST", kill, signal=name).read()
        elif number not in (signal.SIGCONT, signal.SIGTSTP):
            raise Failed("", 128 + number)

    with contextlib.ExitStack() as stack:
        stack.callback(raw.sock.close)
        wake = stack.enter_context(caught_signals())
        if ends.stdin and ends.tty:
            stack.enter_context(terminal.raw(0))
        begin()
        if ends.tty:
            size()
        pump = Pump(
            raw,
            tty=ends.tty,
            stdin=0 if ends.stdin else None,
            keys=ends.key_bytes if ends.stdin else b"",
            wake=wake,
            on_signal=on_signal,
        )
        return pump.run()


Begin = Callable[[], None]
