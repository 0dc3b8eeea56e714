"""The statements that make tables, as text: what SQLAlchemy would compile (a test compares what ClickHouse makes of both) without its import.

Indexes and sums by minute stand in the statement of the table: an ALTER for each took ClickHouse as long as all tables together.
"""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.model.catalog import Table
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.types import HIDDEN
from metaflow_storage_clickhouse.sql.quote import identifier, table_name, text

__all__ = ["create_statements"]

_SHARD = "/clickhouse/tables/{shard}/{database}/{table}"


def create_statements(table: Table, layout: Layout) -> list[str]:
    """What makes a table with its indexes and sums: one statement; on a cluster a second makes the table over all shards."""
    kind = "AggregatingMergeTree" if table.rolled_from else "MergeTree"
    engine = f"Replicated{kind}({text(_SHARD)}, '{{replica}}')" if layout.cluster else f"{kind}()"
    parts = [
        _create(layout.physical(table.name), layout, (*_columns(table, layout), *_beside(table, layout)), engine),
        f"PARTITION BY {layout.partition_by(table)}",
        f"PRIMARY KEY {_key(layout.primary_key(table))}",
        f"ORDER BY {_key(layout.order_by(table))}",
    ]
    ttl = layout.ttl(table)
    if ttl:
        parts.append(f"TTL {ttl}")
    parts.append(f"SETTINGS {', '.join(f'{name} = {value}' for name, value in sorted(layout.settings().items()))}")
    made = [" ".join(parts)]
    if layout.cluster:
        made.append(_distributed(table, layout))
    return made


def _create(name: str, layout: Layout, lines: Iterable[str], engine: str) -> str:
    return f"CREATE TABLE IF NOT EXISTS {name}{layout.on_cluster()} ({', '.join(lines)}) ENGINE = {engine}"


def _key(columns: tuple[str, ...]) -> str:
    return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"


def _columns(table: Table, layout: Layout) -> list[str]:
    lines = [
        f"{identifier(name)} {type_} CODEC({layout.codec_of(type_)})" for name, type_ in layout.columns(table).items()
    ]
    stored = HIDDEN["_stored"]
    if table.rolled_from:
        stored = f"SimpleAggregateFunction(max, {stored})"
    else:
        lines.append(f"`_batch` {HIDDEN['_batch']} CODEC({layout.codec})")
    return [*lines, f"`_stored` {stored} DEFAULT now() CODEC({layout.codec})"]


def _beside(table: Table, layout: Layout) -> list[str]:
    return [
        *(f"INDEX {name} {what}" for name, what in layout.indexes(table)),
        *(f"PROJECTION {each.name} ({each.definition(table)})" for each in layout.sums(table)),
    ]


def _distributed(table: Table, layout: Layout) -> str:
    """The table over all shards. A batch goes to one shard, so that its repetition meets it there.

    A Distributed table sends every column that it has, so what no insert names gets its value here or nowhere.
    """
    columns = dict(layout.columns(table))
    if not table.rolled_from:
        columns["_batch"] = HIDDEN["_batch"]
    columns["_stored"] = f"{HIDDEN['_stored']} DEFAULT now()"
    key = "cityHash64(`_stored`)" if table.rolled_from else "cityHash64(`_batch`)"
    names = (layout.cluster, table.database, f"{table.short}_local")
    engine = f"Distributed({', '.join(map(identifier, names))}, {key})"
    return _create(
        table_name(table.name), layout, (f"{identifier(name)} {type_}" for name, type_ in columns.items()), engine
    )
