"""Rows of several shards as one: sorted by time and flow, metrics added up by key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaflow_engine_flow.tables import AGGREGATED

if TYPE_CHECKING:
    import pyarrow as pa

# What is no meter: the tags of the four metrics tables (crate mf-engine, aggregate/columns.rs).
_COMMON = (
    "time",
    "is_ipv4",
    "protocol",
    "server_port",
    "is_key_service",
    "capture_network_type_id",
    "signal_source",
    "agent_id",
)
_END = ("ip4", "ip6", "role")
_PATH = (
    "ip4_0",
    "ip4_1",
    "ip6_0",
    "ip6_1",
    "observation_point",
    "capture_nic",
    "capture_nic_type",
    "tunnel_type",
    "nat_source",
)
_APPLICATION = ("l7_protocol", "biz_type", "is_tls", "app_service", "app_instance", "endpoint")
_TAGS = frozenset((*_COMMON, *_END, *_PATH, *_APPLICATION))


def merge_rows(table: str, parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """The rows of several shards in an order that does not depend on how the threads ran.

    Rows of a flow come from one shard and keep their order; metrics of one time and key are added up.
    """
    import pyarrow as pa

    if len(parts) == 1:
        return parts[0]
    parts = _same_columns(parts)
    rows = pa.Table.from_batches([_plain(part) for part in parts])
    rows = _added(rows) if table in AGGREGATED else _sorted(rows)
    batches = _encoded(rows.combine_chunks(), parts[0].schema).to_batches()
    return batches[0] if batches else parts[0].slice(0, 0)


def _same_columns(parts: Sequence[pa.RecordBatch]) -> Sequence[pa.RecordBatch]:
    """Every part with the columns of all: a column that no row of a part set is not in that part."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for part in parts for name in part.schema.names))
    if all(part.schema.names == names for part in parts):
        return parts
    fields = [next(part.schema.field(name) for part in parts if name in part.schema.names) for name in names]
    return [
        pa.RecordBatch.from_arrays(
            [
                part.column(field.name) if field.name in part.schema.names else _zeros(field.type, part.num_rows)
                for field in fields
            ],
            schema=pa.schema(fields),
        )
        for part in parts
    ]


def _zeros(kind: pa.DataType, rows: int) -> pa.Array:
    """What rows have in a column that they did not set."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([""], pa.utf8()))
    return pa.repeat(pa.scalar(0, kind), rows)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Dictionaries as texts: shards have different ones, and not every kernel takes them."""
    import pyarrow as pa

    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _encoded(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [
        rows[field.name].dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else rows[field.name].cast(field.type)
        for field in schema
    ]
    return pa.Table.from_arrays([_one_chunk(column) for column in columns], schema=schema)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _sorted(rows: pa.Table) -> pa.Table:
    first = next(name for name in ("start_time_ns", "time_ns") if name in rows.schema.names)
    return rows.sort_by([(first, "ascending"), ("flow_id", "ascending")])


def _added(rows: pa.Table) -> pa.Table:
    names = rows.schema.names
    keys = [name for name in names if name in _TAGS]
    meters = [
        (name, "max" if name.endswith("_max") or name == "direction_score" else "sum")
        for name in names
        if name not in _TAGS
    ]
    # Threads off: sums of doubles depend on their order.
    grouped = rows.group_by(keys, use_threads=False).aggregate(meters)
    grouped = (
        grouped.rename_columns([*keys, *(name for name, _ in meters)])
        if grouped.schema.names[0] == keys[0]
        else (grouped.rename_columns([*(name for name, _ in meters), *keys]))
    )
    return grouped.select(names).sort_by([(key, "ascending") for key in keys])
