"""The daemon's end of the conversation with the launcher and the monitors.

One JSON message a line over a UNIX socket, descriptors beside it
(``linux/messages.py``).  A request to the launcher turns the connection into
the link to the new monitor; a monitor of before the daemon's restart is
reached by its own socket and greets with "running".
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidocker.linux.messages import Channel

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


@dataclass(frozen=True)
class Client:
    """Someone at the other end of a hijacked connection.

    ``fd``: its socket, which the monitor will read and write directly.
    ``framed``: wrap the output in Docker's 8-byte stream frames.
    ``early``: bytes of its standard input that were read already.
    """

    fd: int
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    detach_keys: str = ""
    framed: bool = True
    early: bytes = b""

    def to_message(self) -> dict[str, Any]:
        """As the launch protocol has it; the descriptor travels beside it."""
        return {
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "detach_keys": self.detach_keys or DEFAULT_DETACH_KEYS,
            "framed": self.framed,
            "early": base64.b64encode(self.early).decode(),
        }
