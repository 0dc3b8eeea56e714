"""Runs a prepared plan node by node."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Column
from metaflow_core.model.catalog.arrow import arrow_schema
from metaflow_core.model.catalog.conform import filler
from metaflow_core.model.expression import Ref
from metaflow_core.query import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Grid,
    Limit,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    TimeRange,
)
from metaflow_core.query.fill import fill_table
from metaflow_storage_memory.expression import evaluate, mask
from metaflow_storage_memory.folds import aggregate
from metaflow_storage_memory.frame import Frame, plain
from metaflow_storage_memory.names import Names

__all__ = ["Runner"]

_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class Runner:
    """Runs plans over batches.

    :param batches: gives what is kept of a table.
    """

    def __init__(self, catalog: Catalog, batches: Callable[[str], list[pa.RecordBatch]], names: Names) -> None:
        self._catalog = catalog
        self._batches = batches
        self._names = names

    def run(self, plan: Plan) -> Frame:
        """The rows of a prepared plan.

        :raises QueryError: it cannot be answered here.
        """
        match plan:
            case Scan():
                return self._scan(plan)
            case Filter(source, predicate):
                frame = self.run(source)
                return frame.filter(mask(predicate, frame))
            case Project(source, columns):
                frame = self.run(source)
                arrays = {each.name: evaluate(each.expression, frame) for each in columns}
                known = {
                    each.name: frame.columns[each.expression.name]
                    for each in columns
                    if isinstance(each.expression, Ref) and each.expression.name in frame.columns
                }
                return Frame(frame.rows, arrays, known)
            case Aggregate(source):
                return aggregate(plan, self.run(source))
            case Resolve(source):
                return self._names.resolve(plan, self.run(source))
            case Sort(source, keys):
                return _sort(self.run(source), [(key.name, key.descending) for key in keys])
            case Limit(source, count, offset):
                return self.run(source).slice(offset, count)
            case Fill(source):
                frame = self.run(source)
                return _frame(fill_table(frame.to_table(), plan), dict(frame.columns))
            case Combine(many, keys):
                return _combine([self.run(each) for each in many], keys)
            case SemiJoin(source, keys, other):
                return _semi_join(self.run(source), self.run(other), keys)
            case Grid():
                raise UnsupportedQuery("the memory storage computes no grids; read the samples instead")

    def _scan(self, scan: Scan) -> Frame:
        table = self._catalog.table(scan.table)
        names = scan.columns or tuple(column.name for column in table.columns)
        schema = arrow_schema(table, names)
        parts = []
        for batch in self._batches(table.name):
            arrays = [_column(batch, table.column(name)) for name in names]
            if scan.time is not None:
                inside = _within(_column(batch, table.column(table.time)), scan.time)
                arrays = [array.filter(inside) for array in arrays]
            parts.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        whole = pa.Table.from_batches(parts, schema=schema)
        return _frame(whole.unify_dictionaries(), {name: table.column(name) for name in names})


def _column(batch: pa.RecordBatch, column: Column) -> pa.Array:
    """A column of a stored batch; columns that the producer did not send are not stored."""
    index = batch.schema.get_field_index(column.name)
    return batch.column(index) if index >= 0 else filler(column, batch.num_rows)


def _frame(table: pa.Table, columns: dict[str, Column]) -> Frame:
    arrays: dict[str, pa.Array] = {}
    for name in table.column_names:
        column = table.column(name)
        arrays[name] = (
            column.chunk(0)
            if column.num_chunks == 1
            else pa.concat_arrays(column.chunks)
            if column.num_chunks
            else pa.nulls(0, column.type)
        )
    return Frame(table.num_rows, arrays, columns)


def _within(times: pa.Array, span: TimeRange) -> pa.Array:
    """Whether each moment lies in the range; bounds between two moments of the column's unit are rounded up."""
    unit = _NS[times.type.unit]
    start, end = -(-span.start_ns // unit), -(-span.end_ns // unit)
    moments = times.cast(pa.int64())
    return pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))


def _sort(frame: Frame, keys: list[tuple[str, bool]]) -> Frame:
    """Stable, with missing values last whatever the direction."""
    order = pa.array(range(frame.rows), pa.int64()) if not keys else None
    for name, descending in reversed(keys):
        values = plain(frame.arrays[name])
        if order is not None:
            values = values.take(order)
        direction = "descending" if descending else "ascending"
        indices = pc.array_sort_indices(values, order=direction, null_placement="at_end")
        order = indices if order is None else order.take(indices)
    return frame.take(order)


def _combine(frames: list[Frame], keys: tuple[str, ...]) -> Frame:
    """Rows of the same key side by side: the row numbers are grouped, so that columns of any type can be taken."""
    parts = []
    for index, frame in enumerate(frames):
        columns = {f"k{i}": plain(frame.arrays[key]) for i, key in enumerate(keys)} or {
            "k": pa.nulls(frame.rows, pa.int8())
        }
        rows = pa.array(range(frame.rows), pa.int64())
        empty = pa.nulls(frame.rows, pa.int64())
        parts.append(pa.table({**columns, **{f"r{i}": rows if i == index else empty for i in range(len(frames))}}))
    names = [name for name in parts[0].column_names if name.startswith("k")]
    grouped = (
        pa.concat_tables(parts)
        .group_by(names, use_threads=False)
        .aggregate([(f"r{i}", "max") for i in range(len(frames))])
    )
    whole = _frame(grouped, {})
    out = {key: whole.arrays[f"k{i}"] for i, key in enumerate(keys)}
    known: dict[str, Column] = {}
    for index, frame in enumerate(frames):
        taken = frame.take(whole.arrays[f"r{index}_max"])
        out.update((name, array) for name, array in taken.arrays.items() if name not in keys)
        known.update(frame.columns)
    return Frame(whole.rows, out, known)


def _semi_join(frame: Frame, other: Frame, keys: tuple[str, ...]) -> Frame:
    def side(part: Frame, rows: pa.Array, present: bool) -> pa.Table:
        columns = {f"k{i}": plain(part.arrays[key]) for i, key in enumerate(keys)}
        return pa.table({**columns, "row": rows, "there": pa.repeat(pa.scalar(int(present)), part.rows)})

    both = pa.concat_tables(
        [
            side(frame, pa.array(range(frame.rows), pa.int64()), present=False),
            side(other, pa.nulls(other.rows, pa.int64()), present=True),
        ],
        promote_options="permissive",
    )
    names = [f"k{i}" for i in range(len(keys))]
    groups = _frame(both.group_by(names, use_threads=False).aggregate([("row", "list"), ("there", "max")]), {})
    lists = groups.arrays["row_list"].filter(pc.equal(groups.arrays["there_max"], 1))
    rows = pc.list_flatten(lists).drop_null()
    return frame.take(rows.take(pc.array_sort_indices(rows)))
