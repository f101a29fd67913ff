"""The small parts of a pull: progress lines, claims, threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.images.claims import Claims
from minidocker.images.progress import Meter, Progress
from minidocker.images.threads import in_thread
from minidocker.images.transfer import skip


@given(st.lists(st.integers(1, 10**6), max_size=50))
def test_a_meter_tells_little_and_always_the_end(steps: list[int]) -> None:
    told: list[Progress] = []
    total = sum(steps)
    meter = Meter(told.append, "id", "Downloading", total)
    current = 0
    for step in steps:
        current += step
        meter.at(current)
    values = [each.current or 0 for each in told]
    assert values == sorted(values)
    assert len(values) <= 102
    assert not steps or values[-1] == total


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 35))
def test_skipping_drops_exactly_the_first_bytes(pieces: list[bytes], count: int) -> None:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def rest() -> bytes:
        return b"".join([piece async for piece in skip(source(), count)])

    assert asyncio.run(rest()) == b"".join(pieces)[count:]


@given(st.lists(st.lists(st.sampled_from("abc")), max_size=5))
def test_a_key_is_claimed_until_its_last_holder_leaves(holders: list[list[str]]) -> None:
    claims = Claims()
    open_blocks = [claims.holding(keys) for keys in holders]
    for block in open_blocks:
        block.__enter__()
    for index, block in enumerate(open_blocks):
        left = {key for keys in holders[index:] for key in keys}
        assert {key for key in "abc" if key in claims} == left
        block.__exit__(None, None, None)
    assert not any(key in claims for key in "abc")


def test_one_task_at_a_time_has_a_key() -> None:
    async def run() -> None:
        claims, inside = Claims(), 0

        async def enter(key: str) -> None:
            nonlocal inside
            async with claims.alone(key):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(enter("a") for _ in range(5)))
        async with claims.alone("a"), claims.alone("b"):
            pass

    asyncio.run(run())


def test_a_thread_gives_its_result_or_its_error() -> None:
    assert asyncio.run(in_thread(lambda: 3)) == 3
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 // 0))


@pytest.mark.parametrize("well", [True, False])
def test_who_cancels_waits_for_the_thread(well: bool) -> None:
    began, stop, ended = threading.Event(), threading.Event(), threading.Event()
    undone: list[int] = []

    def work() -> int:
        began.set()
        stop.wait(30)
        ended.set()
        return 3 if well else 1 // 0

    async def run() -> None:
        task = asyncio.create_task(in_thread(work, stop.set, undone.append))
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(run())
    assert undone == ([3] if well else [])
