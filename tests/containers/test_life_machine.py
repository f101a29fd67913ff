"""Real containers under whatever order of commands: the table and the kernel must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidocker.containers import state as life
from minidocker.errors import Conflict, NotModified
from tests.containers.home import Engine, Home, alive

Command = Callable[[Engine, str], Awaitable[None]]
COMMANDS: dict[str, Command] = {
    life.START: lambda engine, id: engine.containers.start(id),
    life.STOP: lambda engine, id: engine.containers.stop(id, timeout=0),
    life.KILL: lambda engine, id: engine.containers.kill(id),
    life.PAUSE: lambda engine, id: engine.containers.pause(id),
    life.UNPAUSE: lambda engine, id: engine.containers.unpause(id),
}
ENDS = {life.STOP, life.KILL}


@pytest.mark.kernel
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=2, max_size=7))
def test_the_table_says_what_becomes_of_a_real_container(home: Home, events: list[str]) -> None:
    async def story(engine: Engine) -> None:
        id = engine.create("sleep", "1000")
        for event in events:
            before, pid = engine.state(id).status, engine.state(id).pid
            if not life.may(before, event):
                with pytest.raises((Conflict, NotModified)):
                    await COMMANDS[event](engine, id)
                assert engine.state(id).status == before
                continue
            await asyncio.wait_for(COMMANDS[event](engine, id), 10)
            after = engine.state(id)
            ended = event in ENDS
            assert after.status == (life.EXITED if ended else life.advance(before, event))
            assert (after.pid != 0) == (after.status in (life.RUNNING, life.PAUSED))
            if ended:
                assert not alive(pid)
                assert engine.left(id) == [str(engine.containers.directory(id))]
            else:
                assert alive(after.pid)

    home.tell(story)
