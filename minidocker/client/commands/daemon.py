"""``daemon run``, ``start``, ``stop``, ``status``: the daemon by hand."""

from __future__ import annotations

from minidocker.client import background
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.session import Session


def daemon_run(session: Session, values: Values, flags: list[str]) -> int:
    """Becomes the daemon: for ``minidocker -H ... daemon run``, which the entry point let by."""
    import os
    import sys

    os.execv(sys.executable, [sys.executable, "-m", "minidocker", "daemon", "run", *flags])


def only_by_flags(session: Session, command: str) -> None:
    """These go by where a daemon keeps its files, and must not mean another than was named."""
    if not session.embedded:
        raise Failed(
            f"daemon {command} does not go by -H or DOCKER_HOST, which name a socket: say where "
            f"the daemon lives, as in daemon {command} --exec-root DIR (or --pidfile FILE)"
        )


def daemon_start(session: Session, values: Values, flags: list[str]) -> int:
    only_by_flags(session, "start")
    running, text = background.status(flags)
    if running:
        raise Failed(f"the daemon is there already ({text})")
    background.start(flags, print)
    print(background.status(flags)[1])
    return 0


def daemon_stop(session: Session, values: Values, flags: list[str]) -> int:
    only_by_flags(session, "stop")
    background.stop(flags)
    print("stopped; containers that run go on")
    return 0


def daemon_status(session: Session, values: Values, flags: list[str]) -> int:
    """Exit code 0 when it answers, 1 when not."""
    only_by_flags(session, "status")
    running, text = background.status(flags)
    print(text)
    return 0 if running else 1


THEIRS = "[DAEMON FLAGS]"
DAEMON_RUN = Verb(THEIRS, daemon_run, theirs=True)
DAEMON_START = Verb(THEIRS, daemon_start, theirs=True)
DAEMON_STOP = Verb(THEIRS, daemon_stop, theirs=True)
DAEMON_STATUS = Verb(THEIRS, daemon_status, theirs=True)
