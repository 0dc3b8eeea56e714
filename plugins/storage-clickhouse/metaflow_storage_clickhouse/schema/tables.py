"""The catalogue's tables as SQLAlchemy tables, with the types and engines of clickhouse-sqlalchemy. Imports SQLAlchemy: a second."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from clickhouse_sqlalchemy import Table as ClickHouseTable
from clickhouse_sqlalchemy import engines, types
from sqlalchemy.schema import CreateTable

from metaflow_core.model.catalog import Table
from metaflow_storage_clickhouse.schema.dialect import ChdbDialect
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.types import HIDDEN

__all__ = ["sa_table", "sa_type", "sqlalchemy_statements"]

_SIMPLE = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


def sa_type(name: str) -> Any:
    """The SQLAlchemy type of a ClickHouse type as :mod:`~metaflow_storage_clickhouse.schema.types` writes it."""
    found = _SIMPLE.fullmatch(name)
    if found is None:
        return types.Boolean() if name == "Bool" else getattr(types, name)()
    outer, inner = found.groups()
    match outer:
        case "DateTime":
            return types.DateTime(timezone=inner.strip("'"))
        case "DateTime64":
            precision, _, zone = inner.partition(", ")
            return types.DateTime64(int(precision), zone.strip("'"))
        case "SimpleAggregateFunction":
            function, _, nested = inner.partition(", ")
            return types.SimpleAggregateFunction(function, sa_type(nested))
        case _:
            return getattr(types, outer)(sa_type(inner))


def sa_table(table: Table, layout: Layout, metadata: sa.MetaData) -> Any:
    """The table that holds the rows (on a cluster, the one of each shard)."""
    columns = [
        sa.Column(name, sa_type(type_), clickhouse_codec=layout.codec_of(type_))
        for name, type_ in layout.columns(table).items()
    ]
    if not table.rolled_from:
        columns.append(sa.Column("_batch", sa_type(HIDDEN["_batch"]), clickhouse_codec=layout.codec))
        columns.append(_stored_at(HIDDEN["_stored"], layout))
    else:
        columns.append(_stored_at(f"SimpleAggregateFunction(max, {HIDDEN['_stored']})", layout))
    settings = layout.settings()
    parts: dict[str, Any] = {
        "partition_by": sa.text(layout.partition_by(table)),
        "order_by": tuple(sa.text(each) for each in layout.order_by(table)),
        "primary_key": tuple(sa.text(each) for each in layout.primary_key(table)),
    }
    ttl = layout.ttl(table)
    if ttl:
        parts["ttl"] = sa.text(ttl)
    kind = "AggregatingMergeTree" if table.rolled_from else "MergeTree"
    if layout.cluster:
        path = "/clickhouse/tables/{shard}/{database}/{table}"
        engine = getattr(engines, f"Replicated{kind}")(path, "{replica}", **parts, **settings)
    else:
        engine = getattr(engines, kind)(**parts, **settings)
    suffix = "_local" if layout.cluster else ""
    options = {"clickhouse_cluster": layout.cluster} if layout.cluster else {}
    return ClickHouseTable(table.short + suffix, metadata, *columns, engine, schema=table.database, **options)


def _stored_at(type_: str, layout: Layout) -> sa.Column[Any]:
    return sa.Column("_stored", sa_type(type_), server_default=sa.text("now()"), clickhouse_codec=layout.codec)


def _distributed(table: Table, layout: Layout, metadata: sa.MetaData) -> Any:
    """The table over all shards. A batch goes to one shard, so that its repetition meets it there."""
    columns = [sa.Column(name, sa_type(type_)) for name, type_ in layout.columns(table).items()]
    if not table.rolled_from:
        columns.append(sa.Column("_batch", sa_type(HIDDEN["_batch"])))
    columns.append(sa.Column("_stored", sa_type(HIDDEN["_stored"]), server_default=sa.text("now()")))
    key = sa.func.cityHash64(sa.text("`_stored`" if table.rolled_from else "`_batch`"))
    engine = engines.Distributed(layout.cluster, table.database, f"{table.short}_local", key)
    return ClickHouseTable(
        table.short, metadata, *columns, engine, schema=table.database, clickhouse_cluster=layout.cluster
    )


def sqlalchemy_statements(table: Table, layout: Layout) -> list[str]:
    """What SQLAlchemy says to make a table, without its indexes and sums; on a cluster also the table over all shards.

    The storage itself uses :func:`~metaflow_storage_clickhouse.schema.ddl.create_statements`, which costs no import of SQLAlchemy.
    """
    metadata = sa.MetaData()
    made = [_compiled(sa_table(table, layout, metadata))]
    if layout.cluster:
        made.append(_compiled(_distributed(table, layout, metadata)))
    return made


def _compiled(table: Any) -> str:
    return str(CreateTable(table, if_not_exists=True).compile(dialect=ChdbDialect())).strip()
