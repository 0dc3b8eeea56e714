"""Handing on from a thread: waits for room, gives up at the end, and knows when nobody is left."""

from __future__ import annotations

import asyncio
import threading

import pytest

from metaflow_core.api import EmitEnded, Emitted, ThreadEmit, TickBlock
from metaflow_core.pipeline import BoundedQueue

_ITEM = TickBlock(1)


async def test_what_is_taken_is_told() -> None:
    taken: list[Emitted] = []

    async def emit(item: Emitted) -> None:
        taken.append(item)

    assert await asyncio.to_thread(ThreadEmit(emit, threading.Event()), _ITEM)
    assert taken == [_ITEM]


async def test_a_thread_waits_for_room_as_long_as_nobody_stops_it() -> None:
    room, started = asyncio.Event(), asyncio.Event()

    async def emit(item: Emitted) -> None:
        started.set()
        await room.wait()

    waiting = asyncio.create_task(asyncio.to_thread(ThreadEmit(emit, threading.Event()), _ITEM))
    await started.wait()
    await asyncio.sleep(0.5)  # longer than it looks around
    assert not waiting.done()
    room.set()
    assert await waiting


async def test_a_pipeline_that_takes_nothing_does_not_keep_the_end_waiting() -> None:
    cancelled, stopping = asyncio.Event(), threading.Event()

    async def emit(item: Emitted) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(asyncio.to_thread(ThreadEmit(emit, stopping, last_wait_s=0.01), _ITEM))
    await asyncio.sleep(0.01)
    stopping.set()
    assert not await waiting
    await cancelled.wait()


@pytest.mark.parametrize("problem", [TimeoutError("of a storage"), ValueError("of an engine")])
async def test_errors_of_the_pipeline_come_as_they_are(problem: Exception) -> None:
    async def emit(item: Emitted) -> None:
        raise problem

    with pytest.raises(type(problem), match=str(problem)):
        await asyncio.to_thread(ThreadEmit(emit, threading.Event()), _ITEM)


async def test_a_closed_pipeline_has_ended() -> None:
    queue: BoundedQueue[Emitted] = BoundedQueue(1, 1)
    queue.close()

    async def emit(item: Emitted) -> None:
        await queue.put(item, 1)

    with pytest.raises(EmitEnded, match="takes nothing more"):
        await asyncio.to_thread(ThreadEmit(emit, threading.Event()), _ITEM)


def test_a_closed_loop_has_ended() -> None:
    async def emit(item: Emitted) -> None: ...

    async def begin() -> ThreadEmit:
        return ThreadEmit(emit, threading.Event())

    hand = asyncio.run(begin())
    with pytest.raises(EmitEnded, match="event loop has ended"):
        hand(_ITEM)


async def test_a_cancelled_pipeline_has_ended() -> None:
    holder: list[asyncio.Task[None] | None] = []
    began = asyncio.Event()

    async def emit(item: Emitted) -> None:
        holder.append(asyncio.current_task())
        began.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(asyncio.to_thread(ThreadEmit(emit, threading.Event()), _ITEM))
    await began.wait()
    [task] = holder
    assert task is not None
    task.cancel()
    with pytest.raises(EmitEnded, match="cancelled"):
        await waiting
