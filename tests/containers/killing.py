"""The deaths of daemons, monitors and containers, each waited for.

A daemon that is to be killed lives in a child process.  The container that is looked
for in its records is called "it".
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import select
import signal
from collections.abc import Iterator

from minidocker.containers.container import Container, State
from tests.containers.harness import Root, Story
from tests.support.processes import monitor_of


def killed(root: Root, story: Story, after: float | None = None) -> None:
    """Do ``story`` with a daemon that gets SIGKILL when it is over, or ``after`` seconds."""
    done, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(done)
            asyncio.run(until_killed(root, story, told))
        finally:
            os._exit(1)
    os.close(told)
    try:
        os.read(done, 1)
        if after is None:
            os.read(done, 1)
        else:
            signal.sigtimedwait([], after)
    finally:
        os.close(done)
        os.kill(child, signal.SIGKILL)
        _, how = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(how) == -signal.SIGKILL, "the story failed"


async def until_killed(root: Root, story: Story, told: int) -> None:
    """Ready, then done, is told by a letter."""
    async with root.daemon() as daemon:
        os.write(told, b"r")
        await story(daemon)
        os.write(told, b"d")
        await asyncio.sleep(60)


def record(root: Root, state: State | None = None) -> Container:
    """What the killed daemon wrote down of the container "it"; with ``state``, that from now on."""
    with root.store() as store:
        it = store.get("it")
        return it if state is None else store.save(dataclasses.replace(it, state=state))


def pid_of(root: Root) -> int:
    return record(root).state.pid


def kill(pid: int) -> None:
    """When this returns it is dead."""
    with deaths(pid):
        os.kill(pid, signal.SIGKILL)


def end(pid: int) -> None:
    """Kill a container's first process."""
    with ending(pid):
        os.kill(pid, signal.SIGKILL)


def ending(pid: int) -> contextlib.AbstractContextManager[None]:
    """The block ends a container; at its end the monitor has written that down."""
    return deaths(pid, monitor_of(pid))


@contextlib.contextmanager
def deaths(*pids: int) -> Iterator[None]:
    """The block brings them about; at its end they are waited for."""
    with contextlib.ExitStack() as stack:
        pidfds = [os.pidfd_open(pid) for pid in pids]
        for pidfd in pidfds:
            stack.callback(os.close, pidfd)
        yield
        for pidfd in pidfds:
            assert select.select([pidfd], [], [], 10)[0], "it does not die"
