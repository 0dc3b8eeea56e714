"""Reading captures without an app: a collector and an engine in one thread, rows in batches, memory flat."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from metaflow_core.api.blocks import PacketBlock, SegmentBlock, TickBlock
from metaflow_core.api.components import Emitted, RecordBatch
from metaflow_core.api.counters import CounterSample
from metaflow_core.api.identity import Kind
from metaflow_core.config import LoadedConfig
from metaflow_core.hooks.host import PluginHost
from metaflow_core.model.catalog import Catalog
from metaflow_core.pipeline import Builder, PipelineClosed, StatusBoard
from metaflow_core.pipeline.sizes import byte_size
from metaflow_core.pipeline.unit import Unit

__all__ = ["Progress", "Replay"]

Progress: TypeAlias = Callable[[int, int | None], None]
"""``progress(read, total)``: bytes read so far, and bytes of all files (None for standard input). Called in the thread
that reads, once per block; for compressed files ``read`` may grow beyond ``total``."""

_WAITING_BATCHES = 32
_PATIENCE_S = 1.0


@dataclass
class Replay:
    """One pass over the files of a configuration with one pipeline.

    :ivar counters: filled at the end. :ivar notes: parsers that were left out, and why.
    """

    loaded: LoadedConfig
    host: PluginHost
    catalog: Catalog
    progress: Progress | None = None
    total_bytes: int | None = None
    at_end: Callable[[Any], None] | None = None
    counters: list[CounterSample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[RecordBatch]:
        """Every batch of every table, in an order that depends on the files alone.

        Reads in a thread (``metaflow-read``), so it works inside a running event loop; leaving the iterator ends it.

        :raises MetaFlowError: a file cannot be read, a component cannot be built.
        """
        out: queue.Queue[RecordBatch | BaseException | None] = queue.Queue(_WAITING_BATCHES)
        ended = threading.Event()
        # a pipe may never give its next byte, and nothing can wake a thread that waits for it
        may_block = self.total_bytes is None
        thread = threading.Thread(target=self._work, args=(out, ended), name="metaflow-read", daemon=may_block)
        thread.start()
        try:
            while (item := out.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            ended.set()
            deadline = time.monotonic() + _PATIENCE_S
            # the thread may be waiting for room
            while thread.is_alive() and not (may_block and time.monotonic() > deadline):
                with contextlib.suppress(queue.Empty):
                    out.get(timeout=0.02)
            if not thread.is_alive():
                thread.join()

    def _work(self, out: queue.Queue[RecordBatch | BaseException | None], ended: threading.Event) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._read(out, ended))
        except PipelineClosed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that iterates
            _put(out, error, ended)
        with contextlib.suppress(PipelineClosed):
            _put(out, None, ended)

    async def _read(self, out: queue.Queue[RecordBatch | BaseException | None], ended: threading.Event) -> None:
        pipeline = next(iter(self.loaded.pipelines.values()))
        from metaflow_core.api.clock import SystemClock

        clock = SystemClock()
        board = StatusBoard(clock, lambda status: None)
        builder = Builder(self.host, self.catalog, clock, board)
        collector = builder.unit(self.loaded, (Kind.COLLECTOR, pipeline.collectors[0], ""))
        units = [collector]
        engine: Unit | None = None
        if pipeline.engine is not None:
            engine = builder.unit(self.loaded, (Kind.ENGINE, pipeline.engine, pipeline.name))
            units.insert(0, engine)
        read = 0

        async def emit(item: Emitted) -> None:
            nonlocal read
            if isinstance(item, RecordBatch):
                _put(out, item, ended)
            elif engine is not None:
                _push(engine.component, item, out, ended)
                if self.progress is not None and not isinstance(item, TickBlock):
                    read += byte_size(item)
                    self.progress(read, self.total_bytes)

        try:
            for unit in units:
                unit.build()
            self.notes.extend(
                status.message for key, status in board.snapshot() if key[0] is Kind.PARSER and status.state == "failed"
            )
            for unit in units:
                await _call(unit.component, "start")
            await collector.component.run(emit)
            if engine is not None:
                engine.component.finish()
                _drain(engine.component, out, ended)
                engine.absorb()
                if self.at_end is not None:
                    self.at_end(engine.component)
        finally:
            for unit in reversed(units):
                await unit.stop()
            self.counters = sorted(sample for each in builder.counters.values() for sample in each.samples())


async def _call(component: Any, method: str) -> None:
    function = getattr(component, method, None)
    if function is not None:
        await function()


def _push(
    engine: Any,
    item: PacketBlock | SegmentBlock | TickBlock,
    out: queue.Queue[RecordBatch | BaseException | None],
    ended: threading.Event,
) -> None:
    if isinstance(item, TickBlock):
        engine.tick(item.now_ns)
    else:
        engine.push(item)
    _drain(engine, out, ended)


def _drain(engine: Any, out: queue.Queue[RecordBatch | BaseException | None], ended: threading.Event) -> None:
    for batch in engine.drain():
        _put(out, batch, ended)


def _put(
    out: queue.Queue[RecordBatch | BaseException | None],
    item: RecordBatch | BaseException | None,
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        try:
            out.put(item, timeout=0.1)
        except queue.Full:
            continue
        return
    raise PipelineClosed("the reader has left")
