"""Names as they were at the row's time, and labels that are kept once a series."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.storage import DuckdbStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan

TABLE, SAMPLES = "flow_log.l7_flow_log", "prometheus.samples"


def opened(path: str = ":memory:", **options: object) -> DuckdbStorage:
    storage = DuckdbStorage(load_catalog(), DuckdbConfig.model_validate({"path": path, **options}))
    storage.open()
    return storage


def fill(store: DuckdbStorage) -> None:
    """Pod 7 is asked at 10, 20 and 30 s; pod 8 at 15 s."""
    columns = {
        "time": pa.array([10, 20, 30, 15], pa.int64()),
        "flow_id": pa.array([1, 2, 3, 4], pa.uint64()),
        "pod_id_0": pa.array([7, 7, 7, 8], pa.uint32()),
    }
    store.add(RecordBatch(TABLE, pa.RecordBatch.from_pydict(columns)))


def by_pod(store: DuckdbStorage) -> dict[str, int]:
    plan = Aggregate(Scan(TABLE), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    return {row["pod"]: row["n"] for row in store.query(plan).to_pylist()}


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
    store = opened()
    store.add(samples([(1, 2**63 + 5, ["job", "zone"], ["a", 'é"']), (2, 2**63 + 5, ["job", "zone"], ["a", 'é"'])]))
    assert "label_names" not in store._database.tables[SAMPLES]
    store.close()


def test_names_and_labels_survive_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "x.duckdb")
    store = opened(path)
    fill(store)
    store.add(samples([(1, 2**63 + 5, ["job"], ["a"])]))
    store.learn("pod", {7: "old", 8: "other"})
    store.learn("pod", {7: "new"}, 20)
    store.learn("vpc", {-2: "Internet"})
    store.close()
    store = opened(path)
    assert by_pod(store) == {"old": 1, "new": 2, "other": 1}
    store.learn("pod", {7: "newest"}, 30)
    assert by_pod(store) == {"old": 1, "new": 1, "newest": 1, "other": 1}
    assert store.query(Scan(SAMPLES, ("label_values",))).to_pylist() == [{"label_values": ["a"]}]
    store.close()


def test_a_file_of_the_first_layout_is_changed_in_place(tmp_path: Path) -> None:
    path = str(tmp_path / "x.duckdb")
    store = opened(path)
    fill(store)
    store.add(samples([(1, 5, ["job"], ["a"]), (2, 5, ["job"], ["a"]), (3, 6, [], [])]))
    store.close()
    with duckdb.connect(path) as connection:
        table = '"prometheus.samples"'
        for column in ("label_names", "label_values"):
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR[] DEFAULT []")
        connection.execute(f"UPDATE {table} SET label_names = ['job'], label_values = ['a'] WHERE series_id = 5")
        connection.execute('DROP TABLE "metaflow.names"')
        connection.execute('DROP TABLE "metaflow.series"')
        connection.execute(
            'CREATE TABLE "metaflow.names" (dictionary VARCHAR, id BIGINT, name VARCHAR NOT NULL, PRIMARY KEY (dictionary, id))'
        )
        connection.execute(
            """INSERT INTO "metaflow.names" VALUES ('pod', 7, 'web'), ('pod', 8, 'db'), ('vpc', -2, 'Internet')"""
        )
        connection.execute('UPDATE "metaflow.version" SET version = 1')
    with pytest.raises(StorageError, match="earlier version.*open it once without read_only"):
        opened(path, read_only=True)
    store = opened(path)
    assert by_pod(store) == {"web": 3, "db": 1}
    rows = store.query(Scan(SAMPLES, ("label_names", "label_values"))).to_pylist()
    assert sorted(row["label_values"] for row in rows) == [[], ["a"], ["a"]]
    store.add(samples([(4, 5, ["job"], ["a"])]))
    by_job = Aggregate(Scan(SAMPLES), (Named("job", Ref("label.job")),), (Fold("n", "count"),))
    assert {row["job"]: row["n"] for row in store.query(by_job).to_pylist()} == {"a": 3, "": 1}
    store.close()
