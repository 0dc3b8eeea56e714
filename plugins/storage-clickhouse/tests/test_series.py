"""Labels of series: kept once a series, shown on every row, moved there from rows of the first version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.errors import ClickHouseError
from metaflow_storage_clickhouse.sql.quote import text

from metaflow_core.errors import StorageError
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan

TABLE = "prometheus.samples"
BIG = 2**63 + 5


def samples(rows: list[tuple[int, int, dict[str, str]]]) -> pa.RecordBatch:
    lists = pa.list_(pa.utf8())
    return pa.RecordBatch.from_pydict(
        {
            "timestamp": pa.array([at * 1_000_000 for at, *_ in rows], pa.timestamp("us", "UTC")),
            "metric_name": pa.array(["up"] * len(rows)),
            "series_id": pa.array([number for _, number, _ in rows], pa.uint64()),
            "label_names": pa.array([list(labels) for *_, labels in rows], lists),
            "label_values": pa.array([list(labels.values()) for *_, labels in rows], lists),
            "value": pa.array([1.0] * len(rows)),
        }
    )


def by_job(store: Any) -> dict[str, int]:
    plan = Aggregate(Scan(TABLE), (Named("job", Ref("label.job")),), (Fold("n", "count"),))
    return {row["job"]: row["n"] for row in store.query(plan).to_pylist()}


def labels_of_rows(store: Any) -> list[dict[str, str]]:
    rows = store.query(Scan(TABLE, ("timestamp", "label_names", "label_values"))).to_pylist()
    found = sorted(rows, key=lambda row: row["timestamp"])
    return [dict(zip(row["label_names"], row["label_values"], strict=True)) for row in found]


HARD = {"job": "a\n\"'\\é/\x01", "zone": ""}


def test_labels_are_no_columns_of_rows_and_are_shown_as_if_they_were(store: Any) -> None:
    store.write(TABLE, samples([(1, BIG, HARD), (2, 5, {"job": "b"}), (3, 0, {}), (4, 0, {"job": "c"})]))
    kinds = {
        row["name"]: row["default_kind"]
        for row in store.sql("SELECT name, default_kind FROM system.columns WHERE `table` = 'samples'")
    }
    assert kinds["label_names"] == kinds["label_values"] == "ALIAS"
    assert labels_of_rows(store) == [HARD, {"job": "b"}, {}, {"job": "c"}]
    store.write(TABLE, samples([(5, 7, {"job": "later"}), (6, BIG, HARD)]))
    assert by_job(store) == {HARD["job"]: 2, "b": 1, "": 1, "c": 1, "later": 1}
    raw = store.do(store.storage.execute_sql(f"SELECT label_values AS v FROM {TABLE} WHERE series_id = 7"))
    assert raw.to_pylist() == [{"v": ["later"]}]
    sql = store.storage.explain(Aggregate(Scan(TABLE), (Named("job", Ref("label.job")),), (Fold("n", "count"),)))
    assert sql.index("dictGetOrDefault") < sql.index("GROUP BY")


def test_labels_survive_a_restart_and_a_refused_insert(
    stores: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stores()
    engine = first.storage._engine
    with monkeypatch.context() as patch:

        def refuse(_: object) -> None:
            raise ClickHouseError("Code: 243. DB::Exception: Cannot reserve", 243)

        patch.setattr(engine, "insert", refuse)
        with pytest.raises(StorageError):
            first.write(TABLE, samples([(1, 5, {"job": "a"})]), "one")
    first.write(TABLE, samples([(1, 5, {"job": "a"})]), "one")
    first.close()
    second = stores()
    assert by_job(second) == {"a": 1}
    second.write(TABLE, samples([(2, 5, {"job": "a"})]))
    assert by_job(second) == {"a": 2}


def test_a_store_of_the_first_version_is_moved(stores: Callable[..., Any]) -> None:
    first = stores()
    first.write(TABLE, samples([(1, BIG, HARD), (2, 5, {"job": "b"}), (3, 5, {"job": "b"}), (4, 0, {})]))
    engine = first.storage._engine
    for statement in (
        "ALTER TABLE prometheus.samples DROP COLUMN label_names, DROP COLUMN label_values",
        "ALTER TABLE prometheus.samples ADD COLUMN label_names Array(String), ADD COLUMN label_values Array(String)",
        "ALTER TABLE prometheus.samples UPDATE label_names = ['job'], label_values = ['b'] WHERE series_id = 5 SETTINGS mutations_sync = 2",
        f"ALTER TABLE prometheus.samples UPDATE label_names = ['job', 'zone'], label_values = [{text(HARD['job'])}, ''] "  # noqa: ISC004
        f"WHERE series_id = {BIG} SETTINGS mutations_sync = 2",
        "DROP DICTIONARY flow_tag.series_label",
        "DROP TABLE flow_tag.series_label_rows",
        "ALTER TABLE metaflow_system.schema_version DELETE WHERE version >= 2 SETTINGS mutations_sync = 2",
        "INSERT INTO metaflow_system.schema_version (version, kind, subject, change) VALUES (1, 'version', 'store', 'x')",
    ):
        engine.command(statement)
    first.close()
    second = stores()
    assert second.storage._done[0].startswith("version 2: labels of series")
    assert labels_of_rows(second) == [HARD, {"job": "b"}, {"job": "b"}, {}]
    second.write(TABLE, samples([(5, 5, {"job": "b"})]))
    assert by_job(second)["b"] == 3
