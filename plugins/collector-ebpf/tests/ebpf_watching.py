"""A collector that runs in a thread of its own, so that tests can use blocking clients and servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ebpf_segments import Segment, read_block
from metaflow_collector_ebpf.collector import EbpfCollector
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.probe import examine

from metaflow_core.api import Kind, SegmentBlock
from metaflow_core.testing import build_context


class Watching:
    def __init__(self, options: dict[str, Any]) -> None:
        self.reports: list[tuple[str, str]] = []
        self.context = build_context(Kind.COLLECTOR, "ebpf", reports=self.reports)
        self.collector = EbpfCollector(self.context, EbpfConfig.model_validate(options))
        self.blocks: list[SegmentBlock] = []
        self._segments: list[Segment] = []
        self._read = 0
        self._since = 0
        self.hold: float = 0.0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        async def emit(item: Any) -> None:
            if self.hold:
                await asyncio.sleep(self.hold)
            if isinstance(item, SegmentBlock):
                self.blocks.append(item)

        try:
            await self.collector.start()
        except BaseException as error:
            self._failed = error
            self._ready.set()
            return
        self._task = asyncio.ensure_future(self.collector.run(emit))
        self._ready.set()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.collector.stop()

    def start(self) -> None:
        self._thread.start()
        # bcc compiles for ten seconds on a free processor
        assert self._ready.wait(240), "the collector has not started in four minutes"
        if self._failed:
            self._thread.join()
            raise self._failed

    def stop(self) -> None:
        if self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(240)
        self._loop.close()

    def forget(self) -> None:
        """Look at nothing that happened until now, also when the kernel tells it later."""
        self._since = time.time_ns()
        self._read = len(self.blocks)
        self._segments.clear()

    def segments(self, wanted: Callable[[Segment], bool] = lambda item: True) -> list[Segment]:
        # each block is read once: on a machine where much goes on there are many
        for block in self.blocks[self._read :]:
            self._read += 1
            self._segments.extend(item for item in read_block(bytes(block.data)) if item.time_ns >= self._since)
        return [item for item in self._segments if wanted(item)]

    def wait(
        self, enough: Callable[[list[Segment]], bool], wanted: Callable[[Segment], bool], seconds: float = 10
    ) -> list[Segment]:
        """Segments that are wanted, as soon as they are enough; what is there when the time is over."""
        end = time.monotonic() + seconds
        while True:
            found = self.segments(wanted)
            if enough(found) or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def counter(self, stage: str, reason: str = "", unit: str = "records") -> int:
        return sum(
            item.value
            for item in self.context.counters.samples()
            if (item.stage, item.reason, item.unit) == (stage, reason, unit)
        )


@contextmanager
def watching(**options: Any) -> Iterator[Watching]:
    made = Watching(options)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def why_not() -> str:
    """Why the collector cannot run here, empty when it can."""
    return "; ".join(item.sentence for item in examine() if item.needed and not item.ok)
