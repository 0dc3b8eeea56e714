"""Names as they were at the row's time, and labels that are kept once a series."""

from __future__ import annotations

import pyarrow as pa
import pytest
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Ref, parse_expression
from metaflow_core.query import Aggregate, Filter, Fold, Named, Project, Scan, TimeRange

TABLE, SAMPLES = "flow_log.l7_flow_log", "prometheus.samples"
S = 10**9


@pytest.fixture
def store() -> MemoryStorage:
    return MemoryStorage(load_catalog())


def fill(store: MemoryStorage) -> None:
    """Pod 7 is asked at 10, 20 and 30 s; pod 8 at 15 s."""
    columns = {
        "time": pa.array([10, 20, 30, 15], pa.int64()),
        "flow_id": pa.array([1, 2, 3, 4], pa.uint64()),
        "pod_id_0": pa.array([7, 7, 7, 8], pa.uint32()),
    }
    store.add(RecordBatch(TABLE, pa.RecordBatch.from_pydict(columns)))


def by_pod(store: MemoryStorage, span: TimeRange | None = None) -> dict[str, int]:
    plan = Aggregate(Scan(TABLE, time=span), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    return {row["pod"]: row["n"] for row in store.query(plan).to_pylist()}


def test_a_name_is_the_one_of_the_rows_time(store: MemoryStorage) -> None:
    fill(store)
    store.learn("pod", {7: "old", 8: "other"})
    store.learn("pod", {7: "new"}, 20)
    assert by_pod(store) == {"old": 1, "new": 2, "other": 1}
    assert by_pod(store, TimeRange(0, 20 * S)) == {"old": 1, "other": 1}
    assert by_pod(store, TimeRange(25 * S, 40 * S)) == {"new": 1}
    plan = Filter(Scan(TABLE, ("flow_id",)), parse_expression("pod_0 = 'old'"))
    assert store.query(Project(plan, (Named("flow_id", Ref("flow_id")),))).to_pylist() == [{"flow_id": 1}]


def test_a_name_that_came_after_the_row_is_shown(store: MemoryStorage) -> None:
    fill(store)
    assert by_pod(store) == {"7": 3, "8": 1}
    store.learn("pod", {7: "late"}, 1_000)
    assert by_pod(store) == {"late": 3, "8": 1}


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


def test_labels_are_kept_once_a_series_and_shown_on_every_row(store: MemoryStorage) -> None:
    store.add(samples([(1, 2**63 + 5, ["job", "zone"], ["a", 'é"']), (2, 2**63 + 5, ["job", "zone"], ["a", 'é"'])]))
    store.add(samples([(3, 9, ["job"], ["b"]), (4, 0, ["job"], ["c"]), (5, 0, ["job"], ["c"]), (6, 0, [], [])]))
    batch = store._store.batches(SAMPLES)[0]
    assert "label_names" not in batch.schema.names
    rows = store.query(Scan(SAMPLES, ("label_names", "label_values", "series_id"))).to_pylist()
    assert [row["label_values"] for row in rows] == [["a", 'é"'], ["a", 'é"'], ["b"], ["c"], ["c"], []]
    assert [row["label_names"] for row in rows[:3]] == [["job", "zone"], ["job", "zone"], ["job"]]
    assert rows[3]["series_id"] == rows[4]["series_id"] != 0 == rows[5]["series_id"]
    by_job = Aggregate(Scan(SAMPLES), (Named("job", Ref("label.job")),), (Fold("n", "count"),))
    assert {row["job"]: row["n"] for row in store.query(by_job).to_pylist()} == {"a": 2, "b": 1, "c": 2, "": 1}


def test_labels_go_with_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStorage(load_catalog(), max_rows=4)
    store._series._clean_at = 6
    for number in range(1, 40):
        store.add(samples([(number, number, ["job"], [f"job-{number}"])]))
    assert len(store._series._texts) <= 50_000
    store._series._clean_at = 1
    store._series.tidy()
    assert sorted(store._series._texts) == [36, 37, 38, 39]
