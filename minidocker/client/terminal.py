"""The user's terminal: its size, raw mode and back, and the keys that detach from a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from minidocker.client.commandline import Failed
from minidocker.errors import InvalidParameter

DEFAULT_KEYS = "ctrl-p,ctrl-q"


def size(fd: int) -> tuple[int, int]:
    """Rows and columns of the terminal ``fd``; (0, 0) when it is none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return 0, 0
    return rows, columns


def check(stdin: bool, tty: bool) -> None:
    """Raise ``Failed``, as Docker does, when a terminal is wanted and stdin is none."""
    if stdin and tty and not os.isatty(0):
        raise Failed("the input device is not a TTY")


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Every byte goes through as typed, and nothing is echoed, inside the block only."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def parse_keys(text: str) -> bytes:
    """``ctrl-p,ctrl-q`` -> the bytes that those keys send.  "" means no keys at all.

    A key is one character, or ``ctrl-`` and one of ``a``-``z @ [ \\ ] ^ _``.
    """
    return bytes(_key(key, text) for key in text.split(",")) if text else b""


def _key(key: str, text: str) -> int:
    if len(key) == 1 and key.isascii():
        return ord(key)
    name, letter = key[:5], key[5:].upper()
    if name != "ctrl-" or len(letter) != 1 or not "@" <= letter <= "_":
        raise InvalidParameter(f"invalid detach keys ({text}): Unknown character: '{key}'")
    return ord(letter) - ord("@")


class KeyWatch:
    """Notices that the whole sequence ``keys`` has been typed; what is typed goes on unchanged.

    The daemon lets go of us at these keys; watching too tells that end from the program's.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys, self._at = keys, 0
        self.seen = False

    def feed(self, data: bytes) -> None:
        """``data`` was typed."""
        for byte in data if self._keys and not self.seen else b"":
            if byte != self._keys[self._at]:
                self._at = 0
            if byte == self._keys[self._at]:
                self._at += 1
            if self._at == len(self._keys):
                self.seen = True
                return
