"""Small batches go together, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyarrow as pa
from metaflow_storage_clickhouse.lanes import Lanes
from metaflow_storage_clickhouse.writer import Item

from metaflow_core.model.catalog import Table, load_catalog

TABLE = load_catalog().table("l7_flow_log")
HOUR_S = 3600.0


def item(rows: int) -> Item:
    return Item(pa.record_batch({"time": [0] * rows}), 1)


async def test_what_is_enough_does_not_linger() -> None:
    groups: list[int] = []

    async def store(table: Table, items: Sequence[Item]) -> None:
        groups.append(len(items))

    lanes = Lanes(store, flush_rows=100_000, linger_s=HOUR_S, max_bytes=1 << 30)
    async with asyncio.timeout(30):
        await lanes.put(TABLE, item(1))
        assert groups == [1], "the first goes at once"
        await asyncio.gather(*(lanes.put(TABLE, item(1)) for _ in range(32)))
        assert groups == [1, 32], "many small ones are enough"
        few = asyncio.create_task(lanes.put(TABLE, item(1)))
        await asyncio.sleep(0.01)
        assert groups == [1, 32]
        await lanes.put(TABLE, item(10_000))
        await few
        assert groups == [1, 32, 2], "and so are many rows"
        last = asyncio.create_task(lanes.put(TABLE, item(1)))
        await asyncio.sleep(0.01)
        await lanes.close()
        await last
    assert groups == [1, 32, 2, 1], "nobody waits at the end"
