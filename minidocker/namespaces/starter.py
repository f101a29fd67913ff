"""The short-lived process between a monitor and its container: it makes, the monitor keeps.

Whatever a process reads and builds on its way stays in its memory: a page that it
has written to is no longer shared with the launcher.  So the monitor, which lives
as long as the container, does as little as it can, and a child of its own does the
rest: it reads the request, makes the plan and the descriptors, forks init, hands
over what is to be kept, and ends.  Init, an orphan then, goes to the nearest ancestor
that said it takes orphans (prctl(2), PR_SET_CHILD_SUBREAPER): the monitor.

An exec's monitor lives no longer than the exec, which people wait for: it saves the
fork and starts it itself.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.linux import flags, syscalls
from minidocker.linux.messages import Channel, listen_unix, receive_fds
from minidocker.linux.netlink import RouteSocket
from minidocker.namespaces.logfile import open_log
from minidocker.namespaces.plan import plan_of
from minidocker.namespaces.rewire import rewire
from minidocker.namespaces.roots import hold_root
from minidocker.namespaces.start import LaunchFailed, start
from minidocker.namespaces.trace import Trace

KEPT = ("id", "exit_file", "socket", "stdin_once", "log", "clients")
"""What of the request concerns the monitor after the start."""

Announce = Callable[[int, str | None], None]

LONGEST = 1 << 18  # bytes of what the starter tells the monitor


@dataclass(frozen=True)
class Started:
    """What a monitor begins with.

    ``keep``: the request's ``KEPT``.  ``fds``: descriptors by name, as far as there are:
    stdin, stdout, stderr (our ends), terminal, log, listener.  ``clients``: one
    descriptor for each of ``keep["clients"]``.
    """

    pid: int
    keep: Mapping[str, Any]
    fds: Mapping[str, int]
    clients: Sequence[int]


def start_apart(link: Channel, announce: Announce) -> Started | None:
    """Have a child start the container, and become init's parent.

    ``link``: where the request comes from, and where the child says that it has, or why it
    could not; None is returned then.  ``announce(pid, exit_file)`` is called in the child.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    syscalls.prctl(flags.PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        ours.close()
        _be_starter(link, announce, theirs)
    theirs.close()
    data, fds = receive_fds(ours, LONGEST)
    ours.close()
    os.waitpid(child, 0)  # it has ended, so init is ours
    if not data:
        _end_orphans()
    # Orphans of a container in the host's pid namespace are the launcher's again.
    syscalls.prctl(flags.PR_SET_CHILD_SUBREAPER, 0)
    if not data:
        return None
    pid, keep, names = marshal.loads(data)  # a child's, of the same Python, and no code of ours
    by_name = dict(zip(names, fds[: len(names)], strict=True))
    return Started(pid, keep, by_name, fds[len(names) :])


def _end_orphans() -> None:
    """A starter that was killed may have left an init that nobody knows, and it is ours now."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        for pid in map(int, file.read().split()):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _be_starter(link: Channel, announce: Announce, monitor: socket.socket) -> None:
    """The child: never returns."""
    try:
        started = start_here(link, announce)
        if started is not None:
            told = marshal.dumps((started.pid, dict(started.keep), list(started.fds)))
            socket.send_fds(monitor, [told], [*started.fds.values(), *started.clients])
    finally:
        os._exit(0)


def start_here(link: Channel, announce: Announce) -> Started | None:
    """Do what the request on ``link`` asks for, in this process, and say so there."""
    try:
        received = link.receive()
        if received is None:
            return None
        request, fds = received
        if request["op"] == "root":
            hold_root(link, request)
            return None
        if request["op"] == "rewire":
            rewire(link, request, fds[0])
            return None
        first_client = len(fds) - len(request.get("clients") or ())
        lent, clients = fds[:first_client], fds[first_client:]
        pid, made, names = _start(request, lent)
        announce(pid, request.get("exit_file"))
        # The daemon first: from here on it would notice if the monitor never came to be.
        own = [os.pidfd_open(pid), *names]
        link.send({"event": "started", "pid": pid}, own)
        for fd in (*own, *lent):
            os.close(fd)
        return Started(pid, {name: request.get(name) for name in KEPT}, made, clients)
    except LaunchFailed as failed:
        link.send(failed.answer)
    except BaseException as error:  # a bug must not look like a starter that was killed
        number, why = (error.errno or 0, error) if isinstance(error, OSError) else (0, repr(error))
        link.send(LaunchFailed.because(f"the start failed: {why}", number).answer)
    return None


def _start(
    request: Mapping[str, Any], lent: Sequence[int]
) -> tuple[int, dict[str, int], list[int]]:
    """Init's pid, the monitor's descriptors as ``Started`` names them, and the daemon's.

    ``lent``: the pidfds of the containers whose namespaces are shared.  When it fails, no
    socket is left to be found.
    """
    process = request.get("process") or request["spec"]["process"]
    theirs, ours = _streams(bool(process.get("terminal")), bool(request.get("open_stdin")))
    report, inits = socket.socketpair()
    route = RouteSocket()  # while this is still the host's network namespace
    plan = plan_of(request, lent, inits.fileno(), route.fileno())
    trace = Trace(request.get("trace_file"))
    path = request.get("socket")
    listener = listen_unix(path).detach() if path else -1
    try:
        log = open_log(request.get("log") or {"driver": "none"})
        pid, passed = start(plan, theirs, report, inits, trace)
    except BaseException:  # whatever it was, nobody may find the socket
        if path:
            os.unlink(path)
        raise
    for fd in {fd for fd in theirs if fd >= 0}:
        os.close(fd)
    route.close()
    (terminal,) = passed.get("terminal", [-1])
    made = {**ours, "terminal": terminal, "log": log, "listener": listener}
    return pid, {name: fd for name, fd in made.items() if fd >= 0}, passed.get("names", [])


def _streams(terminal: bool, open_stdin: bool) -> tuple[list[int], dict[str, int]]:
    """The child's three descriptors, and our ends of them (-1: there is none)."""
    if terminal:
        return [-1, -1, -1], {}
    stdin = os.pipe() if open_stdin else (os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1)
    stdout, stderr = os.pipe(), os.pipe()
    ours = {"stdin": stdin[1], "stdout": stdout[0], "stderr": stderr[0]}
    return [stdin[0], stdout[1], stderr[1]], ours
