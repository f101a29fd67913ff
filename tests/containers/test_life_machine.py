"""Real containers under whatever order of commands: the table and the kernel must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.containers import state as life
from minidocker.errors import Conflict, NotModified
from tests.containers.harness import SLEEP, Daemon, Root, alive

Command = Callable[[Daemon, str], Awaitable[None]]
COMMANDS: dict[str, Command] = {
    life.START: lambda daemon, id: daemon.containers.start(id),
    life.STOP: lambda daemon, id: daemon.containers.stop(id, timeout=0),
    life.KILL: lambda daemon, id: daemon.containers.kill(id),
    life.PAUSE: lambda daemon, id: daemon.containers.pause(id),
    life.UNPAUSE: lambda daemon, id: daemon.containers.unpause(id),
}
ENDS = {life.STOP, life.KILL}


@pytest.mark.kernel
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=2, max_size=7))
def test_the_table_says_what_becomes_of_a_real_container(root: Root, events: list[str]) -> None:
    async def story(daemon: Daemon) -> None:
        id = daemon.create(*SLEEP)
        for event in events:
            before, pid = daemon.state(id).status, daemon.state(id).pid
            if not life.may(before, event):
                with pytest.raises((Conflict, NotModified)):
                    await COMMANDS[event](daemon, id)
                assert daemon.state(id).status == before
                continue
            await asyncio.wait_for(COMMANDS[event](daemon, id), 10)
            after = daemon.state(id)
            ended = event in ENDS
            assert after.status == (life.EXITED if ended else life.advance(before, event))
            assert (after.pid != 0) == (after.status in (life.RUNNING, life.PAUSED))
            if ended:
                assert not alive(pid)
                assert daemon.left(id) == [daemon.containers.directory(id)]
            else:
                assert alive(after.pid)

    root.play(story)
