"""How a table lies in ClickHouse: names, keys, partitions, expiry, indexes. Text only; SQLAlchemy is not needed for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from metaflow_core.model.catalog import Catalog, Column, Table
from metaflow_core.query import labels_of
from metaflow_storage_clickhouse.schema.sums import Sums, sums_of
from metaflow_storage_clickhouse.schema.types import stored_type
from metaflow_storage_clickhouse.sql.quote import identifier, table_name

__all__ = ["Layout", "root_of"]

_PARTITIONS = {"week": "toMonday({})", "month": "toStartOfMonth({})", "1d": "toDate({})", "1h": "toStartOfHour({})"}
_WIDE = ("list_string", "list_f64", "list_u32", "list_i64")
_BITS = re.compile(r"(?:SimpleAggregateFunction\(\w+, )?(?:Nullable\()?(?:U?Int(?:16|32|64)|DateTime64\([^()]*\))\)*")


def root_of(table: Table, catalog: Catalog) -> Table:
    """The table that rows are written to, of which this one is rolled up.

    Each rollup is made from there and not from the next finer one, so that each can be made again by itself.
    """
    while table.rolled_from:
        table = catalog.tables[table.rolled_from]
    return table


@dataclass(frozen=True, slots=True)
class Layout:
    """Decisions that the options allow.

    :ivar retention: ``default`` (hours of the catalogue) or ``forever``.
    :ivar hours: hours by table name, or by name without precision; wins over ``retention``.
    :ivar codec: compression of columns. :ivar cluster: name of a cluster; empty for one node.
    :ivar fsync: parts reach the disk before an insert returns. :ivar minute_sums: sums by minute are kept beside the rows.
    """

    retention: Literal["default", "forever"] = "default"
    hours: Mapping[str, int] = field(default_factory=dict)
    codec: str = "ZSTD(1)"
    cluster: str = ""
    fsync: bool = False
    minute_sums: bool = True

    def codec_of(self, type_: str) -> str:
        """Compression of a column of one of ClickHouse's types.

        Numbers first lose the bits that none of a block's has: a duration in 64 bits takes 2 bytes either way, and a third of the CPU to
        be read (measured: 2 million durations 15 ms against 48, times 20 against 62; what is nearly sorted stays as it was).
        """
        plain = self.codec.partition("(")[0]
        return f"T64, {self.codec}" if plain in ("ZSTD", "LZ4", "LZ4HC") and _BITS.fullmatch(type_) else self.codec

    def settings(self) -> dict[str, int]:
        """Settings of every table. Repeated batches are found by their number in the rows, so the engine keeps no log of blocks.

        What an insert makes is one file for all columns, whatever its size: a file a column costs more than what is in it, and merges
        make these soon.
        """
        window = {} if self.cluster else {"non_replicated_deduplication_window": 0}
        on = int(self.fsync)
        return {
            "min_level_for_wide_part": 1,
            "ttl_only_drop_parts": 1,
            "fsync_after_insert": on,
            "fsync_part_directory": on,
            **window,
        }

    def physical(self, table: str) -> str:
        """Quoted name of the table that holds the rows: on a cluster each shard has one of its own."""
        return table_name(f"{table}_local" if self.cluster else table)

    def on_cluster(self) -> str:
        """`` ON CLUSTER x``, or nothing."""
        return f" ON CLUSTER {identifier(self.cluster)}" if self.cluster else ""

    def partition_by(self, table: Table) -> str:
        """Expression of the partition."""
        time = identifier(table.time)
        known = _PARTITIONS.get(table.partition)
        if known is not None:
            return known.format(time)
        unit = {"h": "HOUR", "d": "DAY"}[table.partition[-1]]
        return f"toStartOfInterval({time}, INTERVAL {int(table.partition[:-1])} {unit})"

    def primary_key(self, table: Table) -> tuple[str, ...]:
        """What rows are found by."""
        return tuple(identifier(name) for name in table.order_key)

    def order_by(self, table: Table) -> tuple[str, ...]:
        """What rows are sorted by. Rows of a rollup become one where every column that is no metric is equal."""
        if not table.rolled_from:
            return self.primary_key(table)
        rest = [c.name for c in table.columns if not c.roll and c.name not in table.order_key and c.type not in _WIDE]
        return (*self.primary_key(table), *(identifier(name) for name in rest))

    def hours_of(self, table: Table) -> int:
        """Hours that rows are kept; 0 for ever."""
        hours = self.hours.get(table.name, self.hours.get(table.family))
        return hours if hours is not None else table.ttl_hours if self.retention == "default" else 0

    def ttl(self, table: Table) -> str:
        """When rows go; empty for never.

        By the time of the row or of its storing, whichever is later: a capture of last year is kept as long as one of today.
        """
        hours = self.hours_of(table)
        if not hours:
            return ""
        time = identifier(table.time)
        if table.column(table.time).type != "time_s":
            time = f"toDateTime({time}, 'UTC')"
        return f"greatest({time}, `_stored`) + INTERVAL {hours} HOUR"

    def indexes(self, table: Table) -> tuple[tuple[str, str], ...]:
        """Skip indexes: name and definition. For columns that one row in a million is looked for by."""
        if table.rolled_from or table.precision:
            return ()
        found = []
        for column in table.columns:
            kind = _index(column)
            if kind and column.name not in table.order_key:
                found.append((f"skip_{column.name}", f"{identifier(column.name)} TYPE {kind}"))
        return tuple(found)

    def sums(self, table: Table) -> tuple[Sums, ...]:
        """Sums by minute that are kept beside the rows."""
        return sums_of(table) if self.minute_sums else ()

    def columns(self, table: Table) -> dict[str, str]:
        """Type of each column of the catalogue that rows hold; labels of series are elsewhere."""
        labels = labels_of(table)
        elsewhere = () if labels is None else (labels.names, labels.values)
        return {column.name: stored_type(column, table) for column in table.columns if column.name not in elsewhere}

    def view(self, table: Table) -> str:
        """Name of the view that fills a rollup, quoted."""
        return table_name(f"{table.name}_fill")

    def rollup(self, table: Table, source: Table, *, whole: bool = False) -> str:
        """The SELECT that makes rows of a rollup from rows of its source.

        :param whole: from the rows of all shards, not those of the shard that it runs on.
        """
        place = table_name(source.name) if whole else self.physical(source.name)
        time = identifier(table.time)
        step = table.interval_s
        start = f"toDateTime(intDiv(toUnixTimestamp(src.{time}), {step}) * {step}, 'UTC')"
        keys, listed = [f"`#{table.time}`"], [f"{start} AS `#{table.time}`"]
        for column in table.columns:
            name = identifier(column.name)
            if column.name == table.time:
                continue
            alias = identifier(f"#{column.name}")
            if column.roll:
                call = {"sum": "sum", "max": "max"}.get(column.roll, "anyLast")
                listed.append(f"{call}(src.{name}) AS {alias}")
            elif column.type in _WIDE:
                listed.append(f"any(src.{name}) AS {alias}")
            else:
                keys.append(alias)
                listed.append(f"src.{name} AS {alias}")
        listed.append("max(src.`_stored`) AS `#_stored`")
        inner = f"SELECT {', '.join(listed)} FROM {place} AS src{{where}} GROUP BY {', '.join(keys)}"
        outer = ", ".join(
            f"{identifier('#' + name)} AS {identifier(name)}"
            for name in (*(column.name for column in table.columns), "_stored")
        )
        return f"SELECT {outer} FROM ({inner})"


def _index(column: Column) -> str:
    if column.name in ("trace_id", "_trace_id_2"):
        # looked for in all of time: each granule that the filter takes wrongly is read, so it is a filter that seldom is wrong
        return "bloom_filter(0.001) GRANULARITY 4"
    if column.type == "string" and column.group == "tracing":
        return "bloom_filter(0.01) GRANULARITY 4"
    if column.base.startswith("syscall_trace_id") or column.name == "trace_id_index":
        return "bloom_filter(0.01) GRANULARITY 4"
    if column.name == "body" and column.type == "string":
        return "tokenbf_v1(8192, 3, 0) GRANULARITY 4"
    return ""
