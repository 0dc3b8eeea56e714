"""The contract of storages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.api import RecordBatch
from metaflow_core.errors import MetaFlowError
from metaflow_core.query.plan import Scan
from metaflow_core.testing.context import build_context
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["StorageContract"]


class StorageContract(ComponentContract):
    """Inherit and set ``factory`` (and ``options``). Needs a storage with the roles write and read."""

    table = "flow_log.l7_message"

    def batch(self, rows: int, *, first: int = 0, batch_id: str = "") -> RecordBatch:
        """Rows that can be told apart: ``flow_id`` counts up from ``first``, one second apart."""
        import pyarrow as pa

        from metaflow_core.model.catalog import load_catalog
        from metaflow_core.model.catalog.conform import conform

        table = load_catalog().table(self.table)
        data = pa.record_batch(
            {
                "time_ns": pa.array(
                    [1_700_000_000_000_000_000 + (first + i) * 1_000_000_000 for i in range(rows)], pa.int64()
                ),
                "flow_id": pa.array([first + i for i in range(rows)], pa.uint64()),
                "request_type": pa.array([f"verb-{(first + i) % 3}" for i in range(rows)], pa.string()),
            }
        )
        return RecordBatch(table.name, conform(data, table), batch_id)

    async def _ids(self, component: Any) -> list[int]:
        answer = await component.execute(Scan(table=self.table))
        return sorted(answer.column("flow_id").to_pylist())

    @pytest.fixture
    async def running(self, component: Any) -> Any:
        """A started storage, stopped when the test ends."""
        await component.start()
        yield component
        await component.stop()

    async def test_gives_back_what_was_written(self, running: Any) -> None:
        """Rows of several batches come back, each once."""
        await running.write(self.batch(10))
        await running.write(self.batch(5, first=10))
        assert await self._ids(running) == list(range(15))

    async def test_batch_id_is_stored_once(self, running: Any) -> None:
        """A batch that is sent again, because its answer was lost, is not stored again."""
        batch = self.batch(7, batch_id="agent-1/42")
        await running.write(batch)
        await running.write(batch)
        assert await self._ids(running) == list(range(7))

    async def test_values_survive(self, running: Any) -> None:
        """Text and numbers come back as they went in."""
        await running.write(self.batch(3))
        answer = (await running.execute(Scan(table=self.table))).sort_by("flow_id")
        assert answer.column("request_type").to_pylist() == ["verb-0", "verb-1", "verb-2"]

    async def test_empty_table_is_empty(self, running: Any) -> None:
        """A table that nothing was written to has no rows; it is not an error."""
        answer = await running.execute(Scan(table=self.table))
        assert answer.num_rows == 0

    async def test_what_waits_is_asked_for_before_it_reads(self, tmp_path: Path) -> None:
        """Pipelines may keep rows in memory until somebody asks: ``BuildContext.flush`` is awaited, and what it writes is in the answer."""
        flushed: list[frozenset[str] | None] = []
        context = build_context(self.factory.kind, self.factory.type, data_dir=tmp_path)
        storage: list[Any] = []

        async def flush(tables: Collection[str] | None) -> None:
            flushed.append(None if tables is None else frozenset(tables))
            if len(flushed) == 1:
                await storage[0].write(self.batch(4, batch_id="waited"))

        storage.append(self.build(replace(context, flush=flush)))
        await storage[0].start()
        try:
            assert await self._ids(storage[0]) == list(range(4))
        finally:
            await storage[0].stop()
        assert flushed == [frozenset({self.table})]

    async def test_unknown_table_is_a_sentence(self, running: Any) -> None:
        """A table that the catalogue does not know is refused."""
        with pytest.raises(MetaFlowError, match="surely_not_a_table"):
            await running.execute(Scan(table="surely_not_a_table"))

    async def test_health_is_told(self, running: Any) -> None:
        """``health`` is a mapping that can be printed."""
        import json

        json.dumps(dict(await running.health()), default=str)
