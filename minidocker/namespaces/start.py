"""Fork the first process and walk it through its plan; learn how that went.

Runs in the starter.  Init reports over a socket that ``execve`` closes: the end
of the conversation after the last step's announcement means that the container's
program has taken over.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any

from minidocker.linux.messages import Channel
from minidocker.linux.plan import Step, StepFailed, perform
from minidocker.namespaces.explain import explain
from minidocker.namespaces.plan import Plan
from minidocker.namespaces.program import ExecProgram, exit_code
from minidocker.namespaces.trace import Trace


class LaunchFailed(Exception):
    """``answer`` is the monitor's: step, errno, one sentence, the exit code for the user."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["message"])
        self.answer = answer

    @classmethod
    def because(
        cls, message: str, number: int = 0, step: str = "", code: int = 125
    ) -> LaunchFailed:
        """Raise it with these; ``number`` is an errno."""
        answer = {"step": step, "errno": number, "message": message, "exit_code": code}
        return cls({"event": "failed", **answer})

    @classmethod
    def of(cls, failed: StepFailed) -> LaunchFailed:
        return cls.because(
            explain(failed.step, failed.error),
            failed.error.errno or 0,
            failed.step.describe(),
            _exit_code_of(failed),
        )


def _exit_code_of(failed: StepFailed) -> int:
    """As a shell: 127 there is no such program, 126 it cannot be run, 125 all else."""
    if not isinstance(failed.step, ExecProgram):
        return 125
    return 127 if failed.error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else 126


def start(
    plan: Plan, stdio: Sequence[int], report: socket.socket, inits: socket.socket, trace: Trace
) -> tuple[int, dict[str, list[int]]]:
    """Run the plan; returns init's pid, and the descriptors that it passed out: its
    ``terminal``'s master, the sockets of its ``names`` service.

    ``stdio``: three descriptors for the child, -1 where a terminal comes.  ``report``
    and ``inits`` are the two ends of the conversation.  Raises ``LaunchFailed``; then no
    process is left.
    """
    *before, fork = plan.starter
    try:
        perform(before, trace.add)
    except StepFailed as failed:
        failure = _failure(failed, trace)
        trace.save()
        raise failure from None
    began = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        _be_init(plan.init, stdio, inits, trace)
    trace.add(fork, began, time.monotonic_ns() - began)
    inits.close()
    try:
        passed = _listen(Channel(report), trace)
    except LaunchFailed:
        trace.save()
        _end(pid)
        raise
    except EOFError:
        code = _end(pid)
        why = f"it was killed by signal {code - 128}" if code > 128 else f"it exited with {code}"
        raise LaunchFailed.because(
            f"the container's first process ended before its program could start: {why}"
        ) from None
    trace.ended()
    trace.save()
    return pid, passed


def _listen(channel: Channel, trace: Trace) -> dict[str, list[int]]:
    """Init's report to its end: what it passes out; its steps go to ``trace``.

    Raises ``LaunchFailed``, and ``EOFError`` when init ended without a word.
    """
    passed: dict[str, list[int]] = {}
    ready = False
    while (received := channel.receive()) is not None:
        message, fds = received
        if "failed" in message and ready and trace.entries:
            trace.entries.pop()  # execve as it began; how it ended is among the steps now
        trace.entries += message.get("steps") or ()
        if fds:
            passed["terminal" if message.get("terminal") else "names"] = fds
        elif "failed" in message:
            raise LaunchFailed(message["failed"])
        else:
            ready = True
    channel.close()
    if not ready:
        raise EOFError
    return passed


def _be_init(
    steps: Sequence[Step], stdio: Sequence[int], inits: socket.socket, trace: Trace
) -> None:
    """The child: never returns."""
    channel = Channel(inits)
    try:
        for target, fd in enumerate(stdio):
            if fd >= 0:
                os.dup2(fd, target)
        trace.process_is("init")

        def done(step: Step, began: int, took: int) -> None:
            trace.add(step, began, took)
            if step is steps[-2]:  # execve is next, which cannot report its own success
                trace.begin(steps[-1])
                channel.send({"steps": trace.entries})
                trace.entries = []

        perform(steps, done)
    except StepFailed as failed:
        answer = _failure(failed, trace).answer
        channel.send({"failed": answer, "steps": trace.entries})
    except BaseException as error:  # a bug must not run on as a second monitor
        channel.send({"failed": LaunchFailed.because(f"internal error: {error!r}").answer})
    finally:
        os._exit(1)


def _failure(failed: StepFailed, trace: Trace) -> LaunchFailed:
    """Why, looked up in the very process that failed; the trace ends with this step."""
    failure = LaunchFailed.of(failed)
    took = time.monotonic_ns() - failed.began_ns
    trace.add(failed.step, failed.began_ns, took, str(failure))
    return failure


def _end(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _, status = os.waitpid(pid, 0)
    return exit_code(status)
