"""Processes for a cgroup: forked, put into it, and only then told what to do.

Needs the standard library only, since the same tests run in a guest that has
nothing else.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from minidocker.cgroups import Cgroup, files

PATIENCE = 20.0  # seconds; far beyond what anything here takes


class Child:
    """A forked process that waits, runs one function at a time, and answers with its result."""

    def __init__(self) -> None:
        task_in, self._task = os.pipe()
        self._answer, answer_in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._task)
            os.close(self._answer)
            _serve(task_in, answer_in)
        os.close(task_in)
        os.close(answer_in)

    def join(self, cgroup: Cgroup) -> Child:
        for file in cgroup.procs_files():
            files.write(file, str(self.pid))
        return self

    def begin(self, task: Callable[[], Any]) -> None:
        """``task`` is a function of a module: it goes through pickle."""
        os.write(self._task, pickle.dumps(task))

    def answers(self, seconds: float = PATIENCE) -> bool:
        """Whether an answer, or its end, comes within that time."""
        return bool(select.select([self._answer], [], [], seconds)[0])

    def result(self) -> Any:
        """What the task returned.  An ``OSError`` that it raised is returned too."""
        assert self.answers(), f"process {self.pid} does not answer"
        data = os.read(self._answer, 65536)
        assert data, f"process {self.pid} ended: {self.status()}"
        return pickle.loads(data)

    def run(self, task: Callable[[], Any]) -> Any:
        self.begin(task)
        return self.result()

    def status(self) -> int:
        """Wait for its end; the exit code, or minus the signal."""
        assert self.answers(), f"process {self.pid} does not end"
        if self.pid:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.pid = 0
        return self._status

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self._task)
        os.close(self._answer)


@contextlib.contextmanager
def children(count: int = 1) -> Iterator[list[Child]]:
    """Some of them; killed and reaped at the end, in whatever state they are.

    A frozen one does not die before it is thawed: leave the ``with`` of the
    group first, whose end kills and thaws.
    """
    started = [Child() for _ in range(count)]
    try:
        yield started
    finally:
        for child in started:
            child.close()


def _serve(tasks: int, answers: int) -> None:
    """The child: never returns."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while data := os.read(tasks, 65536):
            try:
                result = pickle.loads(data)()
            except OSError as error:
                result = error
            os.write(answers, pickle.dumps(result))
    except BaseException:  # whatever it is, a forked copy of the test run must end here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
