"""Stores batches exactly once, several together.

Every row carries the number of its batch in the column ``_batch`` (a hash of the batch's id). Before a batch that this process has not
stored itself is inserted, the rows that its number has in the table already are counted, within the time of the batch's own rows,
which partitions and the primary key make cheap. An insert is all or nothing in each partition, so a count is 0, all, or the whole
partitions that were stored before a crash; in the last case they are removed and the batch is stored anew. Nothing depends on a log
beside the data, which a kill could leave ahead of it or behind it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.api import Counters
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.model.catalog.conform import filler
from metaflow_storage_clickhouse.engines.base import Engine, Insert, Settings
from metaflow_storage_clickhouse.native import encode_parts
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.migrate import rebuild_rollup
from metaflow_storage_clickhouse.schema.types import HIDDEN, column_type
from metaflow_storage_clickhouse.series import SeriesBook
from metaflow_storage_clickhouse.sql.quote import identifier, literal, table_name

__all__ = ["Item", "Writer", "batch_number"]

_REMEMBERED = 100_000
_CEILING = 1 << 40


@dataclass(frozen=True, slots=True)
class Item:
    """A batch that fits its table.

    :ivar number: of the batch; 0 for one that cannot be repeated.
    """

    data: pa.RecordBatch
    number: int = 0


def batch_number(table: str, batch_id: str) -> int:
    """128 bits that stand for a batch's id; 0 for none."""
    if not batch_id:
        return 0
    return int.from_bytes(hashlib.blake2b(f"{table}\0{batch_id}".encode(), digest_size=16).digest(), "little") or 1


class Writer:
    """Inserts groups of batches; called from one thread a table at a time."""

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        layout: Layout,
        counters: Counters,
        settings: Settings,
        series: SeriesBook | None = None,
    ) -> None:
        self._series = series or SeriesBook(engine, catalog, layout)
        self._engine = engine
        self._catalog = catalog
        self._layout = layout
        self._counters = counters
        self._settings = {
            # One block a batch and one part a partition: the engine must not cut what it gets.
            "max_partitions_per_insert_block": 0,
            "min_insert_block_size_rows": 10_000_000,
            "min_insert_block_size_bytes": _CEILING,
            "max_insert_threads": 1,
            "async_insert": 0,
            **settings,
        }
        self._done: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._lock = threading.Lock()
        self._rollups: dict[str, list[Table]] = {}
        for table in catalog.tables.values():
            if table.rolled_from:
                from metaflow_storage_clickhouse.schema.layout import root_of

                self._rollups.setdefault(root_of(table, catalog).name, []).append(table)

    def store(self, table: Table, items: Sequence[Item]) -> int:
        """Store what is not stored yet; when this returns, every batch is safe.

        :returns: rows that were new. :raises ClickHouseError: nothing is promised; the same batches may be sent again.
        """
        fresh: list[Item] = []
        seen: set[int] = set()
        for item in items:
            if item.number and (item.number in seen or self._is_done(table.name, item.number)):
                self._counters.add("received", item.data.num_rows, reason="duplicate_batch")
                continue
            seen.add(item.number)
            if item.data.num_rows:
                fresh.append(item)
        held = self._held(table, fresh)
        partial: list[Item] = []
        missing: list[Item] = []
        for item in fresh:
            rows = held.get(item.number, 0) if item.number else 0
            if rows == item.data.num_rows:
                self._counters.add("received", rows, reason="duplicate_batch")
                continue
            missing.append(item)
            if rows:
                partial.append(item)
        for item in partial:
            self._remove(table, item)
        self._insert(table, [replace(item, data=self._series.take(table, item.data)) for item in missing])
        if partial:
            self._rebuild(table, partial)
        for item in fresh:
            self._remember(table.name, item.number)
        rows = sum(item.data.num_rows for item in missing)
        if rows:
            self._counters.add("stored", rows)
        return rows

    def _is_done(self, table: str, number: int) -> bool:
        with self._lock:
            return (table, number) in self._done

    def _remember(self, table: str, number: int) -> None:
        if number:
            with self._lock:
                self._done[table, number] = None
                if len(self._done) > _REMEMBERED:
                    self._done.popitem(last=False)

    def _held(self, table: Table, items: Sequence[Item]) -> dict[int, int]:
        """How many rows of each batch are in the table."""
        numbered = [item for item in items if item.number]
        if not numbered:
            return {}
        time = identifier(table.time)
        spans = [_span(item.data, table) for item in numbered]
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        numbers = ", ".join(f"toUInt128('{item.number}')" for item in numbered)
        found = self._engine.query(
            f"SELECT toString(_batch) AS b, count() AS n FROM {table_name(table.name)} WHERE {time} >= {_moment(low)} AND "
            f"{time} <= {_moment(high)} AND _batch IN ({numbers}) GROUP BY _batch"
        ).to_pylist()
        return {int(row["b"]): int(row["n"]) for row in found}

    def _remove(self, table: Table, item: Item) -> None:
        self._engine.command(
            f"ALTER TABLE {self._layout.physical(table.name)}{self._layout.on_cluster()} DELETE "
            f"WHERE _batch = toUInt128('{item.number}') SETTINGS mutations_sync = 2"
        )

    def _insert(self, table: Table, items: Sequence[Item]) -> None:
        alike: dict[tuple[str, ...], list[Item]] = {}
        for item in items:
            alike.setdefault(tuple(item.data.schema.names), []).append(item)
        for names, group in alike.items():
            blocks = [_block(table, item, self._counters) for item in group]
            columns = [*(identifier(name) for name in names), "`_batch`"]
            token = hashlib.blake2b(repr(sorted(item.number for item in group)).encode(), digest_size=16).hexdigest()
            unique = {"insert_deduplication_token": token} if all(item.number for item in group) else {}
            self._engine.insert(Insert(table_name(table.name), columns, blocks, {**self._settings, **unique}))

    def _rebuild(self, table: Table, items: Sequence[Item]) -> None:
        """What is rolled up from a batch that was half stored may count some rows twice."""
        for rollup in self._rollups.get(table.name, ()):
            spans = [_span(item.data, table) for item in items]
            rebuild_rollup(
                self._engine,
                rollup,
                table,
                self._layout,
                min(span[0] for span in spans),
                max(span[1] for span in spans),
            )

    def roll_up_again(self, table: Table, first_s: int, last_s: int) -> None:
        """Make what is rolled up from the rows between two moments again, after these were changed.

        :raises ClickHouseError: something could not be made.
        """
        for rollup in self._rollups.get(table.name, ()):
            rebuild_rollup(self._engine, rollup, table, self._layout, first_s, last_s)

    def recover(self, recent_s: int = 600) -> list[str]:
        """After a process that did not close the store: rollups of what came last are made again.

        A kill can fall between the insert into a table and the insert into what is rolled up from it.

        :param recent_s: how long before the last stored row; longer than one insert takes.
        :returns: one line a rollup. :raises ClickHouseError: something could not be made.
        """
        done: list[str] = []
        for name, rollups in self._rollups.items():
            source = self._catalog.tables[name]
            time, where = identifier(source.time), self._layout.physical(name)
            span = self._engine.query(
                f"SELECT toInt64(toUnixTimestamp(min({time}))) AS low, toInt64(toUnixTimestamp(max({time}))) AS high, count() AS n "
                f"FROM {where} WHERE _stored >= (SELECT max(_stored) FROM {where}) - {recent_s}"
            ).to_pylist()
            if not span or not span[0]["n"]:
                continue
            for rollup in rollups:
                rebuild_rollup(self._engine, rollup, source, self._layout, int(span[0]["low"]), int(span[0]["high"]))
                done.append(f"{rollup.name} made again from {source.name}")
        return done


def _moment(second: int) -> str:
    return f"toDateTime({literal(min(max(second, 0), 0xFFFFFFFF))}, 'UTC')"


def _span(data: pa.RecordBatch, table: Table) -> tuple[int, int]:
    """First and last second of a batch's time column."""
    index = data.schema.get_field_index(table.time)
    column = data.column(index) if index >= 0 else filler(table.column(table.time), 1)
    ends = pc.min_max(column.cast(pa.timestamp("s", "UTC"), safe=False).cast(pa.int64()))
    return int(ends["min"].as_py()), int(ends["max"].as_py()) + 1


def _block(table: Table, item: Item, counters: Counters) -> list[memoryview]:
    columns = []
    for name, array in zip(item.data.schema.names, item.data.columns, strict=True):
        column = table.column(name)
        if column.type == "time_s" and len(array) > array.null_count:
            ends = pc.min_max(array.cast(pa.int64()))
            if ends["min"].as_py() < 0 or ends["max"].as_py() > 0xFFFFFFFF:
                seconds = array.cast(pa.int64())
                outside = pc.or_(pc.less(seconds, 0), pc.greater(seconds, 0xFFFFFFFF)).true_count
                counters.add("received", outside, reason="time_out_of_range")
        columns.append((name, column_type(column), array))
    return encode_parts(
        columns, item.data.num_rows, (("_batch", HIDDEN["_batch"], item.number.to_bytes(16, "little")),)
    )
