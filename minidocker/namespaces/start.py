"""Fork the first process and walk it through its plan; learn how that went.

Runs in the monitor.  Init reports over a socket that ``execve`` closes: the end
of the conversation after the list of finished steps means that the container's
program has taken over.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from minidocker.linux.messages import Channel
from minidocker.linux.plan import StepFailed, Timed, perform
from minidocker.namespaces.explain import explain
from minidocker.namespaces.plan import Plan
from minidocker.namespaces.program import ExecProgram, exit_code


class LaunchFailed(Exception):
    """What the monitor answers: step, errno, one sentence, the exit code for the user."""

    def __init__(self, step: str, number: int, message: str, code: int) -> None:
        super().__init__(message)
        self.answer = {
            "event": "failed",
            "step": step,
            "errno": number,
            "message": message,
            "exit_code": code,
        }

    @classmethod
    def of(cls, failed: StepFailed) -> LaunchFailed:
        return cls(
            failed.step.describe(),
            failed.error.errno or 0,
            explain(failed.step, failed.error),
            _exit_code_of(failed),
        )


def _exit_code_of(failed: StepFailed) -> int:
    """As a shell: 127 there is no such program, 126 it cannot be run, 125 all else."""
    if not isinstance(failed.step, ExecProgram):
        return 125
    return 127 if failed.error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else 126


@dataclass
class Started:
    """A running first process.  ``terminal``: the pty's master, or -1."""

    pid: int
    terminal: int
    trace: list[Timed]


def start(plan: Plan, stdio: Sequence[int], report: socket.socket, inits: socket.socket) -> Started:
    """Run the plan.  ``stdio``: three descriptors for the child, -1 where a terminal comes.

    ``report`` and ``inits`` are the two ends of the conversation.  Raises
    ``LaunchFailed``; then no process is left.
    """
    trace: list[Timed] = []
    here = os.getpid()
    try:
        perform(plan.monitor[:-1], lambda *took: trace.append(Timed("monitor", here, *took)))
    except StepFailed as failed:
        raise LaunchFailed.of(failed) from None
    began = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        _be_init(plan, stdio, inits)
    fork_index = len(plan.monitor) - 1
    trace.append(Timed("monitor", here, fork_index, began, time.monotonic_ns() - began))
    inits.close()
    try:
        terminal, steps = _listen(Channel(report))
    except LaunchFailed:
        _end(pid)
        raise
    except EOFError:
        code = _end(pid)
        why = f"it was killed by signal {code - 128}" if code > 128 else f"it exited with {code}"
        raise LaunchFailed(
            "", 0, f"the container's first process ended before its program could start: {why}", 125
        ) from None
    ended = time.monotonic_ns()
    trace += [Timed("init", pid, *step) for step in steps]
    # The last step has no end of its own to report: the closed socket is its end.
    last = trace[-1]
    trace[-1] = Timed(last.process, last.pid, last.index, last.began_ns, ended - last.began_ns)
    return Started(pid, terminal, trace)


def _listen(channel: Channel) -> tuple[int, list[list[int]]]:
    """Init's report to its end: (terminal's master or -1, the steps as lists of numbers)."""
    terminal, steps = -1, None
    while (received := channel.receive()) is not None:
        message, fds = received
        if message.get("terminal"):
            terminal = fds[0]
        elif "failed" in message:
            answer = message["failed"]
            raise LaunchFailed(
                answer["step"], answer["errno"], answer["message"], answer["exit_code"]
            )
        else:
            steps = message["steps"]
    channel.close()
    if steps is None:
        raise EOFError
    return terminal, steps


def _be_init(plan: Plan, stdio: Sequence[int], inits: socket.socket) -> None:
    """The child: never returns."""
    channel = Channel(inits)
    steps: list[tuple[int, int, int]] = []
    last = len(plan.init) - 1
    try:
        for target, fd in enumerate(stdio):
            if fd >= 0:
                os.dup2(fd, target)

        def done(*took: int) -> None:
            steps.append((took[0], took[1], took[2]))
            if took[0] == last - 1:  # all but execve, which cannot report its own success
                steps.append((last, time.monotonic_ns(), 0))
                channel.send({"steps": steps})

        perform(plan.init, done)
    except StepFailed as failed:
        answer = LaunchFailed.of(failed).answer
        channel.send({"failed": answer})
    except BaseException as error:  # a bug must not run on as a second monitor
        channel.send({"failed": LaunchFailed("", 0, f"internal error: {error!r}", 125).answer})
    finally:
        os._exit(1)


def _end(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _, status = os.waitpid(pid, 0)
    return exit_code(status)


def trace_entries(plan: Plan, trace: Sequence[Timed]) -> list[dict[str, Any]]:
    """What ``--explain`` prints: each performed step in words, with its time."""
    steps = {"monitor": plan.monitor, "init": plan.init}
    entries = []
    for timed in trace:
        step = steps[timed.process][timed.index]
        entries.append({**asdict(timed), "text": step.describe(), "chapter": step.chapter})
    return entries
