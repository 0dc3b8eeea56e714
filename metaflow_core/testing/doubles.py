"""Components that live in memory: the ends of a pipeline under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metaflow_core.api import Emit, Emitted, RecordBatch, Resource
from metaflow_core.errors import StorageError, UnsupportedQuery
from metaflow_core.testing.rows import plain_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.query.plan import Plan

__all__ = ["MemoryCollector", "MemoryExporter", "MemoryStorage"]


class MemoryCollector:
    """Emits what it was given, then returns.

    :ivar events: what the core did to it: ``start``, ``run``, ``stop``.
    """

    def __init__(self, items: Iterable[Emitted]) -> None:
        self._items = list(items)
        self.events: list[str] = []

    def resources(self) -> Iterable[Resource]:
        """Nothing."""
        return ()

    async def start(self) -> None:
        """Note it."""
        self.events.append("start")

    async def run(self, emit: Emit) -> None:
        """Emit everything in order."""
        self.events.append("run")
        for item in self._items:
            await emit(item)

    async def stop(self) -> None:
        """Note it."""
        self.events.append("stop")


class MemoryStorage:
    """Keeps batches in lists; refuses to store a batch id twice, as every storage must.

    :ivar batches: what was written, in order. :ivar fail_next: how many of the next writes raise.
    """

    def __init__(self) -> None:
        self.batches: list[RecordBatch] = []
        self.fail_next = 0
        self.events: list[str] = []
        self._seen: set[str] = set()

    async def start(self) -> None:
        """Note it."""
        self.events.append("start")

    async def stop(self) -> None:
        """Note it."""
        self.events.append("stop")

    async def write(self, batch: RecordBatch) -> None:
        """Keep a batch.

        :raises StorageError: while ``fail_next`` lasts.
        """
        if self.fail_next > 0:
            self.fail_next -= 1
            raise StorageError("the memory storage was told to fail")
        if batch.batch_id and batch.batch_id in self._seen:
            return
        self._seen.add(batch.batch_id)
        self.batches.append(batch)

    async def execute(self, plan: Plan) -> pa.Table:
        """Not a database.

        :raises UnsupportedQuery: always; use the storage-memory plugin for questions.
        """
        raise UnsupportedQuery("the test kit's MemoryStorage answers no plans; use the plugin metaflow-storage-memory")

    async def health(self) -> Mapping[str, Any]:
        """Rows per table."""
        return {"tables": {name: table.num_rows for name, table in self.tables().items()}}

    def tables(self) -> dict[str, pa.Table]:
        """Everything that was written, one Arrow table each."""
        import pyarrow as pa

        grouped: dict[str, list[pa.RecordBatch]] = {}
        for batch in self.batches:
            grouped.setdefault(batch.table, []).append(batch.data)
        return {name: pa.Table.from_batches(parts) for name, parts in sorted(grouped.items())}

    def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        """Rows of a table as dictionaries; empty when nothing was written to it."""
        found = self.tables().get(table)
        return [] if found is None else plain_rows(found)


class MemoryExporter:
    """Keeps what it was given to send.

    :ivar batches: in order. :ivar fail_next: how many of the next exports raise.
    """

    def __init__(self) -> None:
        self.batches: list[RecordBatch] = []
        self.fail_next = 0

    async def start(self) -> None:
        """Nothing to acquire."""

    async def stop(self) -> None:
        """Nothing to give back."""

    async def export(self, batch: RecordBatch) -> None:
        """Keep a batch.

        :raises ConnectionError: while ``fail_next`` lasts.
        """
        if self.fail_next > 0:
            self.fail_next -= 1
            raise ConnectionError("the memory exporter was told to fail")
        self.batches.append(batch)
