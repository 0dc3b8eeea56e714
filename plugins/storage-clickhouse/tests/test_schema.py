"""The catalogue in ClickHouse: made, reflected, rolled up."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.migrate import bring_up
from metaflow_storage_clickhouse.schema.types import HIDDEN, column_type, widened

from metaflow_core.model.catalog import load_catalog
from metaflow_core.query import Scan

CATALOG = load_catalog()
EXPLAIN = "flow_log.explain"


def types(store: Any, table: str) -> dict[str, str]:
    database, _, name = table.partition(".")
    rows = store.sql(f"SELECT name, type FROM system.columns WHERE database = '{database}' AND `table` = '{name}'")
    return {row["name"]: row["type"] for row in rows}


def test_every_table_is_there_with_its_types(shared: Any) -> None:
    for table in CATALOG.tables.values():
        found = types(shared, table.name)
        assert set(found) - set(HIDDEN) == {column.name for column in table.columns}, table.name
        if not table.rolled_from:
            assert all(found[column.name] == column_type(column) for column in table.columns), table.name


def test_sqlalchemy_reads_the_schema_back(shared: Any) -> None:
    import sqlalchemy as sa
    from metaflow_storage_clickhouse.schema.dialect import sqlalchemy_engine
    from metaflow_storage_clickhouse.schema.tables import sa_table

    engine = sqlalchemy_engine(shared.storage._engine)
    ours = sa_table(CATALOG.table("l7_flow_log"), Layout(), sa.MetaData())
    found = sa.Table("l7_flow_log", sa.MetaData(), schema="flow_log", autoload_with=engine)
    assert [c.name for c in found.columns] == [c.name for c in ours.columns]
    compiler = engine.dialect.type_compiler
    for name in ("time", "end_time", "ip4_0", "endpoint", "response_code", "attribute_names", "is_tls", "_batch"):
        # clickhouse-sqlalchemy reads a zone back with its quotes.
        assert compiler.process(found.c[name].type).replace("''", "'") == compiler.process(ours.c[name].type), name
    assert "network.1m" in sa.inspect(engine).get_table_names(schema="flow_metrics")
    with engine.connect() as connection:
        count = connection.execute(
            sa.select(sa.func.count(found.c.time)).where(found.c.endpoint == "it's \\ 'here'")
        ).scalar()
        assert count == 0


def test_nothing_is_done_twice(shared: Any) -> None:
    assert bring_up(shared.storage._engine, CATALOG, Layout("forever")) == []


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ("UInt8", "UInt16", True),
        ("UInt16", "UInt8", False),
        ("UInt32", "Int64", True),
        ("UInt32", "Int32", False),
        ("Int32", "UInt64", False),
        ("String", "LowCardinality(String)", True),
        ("LowCardinality(String)", "LowCardinality(Nullable(String))", True),
        ("UInt8", "Nullable(UInt16)", True),
        ("Nullable(UInt8)", "UInt16", False),
        ("String", "UInt32", False),
        ("SimpleAggregateFunction(sum, UInt64)", "SimpleAggregateFunction(sum, UInt64)", True),
    ],
)
def test_what_counts_as_wider(found: str, wanted: str, fits: bool) -> None:
    assert widened(found, wanted) is fits


def test_the_text_makes_what_sqlalchemy_says(shared: Any) -> None:
    """Made in a database of their own, the indexes and sums aside, which clickhouse-sqlalchemy has no words for."""
    from metaflow_storage_clickhouse.schema.ddl import create_statements
    from metaflow_storage_clickhouse.schema.tables import sqlalchemy_statements

    command = shared.storage._engine.command

    def made(statement: str) -> str:
        target = re.sub(r"(?<=EXISTS )\S+", "`by_hand`.`one`", statement, count=1)
        command(target)
        try:
            [row] = shared.sql(
                "SELECT create_table_query AS q FROM system.tables WHERE database = 'by_hand' AND name = 'one'"
            )
        finally:
            command("DROP TABLE `by_hand`.`one` SYNC")
        return re.sub(r", (INDEX|PROJECTION) .*?(?=\) ENGINE = )", "", str(row["q"]))

    command("CREATE DATABASE IF NOT EXISTS by_hand")
    try:
        other = Layout("forever", codec="LZ4", fsync=True)
        cases = [(table, Layout()) for table in CATALOG.tables.values()]
        cases += [(CATALOG.tables[name], other) for name in ("flow_log.l7_flow_log", "flow_metrics.network.1h")]
        for table, layout in cases:
            [text], [theirs] = create_statements(table, layout), sqlalchemy_statements(table, layout)
            assert made(text) == made(theirs), table.name
    finally:
        command("DROP DATABASE by_hand SYNC")


def test_a_cluster_gets_replicated_and_distributed_tables() -> None:
    from metaflow_storage_clickhouse.schema.ddl import create_statements
    from metaflow_storage_clickhouse.schema.tables import sqlalchemy_statements

    layout = Layout(cluster="prod")
    local, whole = create_statements(CATALOG.table(EXPLAIN), layout)
    assert "CREATE TABLE IF NOT EXISTS `flow_log`.`explain_local` ON CLUSTER `prod`" in local
    assert "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')" in local
    assert "CREATE TABLE IF NOT EXISTS `flow_log`.`explain` ON CLUSTER `prod`" in whole
    assert "Distributed(`prod`, `flow_log`, `explain_local`, cityHash64(`_batch`))" in whole
    rollup = create_statements(CATALOG.tables["flow_metrics.network.1h"], layout)
    assert "ReplicatedAggregatingMergeTree" in rollup[0]
    for table in CATALOG.tables.values():
        _, ours = create_statements(table, layout)
        _, theirs = sqlalchemy_statements(table, layout)
        assert plain(ours) == plain(theirs), table.name


def plain(statement: str) -> str:
    """Without quotes of names and white space, which mean nothing."""
    return statement.translate(str.maketrans("", "", '`"\n\t '))


def test_what_a_cluster_gets_is_clickhouse_sql(shared: Any) -> None:
    """Read by the engine's own parser; what becomes of it only a cluster could tell."""
    from metaflow_storage_clickhouse.schema.ddl import create_statements
    from metaflow_storage_clickhouse.schema.layout import root_of

    layout = Layout(cluster="prod")
    for table in CATALOG.tables.values():
        statements = create_statements(table, layout)
        if table.rolled_from:
            select = layout.rollup(table, root_of(table, CATALOG)).format(where="")
            target = f"{layout.view(table)}{layout.on_cluster()} TO {layout.physical(table.name)}"
            statements.append(f"CREATE MATERIALIZED VIEW IF NOT EXISTS {target} AS {select}")
        for statement in statements:
            assert shared.sql(f"EXPLAIN AST {statement}"), statement


def codecs(store: Any, table: str) -> dict[str, str]:
    database, _, name = table.partition(".")
    rows = store.sql(
        f"SELECT name, compression_codec AS c FROM system.columns WHERE database = '{database}' AND `table` = '{name}'"
    )
    return {row["name"]: row["c"] for row in rows}


def test_numbers_lose_their_empty_bits(shared: Any) -> None:
    found = codecs(shared, "flow_log.l7_flow_log")
    assert {found[name] for name in ("response_duration", "response_code", "end_time", "pod_id_0")} == {
        "CODEC(T64, ZSTD(1))"
    }
    assert {found[name] for name in ("endpoint", "is_ipv4", "ip6_0", "type", "time")} == {"CODEC(ZSTD(1))"}
    assert codecs(shared, "flow_metrics.network.1h")["byte"] == "CODEC(T64, ZSTD(1))"
    assert Layout(codec="Delta, LZ4").codec_of("UInt64") == "Delta, LZ4"
    assert Layout(codec="NONE").codec_of("UInt64") == "NONE"


def test_rollups_hold_sums_and_greatest(shared: Any) -> None:
    shared.clear("flow_metrics.network.1m", "flow_metrics.network.1h", "flow_metrics.network.1d")
    for part in ((3600, 10, 5), (3660, 20, 3), (7200, 1, 9), (3600, 100, 1)):
        time, byte, rtt = part
        data = pa.RecordBatch.from_pydict(
            {
                "time": pa.array([time], pa.int64()),
                "pod_id": pa.array([1], pa.uint32()),
                "byte": pa.array([byte], pa.uint64()),
                "rtt_max": pa.array([rtt], pa.uint32()),
            }
        )
        shared.write("network.1m", data)
    hours = shared.query(Scan("network.1h", ("time", "byte", "rtt_max"))).sort_by("time").to_pylist()
    assert [(row["time"].timestamp(), row["byte"], row["rtt_max"]) for row in hours] == [(3600, 130, 5), (7200, 1, 9)]
    (day,) = shared.query(Scan("network.1d", ("time", "byte", "rtt_max"))).to_pylist()
    assert (day["time"].timestamp(), day["byte"], day["rtt_max"]) == (0, 131, 9)
