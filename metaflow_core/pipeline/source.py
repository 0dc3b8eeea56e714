"""A collector at work: it runs as a task and hands what it has to every pipeline that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from metaflow_core.api.components import Emitted, RecordBatch
from metaflow_core.hooks.status import ComponentState
from metaflow_core.pipeline.line import Line
from metaflow_core.pipeline.queue import PipelineClosed
from metaflow_core.pipeline.sizes import byte_size, unit_of
from metaflow_core.pipeline.unit import Unit

__all__ = ["Source"]


class Source:
    """Runs one collector until it has no more, is stopped, or is quarantined.

    :ivar lines: the pipelines it feeds; a reload replaces the tuple.
    """

    def __init__(self, unit: Unit, lines: Sequence[Line]) -> None:
        self.unit = unit
        self.lines = tuple(lines)
        self._task: asyncio.Task[None] | None = None
        self._is_replaced = False

    def start(self) -> None:
        """Begin to collect."""
        self._task = asyncio.create_task(self._run(), name=f"metaflow-{self.unit.config.id}")

    async def emit(self, item: Emitted) -> None:
        """What the collector calls. Waits while a pipeline is full."""
        unit, amount = unit_of(item)
        if len(self.lines) == 1:
            await self._hand(self.lines[0], item)
        else:
            # together, so that a batch that waits to be stored in one pipeline does not keep it from the next
            outcomes = await asyncio.gather(*(self._hand(line, item) for line in self.lines), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        self.unit.counters.add("sent", amount, unit=unit)
        if not isinstance(item, RecordBatch):
            self.unit.counters.add("sent", byte_size(item), unit="bytes")

    async def _hand(self, line: Line, item: Emitted) -> None:
        try:
            await line.emit(item, self.unit.config.id)
        except PipelineClosed:
            # a reload took this pipeline away; the others go on
            if line in self.lines:
                raise

    async def _run(self) -> None:
        unit = self.unit
        try:
            while True:
                await unit.settled.wait()
                if unit.is_dead:
                    return
                instance = unit.component
                try:
                    await instance.run(self.emit)
                except PipelineClosed:
                    return
                except Exception as error:  # noqa: BLE001 - the fence around foreign code
                    if not await unit.recover(error, instance):
                        return
                else:
                    await unit.stop(ComponentState.STOPPED, "it has no more to collect")
                    return
        finally:
            if not self._is_replaced:
                for line in self.lines:
                    line.source_done(unit.config.id)

    async def stop(self, timeout_s: float, *, is_replaced: bool = False) -> None:
        """End the task and stop the collector. Idempotent; never raises.

        :param is_replaced: another collector takes its place, so its pipelines go on.
        """
        self._is_replaced = is_replaced
        task = self._task
        if task is not None and not task.done():
            task.cancel()
        # stop() first gives its threads the sign, and the task may be waiting for them
        await self.unit.stop()
        if task is not None:
            await asyncio.wait({task}, timeout=timeout_s)
            if task.done() and not task.cancelled():
                task.exception()
