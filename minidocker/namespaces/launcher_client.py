"""The daemon's side of the launcher: start one, or take over the one that is there.

Apart from ``launcher.py``, which imports as little as it can: what the launcher has in
memory, every monitor has too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import Any

import minidocker
from minidocker.linux.messages import Channel, connect_unix, listen_unix
from minidocker.namespaces.edition import edition
from minidocker.namespaces.interpreter import sealed_copy


def start_launcher(exec_root: str | os.PathLike[str]) -> Channel:
    """Connect to the launcher of ``exec_root``, starting one if none lives there.

    Returns the connection that keeps it: when the last one is closed and no
    container is left, the launcher ends.  A launcher of another ``edition`` is left to
    its containers, and a new one takes its place.  Blocks until it is warm.
    """
    path = os.path.join(exec_root, "launcher.sock")
    with contextlib.suppress(OSError):
        channel = Channel(connect_unix(path))
        if _hello(channel).get("version") == edition():
            return channel
        channel.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = listen_unix(path)
    try:
        _spawn(listener)
        channel = Channel(connect_unix(path))
    finally:
        listener.close()
    _hello(channel)
    return channel


def _hello(channel: Channel) -> dict[str, Any]:
    channel.send({"op": "hello"})
    received = channel.receive()
    if received is None:
        raise ConnectionError("the launcher ended while it started; is this Python complete?")
    return received[0]


def _spawn(listener: socket.socket) -> None:
    """Start the launcher from a sealed copy of this interpreter, with nothing of our environment.

    ``-I -S``: no site-packages, no user's paths; it needs the standard library only.
    """
    package_parent = os.path.dirname(os.path.dirname(os.path.abspath(minidocker.__file__)))
    code = (
        f"import sys; sys.path.insert(0, {package_parent!r}); "
        f"from minidocker.namespaces.launcher import main; main({listener.fileno()})"
    )
    copy = sealed_copy(os.path.realpath(sys.executable))
    try:
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            executable=f"/proc/self/fd/{copy}",
            pass_fds=(copy, listener.fileno()),
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(copy)
