"""The contract of collectors."""

from __future__ import annotations

import asyncio
from typing import Any

from metaflow_core.api import Emitted, PacketBlock, RecordBatch, Resource, SegmentBlock, TickBlock
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["CollectorContract"]


class CollectorContract(ComponentContract):
    """Inherit and set ``factory`` (and ``options``); set :attr:`ends` for a collector of files."""

    ends: bool = False
    """True when ``run`` returns by itself, because its input ends."""

    def test_resources_touch_nothing(self, component: Any) -> None:
        """Validation asks for resources without privileges; the answer is a list of Resource."""
        assert all(isinstance(item, Resource) for item in component.resources())

    async def test_emits_only_what_may_be_emitted(self, component: Any) -> None:
        """Blocks, ticks and batches, nothing else; and it can be cancelled at once."""
        emitted: list[Emitted] = []

        async def emit(item: Emitted) -> None:
            emitted.append(item)

        await component.start()
        try:
            task = asyncio.create_task(component.run(emit))
            done, _ = await asyncio.wait([task], timeout=30 if self.ends else 0.3)
            if self.ends:
                assert done, "run() did not end although the input does"
                await task
            else:
                task.cancel()
                await asyncio.wait([task], timeout=10)
                assert task.done(), "run() does not end when it is cancelled"
        finally:
            await component.stop()
        assert all(isinstance(item, (PacketBlock, SegmentBlock, TickBlock, RecordBatch)) for item in emitted)

    async def test_waits_for_a_full_pipeline(self, component: Any) -> None:
        """While ``emit`` waits, nothing more is emitted, and stopping still works."""
        started = 0
        hold = asyncio.Event()

        async def emit(item: Emitted) -> None:
            nonlocal started
            started += 1
            await hold.wait()

        await component.start()
        task = asyncio.create_task(component.run(emit))
        # a collector of files emits for certain, if slowly; a live one may have nothing to emit
        for _ in range(500 if self.ends else 20):
            if started:
                break
            await asyncio.sleep(0.01)
        before = started
        await asyncio.sleep(0.2)
        assert started == before, "emit() was called again while the pipeline was full"
        hold.set()
        task.cancel()
        await asyncio.wait([task], timeout=10)
        await component.stop()
