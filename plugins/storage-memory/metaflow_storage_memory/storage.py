"""The storage: the store, the dictionaries, and plans run beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from metaflow_core.api import Counters, Flush, RecordBatch
from metaflow_core.errors import ParseError, StorageError
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.conform import conform
from metaflow_core.query import Plan, Tags, late, prepare, subjects_of, tables_of
from metaflow_storage_memory.names import Names
from metaflow_storage_memory.retagging import retagged
from metaflow_storage_memory.run import Runner
from metaflow_storage_memory.series import Series
from metaflow_storage_memory.store import Store

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """Keeps records as Arrow columns in memory.

    :param catalog: the tables it knows. :param counters: where dropped rows are counted; None for nowhere.
    :param max_bytes: bytes kept over all tables, :param max_rows: rows kept; None for no bound.
    :param flush: awaited before rows are read; see :class:`metaflow_core.api.BuildContext`.
    """

    def __init__(
        self,
        catalog: Catalog,
        counters: Counters | None = None,
        *,
        max_bytes: int | None = None,
        max_rows: int | None = None,
        flush: Flush | None = None,
    ) -> None:
        self._catalog = catalog
        self._flush = flush
        self._counters = counters or Counters("storage.memory")
        self._store = Store(max_bytes, max_rows)
        self._series = Series(catalog, self._store.batches)
        self._names = Names(self._series)

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back; the rows stay as long as the object does, so that a capture can be asked after its end."""

    def resources(self) -> tuple[()]:
        """Nothing that another component could want."""
        return ()

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None) -> None:
        """Adds names of ids, to be shown for tags that are resolved through ``dictionary``.

        :param valid_from_s: seconds since 1970 from which a changed name is valid; None replaces the name for all time.
        """
        self._names.learn(dictionary, names, valid_from_s)

    async def write(self, batch: RecordBatch) -> None:
        """Keeps a batch; a ``batch_id`` seen before is not stored again.

        :raises StorageError: the batch does not fit its table.
        """
        self.add(batch)

    def add(self, batch: RecordBatch) -> None:
        """:meth:`write` for callers without an event loop.

        :raises StorageError: the batch does not fit its table.
        """
        table = self._catalog.table(batch.table)
        try:
            data = self._series.take(table, conform(batch.data, table, fill=False))
        except ParseError as error:
            raise StorageError(str(error)) from error
        dropped = self._store.add(table.name, data, batch.batch_id)
        if dropped is None:
            self._counters.add("received", batch.data.num_rows, reason="duplicate_batch")
            return
        self._counters.add("stored", batch.data.num_rows)
        if dropped:
            self._counters.add("dropped", dropped, reason="memory_full")
            self._series.tidy()

    async def retag(self, table: str, start_s: int, end_s: int, tags: Tags) -> int:
        """Puts tags that came late on rows; see :class:`metaflow_core.api.LateTagsKeeper`."""
        known = self._catalog.table(table)
        total = 0
        for batch in self._store.batches(known.name):
            new, count = batch, 0
            for subject in subjects_of(known):
                new, more = await retagged(new, subject, start_s, end_s, tags)
                count += more
            if count and self._store.exchange(known.name, batch, new):
                total += count
        return total

    async def execute(self, plan: Plan) -> pa.Table:
        """Answers a plan in a worker thread.

        :raises QueryError: the plan is wrong or cannot be answered here, with a sentence.
        """
        if self._flush is not None:
            await self._flush(tables_of(plan, self._catalog))
        return await asyncio.to_thread(self.query, plan)

    def query(self, plan: Plan) -> pa.Table:
        """:meth:`execute` for callers without an event loop.

        :raises QueryError: the plan is wrong or cannot be answered here, with a sentence.
        """
        ready = late(prepare(plan, self._catalog), self._names.changed)
        return Runner(self._catalog, self._store.batches, self._names, self._series).table(ready)

    async def health(self) -> Mapping[str, Any]:
        """Rows and bytes of every table."""
        return {"state": "ok", "tables": self._store.sizes()}
