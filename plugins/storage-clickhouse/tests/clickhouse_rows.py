"""Rows and questions that several tests use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from metaflow_core.api import RecordBatch
from metaflow_core.model.expression import Call, Literal, Ref
from metaflow_core.query import Aggregate, Fold, Measure, Named, Scan

METRICS = "flow_metrics.application.1m"


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


async def pods(batch: RecordBatch) -> RecordBatch:
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


LOG = "flow_log.l7_flow_log"
SECOND = 1_000_000_000
START = 1_795_240_013
MEASURES = (
    Measure("requests", "Sum", (Ref("request"),)),
    Measure("errors", "Sum", (Ref("error"),)),
    Measure("mean", "Avg", (Ref("rrt"),)),
    Measure("most", "Max", (Ref("rrt"),)),
    Measure("ratio", "Avg", (Ref("error_ratio"),)),
    Measure("rows", "Count", (Ref("row"),)),
)
BY_SERVICE = (Named("service", Ref("auto_service_1")),)
BY_ENDPOINT = (Named("endpoint", Ref("endpoint")),)
BY_MINUTE = (Named("t", Call("bucket", (Ref("time"), Literal(120)))),)


def requests(count: int, seed: int, seconds: int = 900) -> pa.RecordBatch:
    """Requests over a quarter of an hour; one end in four has no owner, and of these half an IPv6 address."""
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, 4, count)
    four = rng.random(count) < 0.5
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array(START + rng.integers(0, seconds, count), pa.int64()),
            "flow_id": pa.array(np.arange(count), pa.uint64()),
            "type": pa.array(rng.integers(0, 3, count), pa.uint8()),
            "response_status": pa.array(
                [None if one == 1 else int(one) for one in rng.integers(0, 5, count)], pa.uint8()
            ),
            "response_duration": pa.array(rng.choice([0, 0, 5, 70_000, 2**40], count), pa.uint64()),
            "endpoint": pa.array([f"endpoint-{number}" for number in rng.integers(0, 6, count)]),
            "server_port": pa.array(rng.choice([80, 443], count), pa.uint16()),
            "auto_service_id_1": pa.array(owners, pa.uint32()),
            "auto_service_type_1": pa.array(np.where(owners > 0, 102, 255), pa.uint8()),
            "is_ipv4": pa.array(four),
            "ip4_1": pa.array(np.where(four, 0x0A000000 + rng.integers(0, 3, count), 0), pa.uint32()),
            "ip6_1": pa.array([bytes(15) + bytes([0 if one else 7]) for one in four], pa.binary(16)),
        }
    )
