"""Labels that are kept once a series."""

from __future__ import annotations

import pyarrow as pa
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.model.catalog import load_catalog

SAMPLES = "prometheus.samples"


def samples(rows: list[tuple[int, int, list[str], list[str]]]) -> RecordBatch:
    columns = {
        "timestamp": pa.array([at * 1_000_000 for at, *_ in rows], pa.timestamp("us", "UTC")),
        "metric_name": pa.array(["up"] * len(rows)),
        "series_id": pa.array([number for _, number, *_ in rows], pa.uint64()),
        "label_names": pa.array([names for *_, names, _ in rows], pa.list_(pa.utf8())),
        "label_values": pa.array([values for *_, values in rows], pa.list_(pa.utf8())),
        "value": pa.array([1.0] * len(rows)),
    }
    return RecordBatch(SAMPLES, pa.RecordBatch.from_pydict(columns))


def test_labels_are_kept_once_a_series() -> None:
    store = MemoryStorage(load_catalog())
    store.add(samples([(1, 2**63 + 5, ["job", "zone"], ["a", 'é"']), (2, 2**63 + 5, ["job", "zone"], ["a", 'é"'])]))
    batch = store._store.batches(SAMPLES)[0]
    assert "label_names" not in batch.schema.names


def test_labels_go_with_their_rows() -> None:
    store = MemoryStorage(load_catalog(), max_rows=4)
    store._series._clean_at = 6
    for number in range(1, 40):
        store.add(samples([(number, number, ["job"], [f"job-{number}"])]))
    assert len(store._series._texts) <= 50_000
    store._series._clean_at = 1
    store._series.tidy()
    assert sorted(store._series._texts) == [36, 37, 38, 39]
