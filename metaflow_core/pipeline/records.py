"""The second half of a pipeline: rows -> taggers -> taps, exporters and storages, at once or when enough of them wait.

While nobody asks, rows wait in a :class:`~metaflow_core.pipeline.gather.Gather`, untagged: tagged and written together they cost a small part.
Who looks at them as they come (a tap, an exporter) has them tagged as they come. A storage that is asked has what waits for the tables of the
question written first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metaflow_core.api.clock import Clock
from metaflow_core.api.components import RecordBatch
from metaflow_core.api.counters import Counters
from metaflow_core.config.loaded import PipelineConfig
from metaflow_core.pipeline.gather import Gather, Heap, joined
from metaflow_core.pipeline.queue import BoundedQueue, PipelineClosed
from metaflow_core.pipeline.sink import Acknowledgement, Delivery, Sink
from metaflow_core.pipeline.tap import Tap
from metaflow_core.pipeline.unit import Unit

__all__ = ["Mark", "Records"]

_PROMPT_S = 0.5
"""Of a live engine: blocks come every few milliseconds, and ten rows cost as much on their way (taggers, a place in the store) as a thousand."""
_LONGEST_S = 5.0
_BRING_S = 1.0
_STORE_S = 5.0
_IDLE_S = 1.0


@dataclass(slots=True)
class Mark:
    """Goes through a pipeline behind what is in it. :ivar passed: set when all that was before it has been tagged or gathered."""

    passed: asyncio.Event = field(default_factory=asyncio.Event)


class Records:
    """Takes batches until its queue is closed, and is done when the last one is with the sinks.

    :param order: tables in the order in which an engine gives them; taggers see them in it.
    :param taps: the pipeline's taps; the list changes while it runs.
    """

    def __init__(
        self,
        config: PipelineConfig,
        taggers: Sequence[Unit],
        sinks: Sequence[Sink],
        *,
        order: Sequence[str],
        taps: list[Tap],
        counters: Counters,
        clock: Clock,
        batch_prefix: str,
    ) -> None:
        self.queue: BoundedQueue[Delivery | Mark] = BoundedQueue(config.queue.max_batches, config.queue.max_bytes)
        self._name = config.name
        self._wait_s = config.gather.wait_s
        self._taggers = tuple(taggers)
        self._storages = tuple(sink for sink in sinks if sink.is_storage)
        self._exporters = tuple(sink for sink in sinks if not sink.is_storage)
        self._gather = Gather(config.gather, order) if config.gather.wait_s and self._storages else None
        self._taps = taps
        self._counters = counters
        self._clock = clock
        self._batch_prefix = batch_prefix
        self._sequence = 0
        self._writing = asyncio.Lock()
        self._flying: dict[str, set[Acknowledgement]] = {}
        self._flushing: set[asyncio.Task[None]] = set()
        self._recovering: set[asyncio.Task[bool]] = set()
        self._bringing: Mark | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that wait for more."""
        return self._gather.nbytes if self._gather is not None else 0

    @property
    def patience_s(self) -> float:
        """How long rows may stay in an engine: nobody looks at them sooner."""
        if self._gather is None or self._exporters:
            return _PROMPT_S
        return max(_PROMPT_S, min([_LONGEST_S, self._wait_s / 3, *(tap.patience_s for tap in self._taps)]))

    @property
    def is_patient(self) -> bool:
        """Whether nobody looks at rows as they come."""
        return self.patience_s > _PROMPT_S

    async def take(self, batch: RecordBatch, acknowledgement: Acknowledgement | None) -> None:
        """Queue a batch; waits while the queue is full."""
        delivery = Delivery.of(batch, acknowledgement)
        await self.queue.put(delivery, delivery.size)
        self._counters.add("received", batch.data.num_rows)

    async def run(self) -> None:
        """Until the queue is closed and empty, and nothing waits any more."""
        clock = asyncio.create_task(self._keep_time()) if self._gather is not None else None
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, Mark):
                    item.passed.set()
                elif item.batch.data.num_rows:
                    await self._pass(item)
                elif item.acknowledgement is not None:
                    for _ in self._storages:
                        item.acknowledgement.stored()
            while self._flushing:
                await asyncio.wait(self._flushing)
            await self._flush(None, "end")
        finally:
            # what writes ends in the middle only when the whole line is cut off
            tasks = [*self._flushing, *self._recovering, *([clock] if clock is not None else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def drop_rest(self) -> None:
        """Count what is still inside when the line was cut off."""
        self.queue.close()
        for item in self.queue.clear():
            if isinstance(item, Mark):
                item.passed.set()
            else:
                self._lose(item)
        for heap in self._gather.take() if self._gather is not None else ():
            self._lose_heap(heap)

    def _lose(self, delivery: Delivery) -> None:
        self._counters.add("dropped", delivery.batch.data.num_rows, reason="stopped")
        if delivery.acknowledgement is not None:
            delivery.acknowledgement.lost(f"pipeline {self._name}: stopped")

    def _lose_heap(self, heap: Heap) -> None:
        for batch in (*heap.raw, *heap.ready):
            self._counters.add("dropped", batch.data.num_rows, reason="stopped")
        for delivery in heap.held:
            self._lose(delivery)

    async def _pass(self, delivery: Delivery) -> None:
        """A batch goes as far as it can now."""
        batch, gather = delivery.batch, self._gather
        taps = [tap for tap in self._taps if tap.wants(batch.table)]
        is_tagged = (
            gather is None
            or bool(self._exporters)
            or delivery.acknowledgement is not None
            or any(tap.is_tagged for tap in taps)
        )
        if is_tagged:
            try:
                batch = await self._tagged(batch)
            except asyncio.CancelledError:
                self._lose(delivery)
                raise
        for tap in taps:
            tap.offer(batch)
        if gather is None:
            self._counters.add("sent", batch.data.num_rows)
            await self._deliver(batch, delivery.acknowledgement, (*self._storages, *self._exporters))
            return
        if self._exporters:
            await self._deliver(batch, None, self._exporters)
        await self._keep(gather, batch, delivery.acknowledgement, is_tagged=is_tagged)

    async def _keep(
        self, gather: Gather, batch: RecordBatch, acknowledgement: Acknowledgement | None, *, is_tagged: bool
    ) -> None:
        now = self._clock.monotonic()
        if acknowledgement is None:
            gather.add(batch, now, is_tagged=is_tagged)
        elif not gather.holds:
            await self._store(batch, acknowledgement)
        elif gather.hold(Delivery.of(batch, acknowledgement), now):
            await self._flush({batch.table}, "size")
        if gather.is_full:
            await self._flush(None, "size")

    async def _deliver(
        self, batch: RecordBatch, acknowledgement: Acknowledgement | None, sinks: Sequence[Sink]
    ) -> None:
        if not batch.batch_id and sinks:
            self._sequence += 1
            batch = replace(batch, batch_id=f"{self._batch_prefix}-{self._sequence}")
        delivery = Delivery.of(batch, acknowledgement)
        for sink in sinks:
            await sink.take(delivery)

    async def _tagged(self, batch: RecordBatch) -> RecordBatch:
        for unit in self._taggers:
            batch = await self._tag(unit, batch)
        return batch

    async def _tag(self, unit: Unit, batch: RecordBatch) -> RecordBatch:
        """Tag a batch; rows go on untagged while the tagger cannot be used, for rows without tags are better than none."""
        rows = batch.data.num_rows
        unit.counters.add("received", rows)
        instance, worker = unit.component, unit.worker
        if not unit.is_usable or worker is None:
            unit.counters.add("untagged", rows, reason=unit.why_dead if unit.is_dead else "restarting")
        else:
            try:
                tagged = await worker.run(instance.tag, batch)
                if not isinstance(tagged, RecordBatch):
                    raise TypeError(f"tag() returned {type(tagged).__name__}, expected is a RecordBatch")
                batch = tagged
            except Exception as error:  # noqa: BLE001 - the fence around foreign code
                unit.counters.add("untagged", rows, reason="fault")
                task = asyncio.create_task(unit.recover(error, instance))
                self._recovering.add(task)
                task.add_done_callback(self._recovering.discard)
        if batch.data.num_rows < rows:
            unit.counters.add("dropped", rows - batch.data.num_rows, reason="tagger")
        unit.counters.add("sent", batch.data.num_rows)
        return batch

    async def _keep_time(self) -> None:
        """Writes what has waited long enough."""
        gather = self._gather
        assert gather is not None
        while True:
            rest = gather.rest(self._clock.monotonic())
            if rest is None or rest > 0:
                await self._clock.sleep(_IDLE_S if rest is None else min(rest, _IDLE_S))
                continue
            # in a task of its own: what has been taken out is written to its end when the queue ends meanwhile
            await asyncio.wait([self._spawn(self._flush(gather.due(self._clock.monotonic()), "time"))])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._flushing.add(task)
        task.add_done_callback(self._flushing.discard)
        return task

    async def _flush(self, tables: Collection[str] | None, why: str) -> None:
        """Tag all that waits untagged, write what waits for these tables; returns when the sinks have it."""
        gather = self._gather
        if gather is None:
            return
        async with self._writing:
            # all of it, in the engine's order: what a row tells to a tagger is known before later rows are tagged, of any table
            for heap in gather.raw():
                count = len(heap.raw)
                gather.exchange(heap, count, [await self._tagged(each) for each in joined(heap.raw[:count])])
            heaps = gather.take(tables)
            while heaps:
                heap = heaps[0]
                try:
                    await self._write(heap)
                except BaseException:
                    for each in heaps:
                        self._lose_heap(each)
                    raise
                heaps.pop(0)
                self._counters.add("flushed", reason=why, unit="times")

    async def _write(self, heap: Heap) -> None:
        """Hands a heap to the storages, and takes out of it what they have."""
        # what came while others were being tagged
        heap.raw[:] = [await self._tagged(each) for each in joined(heap.raw)] if heap.raw else []
        heap.raw += heap.ready
        heap.ready.clear()
        heap.raw[:] = joined(heap.raw) if heap.raw else []
        while heap.raw:
            batch = heap.raw.pop(0)
            await self._store(batch, Acknowledgement(len(self._storages)))
        while heap.held:
            delivery = heap.held.pop(0)
            assert delivery.acknowledgement is not None
            await self._store(delivery.batch, delivery.acknowledgement)

    async def _store(self, batch: RecordBatch, acknowledgement: Acknowledgement) -> None:
        flying = self._flying.setdefault(batch.table, set())
        flying.add(acknowledgement)
        acknowledgement.when_done(lambda: flying.discard(acknowledgement))
        self._counters.add("sent", batch.data.num_rows)
        await self._deliver(batch, acknowledgement, self._storages)

    async def fresh(self, tables: Collection[str] | None, bring: Callable[[Mark], Coroutine[Any, Any, None]]) -> None:
        """Have what is inside for these tables written, and wait until it is stored, for seconds at the most. Never raises.

        :param bring: puts a mark behind all that the pipeline has taken.
        """
        gather = self._gather
        if gather is None:
            return
        wanted = gather.wanted(tables, self._clock.monotonic())
        if wanted:
            await self._bring(bring)
            await asyncio.wait(
                [self._spawn(self._flush(None if tables is None else wanted, "asked"))], timeout=_STORE_S
            )
        names = list(self._flying) if tables is None else tables
        flying = [asyncio.ensure_future(each.wait()) for name in names for each in self._flying.get(name, ())]
        # a store that refuses has said so already, and answers from what it has
        if flying and not any(sink.is_refused for sink in self._storages):
            _, late = await asyncio.wait(flying, timeout=_STORE_S)
            if late:
                self._counters.add("flushed", reason="late", unit="times")
        for each in flying:
            each.cancel()
        await asyncio.gather(*flying, return_exceptions=True)

    async def _bring(self, bring: Callable[[Mark], Coroutine[Any, Any, None]]) -> None:
        """Until what the pipeline has taken is gathered; several that ask together wait for one."""
        mark = self._bringing
        if mark is None or mark.passed.is_set():
            mark = self._bringing = Mark()
            try:
                async with asyncio.timeout(_BRING_S):
                    await bring(mark)
            except (TimeoutError, PipelineClosed):
                mark.passed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BRING_S):
                await mark.passed.wait()
