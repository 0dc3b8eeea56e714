"""A store that an older catalogue, or another version, has made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.migrate import MIGRATIONS, STORE_VERSION, Migration, bring_up

from metaflow_core.errors import StartError
from metaflow_core.model.catalog import Column, Table, load_catalog
from metaflow_core.query import Scan

CATALOG = load_catalog()
EXPLAIN = "flow_log.explain"


def types(store: Any, table: str) -> dict[str, str]:
    database, _, name = table.partition(".")
    rows = store.sql(f"SELECT name, type FROM system.columns WHERE database = '{database}' AND `table` = '{name}'")
    return {row["name"]: row["type"] for row in rows}


def _with_column(column: Column) -> Any:
    return CATALOG.extend(columns={EXPLAIN: (column,)})


def _with_type(name: str, type_: str) -> Any:
    table = CATALOG.table(EXPLAIN)
    columns = tuple(replace(each, type=type_) if each.name == name else each for each in table.columns)

    class Changed:
        tables = {**{key: CATALOG.tables[key] for key in CATALOG.tables}, EXPLAIN: replace(table, columns=columns)}

    return Changed()


def test_columns_are_added_and_widened_and_rows_stay(store: Any) -> None:
    engine = store.storage._engine
    store.write(
        EXPLAIN, pa.RecordBatch.from_pydict({"time_ns": pa.array([10**18]), "flow_id": pa.array([7], pa.uint64())})
    )
    done = bring_up(engine, _with_column(Column("team", "lowcard", absent="null", description="Team.")), Layout())
    assert done == [f"{EXPLAIN}: column team added"]
    assert types(store, EXPLAIN)["team"] == "LowCardinality(Nullable(String))"
    done = bring_up(engine, _with_type("reason", "lowcard"), Layout())
    assert done == [f"{EXPLAIN}: column reason widened from String"]
    assert store.sql("SELECT flow_id, team FROM flow_log.explain") == [{"flow_id": 7, "team": None}]
    log = store.sql("SELECT change FROM metaflow_system.schema_version WHERE kind = 'table' ORDER BY applied")
    assert [row["change"] for row in log] == ["column team added", "column reason widened from String"]


def test_a_store_of_version_2_compresses_numbers_as_a_new_one(store: Any) -> None:
    engine = store.storage._engine
    engine.command("ALTER TABLE flow_log.l7_flow_log MODIFY COLUMN response_duration CODEC(ZSTD(1))")
    engine.command("ALTER TABLE metaflow_system.schema_version DELETE WHERE version > 2 SETTINGS mutations_sync = 2")
    where = "database = 'flow_log' AND `table` = 'l7_flow_log' AND name = 'response_duration'"
    asked = f"SELECT compression_codec AS c FROM system.columns WHERE {where}"
    assert store.sql(asked) == [{"c": "CODEC(ZSTD(1))"}]
    assert "version 3: numbers are compressed without their empty bits" in bring_up(engine, CATALOG, Layout())
    assert store.sql(asked) == [{"c": "CODEC(T64, ZSTD(1))"}]


def test_a_new_tag_of_metrics_joins_the_key_of_their_rollups(store: Any) -> None:
    engine = store.storage._engine
    tables = [f"flow_metrics.application_map.{step}" for step in ("1d", "1h", "1m")]
    for table in tables:
        database, _, name = table.partition(".")
        (row,) = store.sql(
            f"SELECT sorting_key AS k FROM system.tables WHERE database = '{database}' AND name = '{name}'"
        )
        quoted = f"`{database}`.`{name}`"
        if table.endswith(("1h", "1d")):
            # as a store was made before there was the tag
            (made,) = store.sql(f"SHOW CREATE TABLE {quoted}")
            engine.command(f"DROP TABLE IF EXISTS `{database}`.`{name}_fill` SYNC")
            engine.command(f"DROP TABLE {quoted} SYNC")
            lines = [
                line for line in str(next(iter(made.values()))).splitlines() if not line.strip().startswith("`is_tls`")
            ]
            assert "is_tls" in row["k"]
            engine.command("\n".join(lines).replace(", is_tls", ""))
        else:
            engine.command(f"ALTER TABLE {quoted} DROP COLUMN is_tls")
    engine.command(
        "ALTER TABLE metaflow_system.schema_version DELETE WHERE kind = 'catalogue' SETTINGS mutations_sync = 2"
    )
    assert {f"{table}: column is_tls added" for table in tables} == {
        line for line in bring_up(engine, CATALOG, Layout()) if "is_tls" in line
    }
    for flag in (False, True, True):
        rows = {
            "time": pa.array([7200], pa.uint32()),
            "is_tls": pa.array([flag]),
            "request": pa.array([1], pa.uint64()),
        }
        store.write("flow_metrics.application_map.1m", pa.RecordBatch.from_pydict(rows), f"of-tls-{flag}")
    engine.command("OPTIMIZE TABLE `flow_metrics`.`application_map.1h` FINAL")
    asked = "SELECT is_tls, sum(request) AS n FROM `flow_metrics`.`application_map.1h` GROUP BY is_tls ORDER BY is_tls"
    assert store.sql(asked) == [{"is_tls": False, "n": 1}, {"is_tls": True, "n": 1}]


def test_what_cannot_be_changed_in_place_is_told(store: Any) -> None:
    with pytest.raises(StartError, match=r"'reason' of flow_log.explain holds String.*must become UInt32"):
        bring_up(store.storage._engine, _with_type("reason", "u32"), Layout())


def test_versions_are_applied_in_turn_and_recorded(store: Any) -> None:
    engine = store.storage._engine
    steps = {
        **MIGRATIONS,
        STORE_VERSION + 1: Migration("a comment", lambda *_: ["ALTER TABLE flow_log.explain MODIFY COMMENT 'two'"]),
        STORE_VERSION + 2: Migration("another", lambda *_: ["ALTER TABLE flow_log.explain MODIFY COMMENT 'three'"]),
    }
    assert bring_up(engine, CATALOG, Layout(), steps) == [
        f"version {STORE_VERSION + 1}: a comment",
        f"version {STORE_VERSION + 2}: another",
    ]
    assert store.sql("SELECT comment FROM system.tables WHERE database = 'flow_log' AND name = 'explain'") == [
        {"comment": "three"}
    ]
    assert bring_up(engine, CATALOG, Layout(), steps) == []
    with pytest.raises(StartError, match=f"has version {STORE_VERSION + 2}"):
        bring_up(engine, CATALOG, Layout())


def test_retention_follows_the_options(stores: Callable[..., Any]) -> None:
    def expiry(store: Any, table: str) -> str:
        (row,) = store.sql(
            f"SELECT engine_full AS e FROM system.tables WHERE database = 'flow_log' AND name = '{table}'"
        )
        return str(row["e"])

    first = stores(retention_hours={"flow_log.l7_flow_log": 5})
    assert "toIntervalHour(5)" in expiry(first, "l7_flow_log")
    assert "toIntervalHour(72)" in expiry(first, "l4_flow_log")
    # Of last century, and stored a moment ago: it is kept.
    first.write(
        "l7_message", pa.RecordBatch.from_pydict({"time_ns": pa.array([10**17]), "flow_id": pa.array([7], pa.uint64())})
    )
    first.storage._engine.command("OPTIMIZE TABLE flow_log.l7_message FINAL")
    assert first.query(Scan("l7_message", ("flow_id",))).num_rows == 1
    first.close()
    second = stores(retention="forever")
    assert "TTL" not in expiry(second, "l7_flow_log")


def test_new_tables_of_a_plugin_are_made(store: Any) -> None:
    column = CATALOG.table(EXPLAIN).columns
    table = Table("plugin_x.rows", "plugin_x.rows", "", "", "", "x", "none", "time", ("time",), "1d", 24, column)
    done = bring_up(store.storage._engine, CATALOG.extend(tables=(table,)), Layout())
    assert done == ["plugin_x.rows: made"]
