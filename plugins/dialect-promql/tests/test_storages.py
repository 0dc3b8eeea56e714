"""The same answers from every storage that is installed: plans say what is wanted, not how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from compare import ask, difference
from expressions import HAND

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.api.clock import SystemClock
from metaflow_core.query import Scan
from metaflow_core.testing import build_context

BASE_S = 1_800_000_000


@pytest.fixture(params=["duckdb", "clickhouse"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """An empty one of each kind that is installed."""
    name: str = request.param
    plugin = pytest.importorskip(f"metaflow_storage_{name}.plugin", reason=f"metaflow-storage-{name} is not installed")
    pytest.importorskip(
        {"duckdb": "duckdb", "clickhouse": "chdb"}[name], reason=f"the engine of {name} is not installed"
    )
    factory = next(iter(plugin.metaflow_storages()))
    context = build_context(Kind.STORAGE, name, data_dir=tmp_path, clock=SystemClock())
    options = {"retention": "forever"} if name == "clickhouse" else {}
    made = factory.create(context, factory.config.model_validate(options))
    await made.start()
    yield made
    await made.stop()


async def test_same_answers(storage: Any, make_app: Any, stored: Any) -> None:
    rows = await stored.execute(Scan("prometheus.samples"))
    for number, batch in enumerate(rows.combine_chunks().to_batches()):
        await storage.write(RecordBatch("prometheus.samples", batch, f"batch-{number}"))
    theirs, ours = make_app(storage), make_app(stored)
    end = BASE_S + 85 * 60 + 7
    for text in HAND[::5]:
        params = {"start": end - 2400, "end": end, "step": 120}
        found = await ask(theirs.dialect, storage, text, params)
        expected = await ask(ours.dialect, stored, text, params)
        assert difference(found, expected, False) is None, text


async def test_keys_of_map_tags(storage: Any, make_app: Any) -> None:
    times = pa.array([BASE_S, BASE_S, BASE_S]).cast(pa.timestamp("s", "UTC"))
    columns = {"pod_id": [1, 2, 3], "request": [10, 20, 40], "l7_protocol": [20] * 3}
    batch = pa.RecordBatch.from_pydict({"time": times, **columns})
    await storage.write(RecordBatch("flow_metrics.application.1m", batch, "batch-1"))
    learnt = storage.learn("pod_label", {1: '{"app/part":"a"}', 2: '{"app/part":"b"}', 3: '{"other":"c"}'})
    if learnt is not None:
        await learnt
    text = "sum by (k8s_label_app_part) (flow_metrics__application__request__1m)"
    rows = (await make_app(storage).query("promql", text, time=BASE_S + 60)).table.drop_columns("time").to_pylist()
    label = "k8s_label_app_part"
    assert rows == [{label: "", "value": 40.0}, {label: "a", "value": 10.0}, {label: "b", "value": 20.0}]
