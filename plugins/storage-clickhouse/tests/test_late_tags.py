"""Tags that came after their rows: what is made from these, and what a killed process leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from metaflow_core.api import RecordBatch
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan

TABLE = "flow_metrics.application.1m"


def metrics(*clients: int) -> pa.RecordBatch:
    """A minute each, of these clients' requests."""
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array([3600 + 60 * index for index in range(len(clients))], pa.int64()),
            "ip4": pa.array(clients, pa.uint32()),
            "is_ipv4": pa.array([True] * len(clients)),
            "request": pa.array([10] * len(clients), pa.uint64()),
        }
    )


async def _pods(batch: RecordBatch) -> RecordBatch:
    """Address 1 is pod 7."""
    numbers = [7 if address == 1 else 0 for address in batch.data.column("ip4").cast(pa.int64()).to_pylist()]
    data = batch.data
    for name in ("pod_id", "auto_instance_id", "auto_service_id"):
        index = data.schema.get_field_index(name)
        data = data.set_column(index, data.schema.field(index), pa.array(numbers, data.schema.field(index).type))
    return RecordBatch(batch.table, data)


def by_pod(store: Any, table: str) -> dict[int, int]:
    plan = Aggregate(Scan(table), (Named("pod", Ref("pod_id")),), (Fold("n", "sum", Ref("request")),))
    return {row["pod"]: row["n"] for row in store.query(plan).to_pylist()}


def test_what_is_rolled_up_is_made_again(store: Any) -> None:
    store.write(TABLE, metrics(1, 2, 1), "a")
    for table in (TABLE, "flow_metrics.application.1h"):
        assert by_pod(store, table) == {0: 30}
    assert store.do(store.storage.retag(TABLE, 3600, 7200, _pods)) == 2
    for table in (TABLE, "flow_metrics.application.1h", "flow_metrics.application.1d"):
        assert by_pod(store, table) == {0: 10, 7: 20}, table
    # The batch is known still, and stored once.
    store.storage._writer._done.clear()
    store.write(TABLE, metrics(1, 2, 1), "a")
    assert by_pod(store, TABLE) == {0: 10, 7: 20}


def test_what_a_killed_process_left_is_put_away(stores: Callable[..., Any]) -> None:
    first = stores()
    first.storage._engine.command(
        "CREATE TABLE metaflow_system.late_tags (`#number` FixedString(16), `#said` UInt8) ENGINE = Join(ANY, LEFT, `#number`)"
    )
    first.close()
    second = stores()
    assert second.sql("SELECT count() AS n FROM system.tables WHERE name = 'late_tags'") == [{"n": 0}]
    second.write(TABLE, metrics(1), "a")
    assert second.do(second.storage.retag(TABLE, 3600, 7200, _pods)) == 1
    assert by_pod(second, TABLE) == {7: 10}
