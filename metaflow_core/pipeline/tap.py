"""A bounded copy of a pipeline's records for whoever wants to look; a slow reader loses the oldest, never the pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from metaflow_core.api.components import RecordBatch
from metaflow_core.api.counters import Counters
from metaflow_core.pipeline.queue import BoundedQueue
from metaflow_core.pipeline.sizes import byte_size

__all__ = ["Tap"]

_MAX_BYTES = 64 << 20


class Tap(AsyncIterator[RecordBatch]):
    """Iterate over it to get batches; it ends when the pipeline does.

    :ivar dropped: rows that were dropped because the reader was slow.
    :ivar is_tagged: rows come with their tags. :ivar patience_s: how long they may be kept before they come.
    :param tables: full names of those that are wanted; None for all.
    """

    def __init__(
        self,
        counters: Counters,
        forget: Callable[[Tap], None],
        max_batches: int = 256,
        *,
        tables: Collection[str] | None = None,
        is_tagged: bool = True,
        patience_s: float = 0.0,
    ) -> None:
        self._tables = None if tables is None else frozenset(tables)
        self.is_tagged = is_tagged
        self.patience_s = patience_s
        self._queue: BoundedQueue[RecordBatch] = BoundedQueue(max_batches, _MAX_BYTES)
        self._counters = counters
        self._forget = forget
        self.dropped = 0

    def wants(self, table: str) -> bool:
        """Whether rows of a table are looked at."""
        return self._tables is None or table in self._tables

    def offer(self, batch: RecordBatch) -> None:
        """Put a batch in; called by the pipeline, never waits."""
        if self._queue.is_closed:
            return
        self._counters.add("received", batch.data.num_rows)
        for old in self._queue.put_dropping(batch, byte_size(batch)):
            self.dropped += old.data.num_rows
            self._counters.add("dropped", old.data.num_rows, reason="slow_reader")

    async def __anext__(self) -> RecordBatch:
        batch = await self._queue.get()
        if batch is None:
            raise StopAsyncIteration
        self._counters.add("sent", batch.data.num_rows)
        return batch

    def end(self) -> None:
        """Nothing more comes; what waits can still be read."""
        self._queue.close()

    async def aclose(self) -> None:
        """The reader has seen enough. Idempotent."""
        self._queue.close()
        for batch in self._queue.clear():
            self.dropped += batch.data.num_rows
            self._counters.add("dropped", batch.data.num_rows, reason="reader_left")
        self._forget(self)
