"""One pipeline at work: blocks -> engine -> records (:mod:`~metaflow_core.pipeline.records`) -> storages, exporters and taps.

Between any two stages stands a bounded queue, so a slow stage makes the one before it wait, up to the collector. No hook
is called here; every component is called directly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from metaflow_core.api.blocks import PacketBlock, SegmentBlock, TickBlock
from metaflow_core.api.clock import Clock
from metaflow_core.api.components import Emitted, RecordBatch
from metaflow_core.api.counters import Counters
from metaflow_core.api.identity import ComponentId
from metaflow_core.config.loaded import PipelineConfig
from metaflow_core.errors import ComponentError
from metaflow_core.pipeline.faults import SupervisionPolicy
from metaflow_core.pipeline.queue import BoundedQueue
from metaflow_core.pipeline.records import Mark, Records
from metaflow_core.pipeline.sink import Acknowledgement, Sink
from metaflow_core.pipeline.sizes import byte_size
from metaflow_core.pipeline.tap import Tap
from metaflow_core.pipeline.unit import Unit

__all__ = ["Line"]

_SOURCE_BITS = 24
_ABSORB_EVERY_S = 0.25
_LOOK_S = 0.25


class Line:
    """A running pipeline.

    :ivar is_leaving: a reload puts another in its place, which the taps go on with.
    :param is_live: the time is now, so an idle engine is told it; false where files are replayed.
    :param taps: the pipeline's taps; the same list for as long as the app lives.
    :param on_error: is told of a defect in the line itself.
    """

    def __init__(
        self,
        config: PipelineConfig,
        engine: Unit | None,
        taggers: Sequence[Unit],
        sinks: Sequence[Unit],
        *,
        taps: list[Tap],
        counters: Counters,
        clock: Clock,
        policy: SupervisionPolicy,
        is_live: bool,
        batch_prefix: str,
        on_error: Callable[[BaseException], None],
    ) -> None:
        self.config = config
        self.engine = engine
        self.taggers = tuple(taggers)
        self.sinks = tuple(Sink(unit, config.queue, clock, policy, self.taggers) for unit in sinks)
        self.counters = counters
        self.finished = asyncio.Event()
        self.is_leaving = False
        self.blocks: BoundedQueue[PacketBlock | SegmentBlock | TickBlock | Mark] = BoundedQueue(
            config.queue.max_batches, config.queue.max_bytes
        )
        self.records = Records(
            config,
            taggers,
            self.sinks,
            order=getattr(engine.config.factory, "tables", ()) if engine is not None else (),
            taps=taps,
            counters=counters,
            clock=clock,
            batch_prefix=batch_prefix,
        )
        self._taps = taps
        self._clock = clock
        self._policy = policy
        self._is_live = is_live
        self._on_error = on_error
        self._waiting_for: set[ComponentId] = set(config.collectors)
        self._storages = sum(sink.is_storage for sink in self.sinks)
        self._collector_ticked: float | None = None
        self._last_absorbed = clock.monotonic()
        self._last_drained = 0.0
        self._undrained = 0
        self._most_undrained = config.queue.max_batches
        self._main: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._logger = logging.getLogger(f"metaflow.pipeline.{config.name}")

    def start(self) -> None:
        """Begin to work."""
        self._main = asyncio.create_task(self._run(), name=f"metaflow-pipeline-{self.config.name}")
        if self.engine is not None and self._is_live:
            self._ticking = asyncio.create_task(self._tick(), name=f"metaflow-tick-{self.config.name}")

    async def emit(self, item: Emitted, source: ComponentId) -> None:
        """Take something from a collector; waits while the pipeline is full.

        A batch with a ``batch_id`` can be sent again by whoever sent it: for such a one this returns only when every
        storage of the pipeline has it.

        :raises PipelineClosed: the pipeline is stopping. :raises StorageError: a batch with an id was not stored.
        """
        if isinstance(item, RecordBatch):
            acknowledgement = Acknowledgement(self._storages) if item.batch_id else None
            await self.records.take(item, acknowledgement)
            if acknowledgement is not None:
                await acknowledgement.wait()
            return
        if self.engine is None:
            self.counters.add("received", unit="blocks")
            self.counters.add("dropped", reason="no_engine", unit="blocks")
            return
        if isinstance(item, TickBlock):
            self._collector_ticked = self._clock.monotonic()
        elif isinstance(item, PacketBlock) and len(self.config.collectors) > 1:
            # an engine keeps half frames by source, and two collectors may both number theirs from 0
            offset = self.config.collectors.index(source) << _SOURCE_BITS
            item = replace(item, source=item.source + offset) if offset else item
        await self.blocks.put(item, byte_size(item))
        if not isinstance(item, TickBlock):
            self.engine.counters.add("queued", unit="blocks")

    def source_done(self, source: ComponentId) -> None:
        """A collector has no more; when all have ended, so does the pipeline once it is empty."""
        self._waiting_for.discard(source)
        if not self._waiting_for:
            self._close_input()

    def source_added(self, source: ComponentId) -> None:
        """A collector was replaced or added by a reload."""
        self._waiting_for.add(source)

    def _close_input(self) -> None:
        self.blocks.close()
        if self.engine is None:
            self.records.queue.close()

    async def drain(self, still_s: float, most_s: float) -> bool:
        """Take nothing more, finish what is inside, and end. Idempotent.

        :param still_s: how long nothing may move, and :param most_s: how long all of it may take, in seconds.
        :returns: False when that was over, and what was left inside was dropped and counted.
        """
        self._close_input()
        if self._main is None:
            return True
        clock = asyncio.get_running_loop().time
        began = moved = now = clock()
        left = self._left()
        while not self._main.done():
            now = clock()
            rest = min(moved + still_s, began + most_s) - now
            if rest <= 0:
                break
            await asyncio.wait({self._main}, timeout=min(rest, _LOOK_S))
            if (left_now := self._left()) != left:
                left, moved = left_now, clock()
        if self._main.done():
            return True
        before = self._dropped()
        self._main.cancel()
        await asyncio.wait({self._main}, timeout=1.0)
        rows, blocks = (after - earlier for after, earlier in zip(self._dropped(), before, strict=True))
        why = f"nothing moved for {still_s:g} s" if now - moved >= still_s else f"it took more than {most_s:g} s"
        self._logger.error(
            "Pipeline %s was stopped before it was empty, because %s: %d rows and %d blocks of packets or calls are given up "
            "(service.stop_timeout_s and service.drain_timeout_s say how long is waited).",
            self.config.name, why, rows, blocks,
        )  # fmt: skip
        return False

    def _left(self) -> tuple[int, ...]:
        """What is inside, stage by stage; it differs when anything moved."""
        queues: list[BoundedQueue[Any]] = [self.blocks, self.records.queue, *(sink.queue for sink in self.sinks)]
        return (self.records.nbytes, *(number for queue in queues for number in (len(queue), queue.nbytes)))

    def _dropped(self) -> tuple[int, int]:
        """Rows and blocks that were dropped because the line stopped."""
        counters = [self.counters, *(sink.unit.counters for sink in self.sinks)]
        counters += [self.engine.counters] if self.engine is not None else []
        found = {"records": 0, "blocks": 0}
        for sample in (sample for each in counters for sample in each.samples()):
            if sample.stage == "dropped" and sample.reason == "stopped" and sample.unit in found:
                found[sample.unit] += sample.value
        return found["records"], found["blocks"]

    async def _run(self) -> None:
        """All stages; each ends when the one before it has, and its queue is empty."""
        sinks = [asyncio.create_task(sink.run(), name=f"metaflow-{sink.unit.config.id}") for sink in self.sinks]
        stages: list[asyncio.Task[None]] = [asyncio.create_task(self.records.run())]
        if self.engine is not None:
            stages.append(asyncio.create_task(self._engine_stage(self.engine)))
        try:
            await asyncio.gather(*stages)
            for sink in self.sinks:
                sink.queue.close()
            await asyncio.gather(*sinks)
        except Exception as error:
            self._logger.exception("Pipeline %s has a defect.", self.config.name)
            self._on_error(error)
        finally:
            for task in (*stages, *sinks, *([self._ticking] if self._ticking is not None else [])):
                task.cancel()
            await asyncio.gather(*stages, *sinks, return_exceptions=True)
            self._drop_rest()
            if not self.is_leaving:
                for tap in tuple(self._taps):
                    tap.end()
            self.finished.set()

    def _drop_rest(self) -> None:
        """Count what is still inside when the line was cut off."""
        self.blocks.close()
        for item in self.blocks.clear():
            if isinstance(item, Mark):
                item.passed.set()
            elif self.engine is not None and not isinstance(item, TickBlock):
                self.engine.counters.add("dropped", reason="stopped", unit="blocks")
        self.records.drop_rest()

    async def flush(self, tables: Collection[str] | None) -> None:
        """What the pipeline has taken, as far as it is of these tables (None: all), is stored when this returns; see
        :meth:`~metaflow_core.pipeline.records.Records.fresh`."""

        async def bring(mark: Mark) -> None:
            if self.engine is None:
                await self.records.queue.put(mark, 0)
            else:
                await self.blocks.put(mark, 0)

        await self.records.fresh(tables, bring)

    async def _tick(self) -> None:
        """Tell an idle engine the time, where the collectors do not."""
        while True:
            await self._clock.sleep(self._policy.tick_s)
            theirs = self._collector_ticked
            if theirs is not None and self._clock.monotonic() - theirs < 2 * self._policy.tick_s:
                continue
            tick = TickBlock(self._clock.time_ns())
            # behind the blocks that wait, so that time never runs ahead of the packets
            await self.blocks.put(tick, byte_size(tick))

    async def _engine_stage(self, unit: Unit) -> None:
        while (item := await self.blocks.get()) is not None:
            if isinstance(item, Mark):
                await self._bring(unit, item)
            else:
                await self._engine_take(unit, item)
        if not unit.is_dead and unit.is_usable:
            await self._engine_call(unit, _finish)
        self.records.queue.close()

    async def _bring(self, unit: Unit, mark: Mark) -> None:
        """Somebody asks: what the engine has ready comes out, the mark behind it."""
        self._undrained, self._last_drained = 0, self._clock.monotonic()
        if unit.is_usable:
            await (
                self._engine_call(unit, _all, self._clock.time_ns())
                if self._is_live
                else self._engine_call(unit, _drain)
            )
        await self.records.queue.put(mark, 0)

    async def _engine_take(self, unit: Unit, item: PacketBlock | SegmentBlock | TickBlock) -> None:
        is_data = not isinstance(item, TickBlock)
        now = self._clock.monotonic()
        # Rows that nobody looks at stay in the engine for seconds; else a tick drains, and one comes soon. What is pushed and not drained counts
        # like what waits in a queue: without a bound by blocks a slow storage would not hold the collector for that long.
        patience_s = self.records.patience_s
        is_patient = self.records.is_patient
        waits = (
            self._is_live
            and (is_data or is_patient)
            and self._undrained < self._most_undrained
            and now - self._last_drained < (patience_s if is_patient else min(patience_s, self._policy.tick_s))
        )
        call: Callable[..., list[RecordBatch]] = _push_only if waits else _push
        arguments: tuple[Any, ...] = (item,)
        if is_data and is_patient and not waits:
            # an engine keeps a few rows until it is told the time: there is no tick while packets come
            call, arguments = _push_all, (item, self._clock.time_ns())
        self._undrained = self._undrained + is_data if waits else 0
        self._last_drained = self._last_drained if waits else now
        try:
            await unit.settled.wait()
            if unit.is_dead:
                reason = unit.why_dead
            else:
                reason = "" if await self._engine_call(unit, call, *arguments) else "fault"
        except asyncio.CancelledError:
            if is_data:
                unit.counters.add("dropped", reason="stopped", unit="blocks")
            raise
        if is_data:
            if reason:
                unit.counters.add("dropped", reason=reason, unit="blocks")
            else:
                unit.counters.add("taken", unit="blocks")

    async def _engine_call(self, unit: Unit, call: Callable[..., list[RecordBatch]], *arguments: Any) -> bool:
        instance, worker = unit.component, unit.worker
        if worker is None:
            raise ComponentError(f"{unit.path}: has no thread")
        now = self._clock.monotonic()
        absorb = call is _finish or now - self._last_absorbed >= _ABSORB_EVERY_S
        self._last_absorbed = now if absorb else self._last_absorbed
        try:
            # in one go: each change of threads wakes two of them
            batches = await worker.run(_absorbing if absorb else _calling, unit, call, instance, *arguments)
        except Exception as error:  # noqa: BLE001 - the fence around foreign code
            await unit.recover(error, instance)
            return False
        for index, batch in enumerate(batches):
            try:
                await self.records.take(batch, None)
            except BaseException:
                left = sum(each.data.num_rows for each in batches[index:])
                unit.counters.add("dropped", left, reason="stopped")
                raise
            unit.counters.add("sent", batch.data.num_rows)
        return True


def _calling(unit: Unit, call: Callable[..., list[RecordBatch]], *arguments: Any) -> list[RecordBatch]:
    return call(*arguments)


def _absorbing(unit: Unit, call: Callable[..., list[RecordBatch]], *arguments: Any) -> list[RecordBatch]:
    batches = call(*arguments)
    unit.absorb()
    return batches


def _push(engine: Any, item: PacketBlock | SegmentBlock | TickBlock) -> list[RecordBatch]:
    _push_only(engine, item)
    return list(engine.drain())


def _push_only(engine: Any, item: PacketBlock | SegmentBlock | TickBlock) -> list[RecordBatch]:
    if isinstance(item, TickBlock):
        engine.tick(item.now_ns)
    else:
        engine.push(item)
    return []


def _drain(engine: Any) -> list[RecordBatch]:
    return list(engine.drain())


def _all(engine: Any, now_ns: int) -> list[RecordBatch]:
    engine.tick(now_ns)
    return list(engine.drain())


def _push_all(engine: Any, item: PacketBlock | SegmentBlock, now_ns: int) -> list[RecordBatch]:
    engine.push(item)
    return _all(engine, now_ns)


def _finish(engine: Any) -> list[RecordBatch]:
    engine.finish()
    return list(engine.drain())
