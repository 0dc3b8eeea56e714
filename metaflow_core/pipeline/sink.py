"""The last step: a queue and a task between a pipeline and one of its storages or exporters."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metaflow_core.api.clock import Clock
from metaflow_core.api.components import NamesKeeper, NamesSource, RecordBatch
from metaflow_core.api.identity import Kind
from metaflow_core.config.sections import QueueSection
from metaflow_core.errors import StorageError
from metaflow_core.hooks.status import ComponentState
from metaflow_core.pipeline.faults import SupervisionPolicy
from metaflow_core.pipeline.late import LateTags
from metaflow_core.pipeline.queue import BoundedQueue, PipelineClosed
from metaflow_core.pipeline.sizes import byte_size
from metaflow_core.pipeline.unit import Unit, sentence

__all__ = ["Acknowledgement", "Delivery", "Sink"]


class Acknowledgement:
    """Waits until every storage of a pipeline has a batch, so that a receiver may tell its sender.

    :param storages: how many storages must have it.
    """

    def __init__(self, storages: int) -> None:
        self._missing = storages
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if storages == 0:
            self._future.set_result(None)

    def stored(self) -> None:
        """One more has it."""
        self._missing -= 1
        if self._missing == 0 and not self._future.done():
            self._future.set_result(None)

    def lost(self, why: str) -> None:
        """One will not have it: the sender must keep the batch and send it again."""
        if not self._future.done():
            self._future.set_exception(StorageError(f"the batch was not stored: {why}; send it again"))
            # whoever waits sees it; when nobody does any more that is no error
            self._future.exception()

    def when_done(self, call: Callable[[], None]) -> None:
        """Call this when it is stored or lost."""
        self._future.add_done_callback(lambda _: call())

    async def wait(self) -> None:
        """Until all have it.

        :raises StorageError: one will not.
        """
        await asyncio.shield(self._future)


@dataclass(slots=True)
class Delivery:
    """A batch on its way, with its cost in bytes and whoever waits for it."""

    batch: RecordBatch
    size: int
    acknowledgement: Acknowledgement | None = None

    @classmethod
    def of(cls, batch: RecordBatch, acknowledgement: Acknowledgement | None = None) -> Delivery:
        """A delivery of a batch."""
        return cls(batch, byte_size(batch), acknowledgement)


class Sink:
    """Writes to a storage until the batch is safe, or sends to an exporter without ever holding the pipeline.

    A storage that raises :class:`StorageError` is asked again until it takes the batch: the queue fills, and the
    collectors wait. What raises anything else has a fault; it is restarted, and the batch tried again a few times.

    :ivar is_refused: the storage does not take what it is given now, and is asked again and again.
    :param taggers: those of the pipeline; what they name is told to a storage before the rows that need it.
    """

    def __init__(
        self,
        unit: Unit,
        queue: QueueSection,
        clock: Clock,
        policy: SupervisionPolicy,
        taggers: Sequence[Unit] = (),
    ) -> None:
        self.unit = unit
        self._taggers = tuple(taggers)
        self._told: dict[Unit, tuple[object, object, int]] = {}
        self.is_storage = unit.key[0] is Kind.STORAGE
        self.queue: BoundedQueue[Delivery] = BoundedQueue(queue.max_batches, queue.max_bytes)
        self._clock = clock
        self._policy = policy
        self._max_bytes = queue.max_bytes
        self.is_refused = False
        self._late = LateTags(unit, self._taggers, clock, policy.late_tags_s, self._tell)

    async def take(self, delivery: Delivery) -> None:
        """Queue a delivery: waits before a full storage, drops the oldest before a full exporter."""
        rows = delivery.batch.data.num_rows
        self.unit.counters.add("received", rows)
        if not self.is_storage:
            for old in self.queue.put_dropping(delivery, delivery.size):
                self._drop(old, "queue_full")
            return
        try:
            await self.queue.put(delivery, delivery.size)
        except PipelineClosed:
            self._drop(delivery, "stopped")
        except asyncio.CancelledError:
            self._drop(delivery, "stopped")
            raise

    async def run(self) -> None:
        """Deliver until the queue is closed and empty: one after the other, or as many at once as the storage takes."""
        at_once = self.unit.writes_at_once if self.is_storage else 1
        flying: dict[asyncio.Task[None], int] = {}
        late = asyncio.create_task(self._late.run()) if self.is_storage and self._taggers else None
        try:
            while (delivery := await self.queue.get()) is not None:
                if at_once == 1:
                    await self._deliver(delivery)
                    continue
                while len(flying) >= at_once or (flying and sum(flying.values()) + delivery.size > self._max_bytes):
                    await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                task = asyncio.create_task(self._deliver(delivery))
                flying[task] = delivery.size
                task.add_done_callback(flying.pop)
            if flying:
                await asyncio.wait(flying)
        finally:
            left_flying = [*flying, *([late] if late is not None else [])]
            for task in left_flying:
                task.cancel()
            await asyncio.gather(*left_flying, return_exceptions=True)
            self.queue.close()
            for left in self.queue.clear():
                self._drop(left, "stopped")

    def _drop(self, delivery: Delivery, reason: str) -> None:
        self.unit.counters.add("dropped", delivery.batch.data.num_rows, reason=reason)
        if delivery.acknowledgement is not None and self.is_storage:
            delivery.acknowledgement.lost(f"{self.unit.path}: {reason.replace('_', ' ')}")

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            reason = await (self._store(delivery) if self.is_storage else self._export(delivery))
        except BaseException:
            self._drop(delivery, "stopped")
            raise
        if reason:
            self._drop(delivery, reason)
            return
        self.unit.counters.add("sent", delivery.batch.data.num_rows)
        self.unit.counters.add("sent", unit="batches")
        if delivery.acknowledgement is not None and self.is_storage:
            delivery.acknowledgement.stored()

    async def _store(self, delivery: Delivery) -> str:
        """Write until it is stored; returns the reason when it never will be."""
        refusals = faults = 0
        unit = self.unit
        while True:
            await unit.settled.wait()
            if unit.is_dead:
                return unit.why_dead
            instance = unit.component
            try:
                # as many at a time as the storage says, also when several pipelines share it
                async with unit.write_slots:
                    async with unit.write_lock:
                        await self._tell(instance)
                    await instance.write(delivery.batch)
            except StorageError as error:
                refusals += 1
                await self._rest(error, refusals)
            except Exception as error:  # noqa: BLE001 - the fence around foreign code
                faults += 1
                if not await unit.recover(error, instance):
                    return unit.why_dead
                if faults >= self._policy.attempts:
                    return "fault"
            else:
                if refusals:
                    self.is_refused = False
                    unit.state(ComponentState.RUNNING)
                self._late.note(delivery.batch)
                return ""

    async def _tell(self, storage: object) -> None:
        """Tell a storage the names that it does not have yet; a new instance of it, or of a tagger, is told all."""
        if not isinstance(storage, NamesKeeper):
            return
        for unit in self._taggers:
            source = unit.component
            if not isinstance(source, NamesSource):
                continue
            of, to, position = self._told.get(unit, (None, None, 0))
            after, found = source.names(position if of is source and to is storage else 0)
            for each in found:
                answer = storage.learn(each.dictionary, each.names, each.valid_from_s)
                if inspect.isawaitable(answer):
                    await answer
            self._told[unit] = (source, storage, after)

    async def _export(self, delivery: Delivery) -> str:
        refusals = 0
        unit = self.unit
        while True:
            await unit.settled.wait()
            if unit.is_dead:
                return unit.why_dead
            try:
                async with unit.write_lock:
                    await unit.component.export(delivery.batch)
            except Exception as error:  # noqa: BLE001 - raising is how an exporter asks to be called again
                refusals += 1
                await self._rest(error, refusals)
            else:
                if refusals:
                    unit.state(ComponentState.RUNNING)
                return ""

    async def _rest(self, error: BaseException, refusals: int) -> None:
        unit = self.unit
        self.is_refused = self.is_storage
        unit.counters.add("retries", reason=getattr(error, "code", "error"), unit="batches")
        rest = self._policy.rest_s(refusals)
        times = "once" if refusals == 1 else f"{refusals} times"
        unit.state(ComponentState.DEGRADED, f"{sentence(error)}; tried {times}, trying again in {rest:g} s")
        await self._clock.sleep(rest)
