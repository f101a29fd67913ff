"""The daemon in the background: start it, wait until it is ready, stop it, ask how it is.

The client starts one by itself when there is none: the embedded default.  The
daemon is a process group of its own (setsid), writes <data-root>/daemon.log,
and says on a pipe that it is ready, so nobody polls.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minidocker.client.commandline import Failed
from minidocker.client.connection import Connection
from minidocker.errors import MinidockerError
from minidocker.wire.http import Address, UnixAddress, parse_address

DATA_ROOT, EXEC_ROOT = "/var/lib/minidocker", "/run/minidocker"
PATIENCE = 10.0  # seconds until a daemon must be ready, or gone

Say = Callable[[str], None]


@dataclass(frozen=True)
class Where:
    """What the daemon's own flags say about its places; the rest of them does not matter here."""

    data_root: Path
    pidfile: Path
    address: Address

    @property
    def log(self) -> Path:
        return self.data_root / "daemon.log"


def places(flags: Sequence[str]) -> Where:
    """Where a daemon that is started with ``flags`` lives (dockerd's names: --data-root, ...)."""
    exec_root = _flag(flags, "--exec-root") or EXEC_ROOT
    host = _flag(flags, "-H", "--host") or f"unix://{exec_root}/minidocker.sock"
    return Where(
        Path(_flag(flags, "--data-root") or DATA_ROOT),
        Path(_flag(flags, "-p", "--pidfile") or f"{exec_root}/minidocker.pid"),
        parse_address(host),
    )


def _flag(flags: Sequence[str], *names: str) -> str | None:
    """The value of the first of ``flags`` that bears one of ``names``."""
    for at, flag in enumerate(flags):
        name, given, value = flag.partition("=")
        if name in names:
            return value if given else "".join(flags[at + 1 : at + 2])
        for short in names:
            if len(short) == 2 and flag.startswith(short):
                return flag[2:]
    return None


def start(flags: Sequence[str], say: Say) -> None:
    """Start a daemon with ``flags`` and return when it answers.

    Raises ``Failed`` with the end of its log when it does not within ten seconds.
    """
    if os.geteuid() != 0:
        raise Failed(
            "minidocker needs root to make namespaces, mounts and cgroups: "
            "run it with sudo, or name a daemon with -H or DOCKER_HOST"
        )
    where = places(flags)
    say(f"minidocker: starting a daemon (data in {where.data_root}, log in {where.log})")
    try:
        where.data_root.mkdir(mode=0o711, parents=True, exist_ok=True)
        log = os.open(where.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failed(f"cannot write the daemon's log {where.log}: {error.strerror}") from error
    begin = os.fstat(log).st_size
    ready, tell = os.pipe()
    command = [sys.executable, "-m", "minidocker", "daemon", "run", *flags, "--ready-fd", str(tell)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[tell],
            cwd="/",
            env=_environment(),
        )
    finally:
        os.close(tell)
        os.close(log)
    if not _ready(ready):
        if process.poll() is None and process.wait(1) is None:
            process.terminate()
        raise Failed(f"the daemon did not come up: {last_words(where.log, begin)}")


def _environment() -> dict[str, str]:
    """The daemon starts in /, so a package that was found in the working directory is named."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, path)))}


def _ready(pipe: int) -> bool:
    """Whether the word came on ``pipe`` (which is closed) in time: an end without it is a no."""
    try:
        return bool(select.select([pipe], [], [], PATIENCE)[0] and os.read(pipe, 64))
    finally:
        os.close(pipe)


def last_words(log: Path, begin: int = 0) -> str:
    """The last line that a daemon wrote to ``log`` after byte ``begin``."""
    with open(log, "rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    words = lines[-1].removeprefix("minidocker daemon: ") if lines else "it said nothing"
    return f"{words} (log: {log})"


def stop(flags: Sequence[str]) -> None:
    """End the daemon (its containers go on); returns when it is gone.  Raises ``Failed``."""
    where = places(flags)
    pid = running(where)
    if pid is None:
        raise Failed(f"no daemon is running (there is no living process in {where.pidfile})")
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], PATIENCE)[0]:
            raise Failed(f"the daemon (pid {pid}) does not end; see {where.log}")
    finally:
        os.close(handle)


def running(where: Where) -> int | None:
    """The daemon's pid, if the pidfile names a process that lives and is a daemon."""
    try:
        pid = int(where.pidfile.read_text())
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"minidocker" in line else None


def status(flags: Sequence[str]) -> tuple[bool, str]:
    """Whether it answers, and a sentence about it."""
    where = places(flags)
    pid = running(where)
    began = time.monotonic()
    try:
        with Connection(where.address) as connection:
            connection.ask("GET", "/_ping").read()
    except MinidockerError as error:
        return False, f"not running: {error}" if pid is None else f"pid {pid}, but: {error}"
    took = (time.monotonic() - began) * 1000
    place = where.address.path if isinstance(where.address, UnixAddress) else str(where.address)
    return True, f"running: pid {pid}, answers on {place} in {took:.0f} ms, log in {where.log}"
