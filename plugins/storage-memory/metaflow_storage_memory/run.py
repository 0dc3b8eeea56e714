"""Runs a prepared plan node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Column, Table
from metaflow_core.model.catalog.conform import filler
from metaflow_core.model.expression import Ref
from metaflow_core.query import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Grid,
    Limit,
    Named,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    TimeRange,
    span_of,
)
from metaflow_core.query.columns import Frame, evaluate, mask, plain, whole
from metaflow_core.query.fill import fill_table
from metaflow_storage_memory.folds import aggregate
from metaflow_storage_memory.joins import combine, semi_join
from metaflow_storage_memory.names import Names
from metaflow_storage_memory.series import Series

__all__ = ["Runner"]

_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class Runner:
    """Runs plans over batches.

    :param batches: gives what is kept of a table.
    """

    def __init__(
        self, catalog: Catalog, batches: Callable[[str], list[pa.RecordBatch]], names: Names, series: Series
    ) -> None:
        self._catalog = catalog
        self._batches = batches
        self._names = names
        self._series = series

    def table(self, plan: Plan) -> pa.Table:
        """The rows of a prepared plan as an Arrow table; scans and filters stay in the batches that were written.

        :raises QueryError: it cannot be answered here.
        """
        tables = [frame.to_table() for frame in self._stream(plan)]
        return pa.concat_tables(tables).unify_dictionaries()

    def run(self, plan: Plan) -> Frame:
        """The rows of a prepared plan in one piece.

        :raises QueryError: it cannot be answered here.
        """
        match plan:
            case Aggregate(source):
                return aggregate(plan, self.run(source))
            case Sort(source, keys):
                return _sort(self.run(source), [(key.name, key.descending) for key in keys])
            case Fill(source):
                frame = self.run(source)
                return whole(fill_table(frame.to_table(), plan), frame.columns)
            case Combine(many, keys):
                return combine([self.run(each) for each in many], keys)
            case SemiJoin(source, keys, other):
                return semi_join(self.run(source), self.run(other), keys)
            case Grid():
                raise UnsupportedQuery("the memory storage computes no grids; read the samples instead")
            case _:
                frames = list(self._stream(plan))
                if len(frames) == 1:
                    return frames[0]
                return whole(pa.concat_tables([frame.to_table() for frame in frames]), frames[0].columns)

    def _stream(self, plan: Plan) -> Iterator[Frame]:
        """The rows piece by piece, at least one piece (perhaps without rows)."""
        match plan:
            case Scan():
                yield from (frame for frame, _ in self._scan(plan))
            case Filter(source, predicate):
                for frame in self._stream(source):
                    yield frame.filter(mask(predicate, frame))
            case Project(source, columns):
                for frame in self._stream(source):
                    yield _project(frame, columns)
            case Resolve(Scan() as source):
                for frame, seconds in self._scan(source, timed=True):
                    yield self._names.resolve(plan, frame, seconds, 0)
            case Resolve(source):
                span = span_of(source)
                second = 0 if span is None else span.start_ns // _NS["s"]
                for frame in self._stream(source):
                    yield self._names.resolve(plan, frame, None, second)
            case Limit(source, count, offset):
                yield from _limit(self._stream(source), count, offset)
            case _:
                yield self.run(plan)

    def _scan(self, scan: Scan, *, timed: bool = False) -> Iterator[tuple[Frame, pa.Array | None]]:
        """The rows, and the second of each if wanted."""
        table = self._catalog.table(scan.table)
        names = scan.columns or tuple(column.name for column in table.columns)
        columns = {name: table.column(name) for name in names}
        batches = self._batches(table.name)
        if not batches:
            yield Frame(0, {name: filler(column, 0) for name, column in columns.items()}, columns), None
        for batch in batches:
            arrays = {name: self._column(batch, table, column) for name, column in columns.items()}
            frame = Frame(batch.num_rows, arrays, columns)
            times = _column(batch, table.column(table.time)) if timed or scan.time is not None else None
            seconds = _seconds(times) if timed else None
            if scan.time is not None:
                kept = _within(times, scan.time)
                frame = frame.filter(kept)
                seconds = None if seconds is None else seconds.filter(kept)
            yield frame, seconds

    def _column(self, batch: pa.RecordBatch, table: Table, column: Column) -> pa.Array:
        place = self._series.place(table)
        if place is None or column.name not in (place.names, place.values):
            return _column(batch, column)
        return self._series.lists(place, column.name, _column(batch, table.column(place.number)))


def _project(frame: Frame, columns: tuple[Named, ...]) -> Frame:
    arrays = {each.name: evaluate(each.expression, frame) for each in columns}
    known = {
        each.name: frame.columns[each.expression.name]
        for each in columns
        if isinstance(each.expression, Ref) and each.expression.name in frame.columns
    }
    return Frame(frame.rows, arrays, known)


def _limit(frames: Iterator[Frame], count: int, offset: int) -> Iterator[Frame]:
    """Stops asking for pieces when it has enough rows."""
    for frame in frames:
        piece = frame.slice(min(offset, frame.rows), count)
        offset -= min(offset, frame.rows)
        count -= piece.rows
        yield piece
        if not count:
            return


def _column(batch: pa.RecordBatch, column: Column) -> pa.Array:
    """A column of a stored batch; columns that the producer did not send are not stored."""
    index = batch.schema.get_field_index(column.name)
    return batch.column(index) if index >= 0 else filler(column, batch.num_rows)


def _seconds(times: pa.Array) -> pa.Array:
    return pa.array(np.asarray(times.cast(pa.int64())) // (_NS["s"] // _NS[times.type.unit]))


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
