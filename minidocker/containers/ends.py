"""How the end of a container is learned of: by its event, its pidfd, its exit file."""

from __future__ import annotations

import asyncio
import json
import select

from minidocker.containers.core import Core, Run

UNKNOWN_EXIT = 255  # the exit code of a container that ended while nobody was looking


async def ended_within(run: Run, seconds: float | None) -> bool:
    """Whether it ended in time; None waits for ever."""
    try:
        await asyncio.wait_for(run.ended.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def until_dead(pidfd: int) -> None:
    """A pidfd is readable once its process has ended (pidfd_open(2))."""
    loop = asyncio.get_running_loop()
    dead: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, wake, dead)
    try:
        await dead
    finally:
        loop.remove_reader(pidfd)


def is_dead(pidfd: int) -> bool:
    """Also of one whose end has been dealt with: its descriptor is given back."""
    return pidfd < 0 or bool(select.select([pidfd], [], [], 0)[0])


def wake(future: asyncio.Future[None]) -> None:
    """Let who waits for ``future`` go on."""
    if not future.done():
        future.set_result(None)


def read_exit(core: Core, id: str) -> tuple[int, int] | None:
    """(exit code, Unix nanoseconds) from the file that the monitor left, if it did."""
    try:
        written = json.loads(core.places.exit_file(id).read_text())
        return int(written["code"]), int(written["at"])
    except (OSError, ValueError, KeyError):
        return None
