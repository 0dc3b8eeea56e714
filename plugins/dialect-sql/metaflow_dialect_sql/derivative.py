"""``Derivative``: the change from one bucket to the next, by seconds. Plans cannot say it, so it is computed on the buckets' rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from metaflow_dialect_sql.question import Question

__all__ = ["with_derivatives"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def with_derivatives(table: pa.Table, question: Question, rows: int) -> pa.Table:
    """The rows with each derivative in place of its value, then ordered and cut as the question asks.

    A bucket whose predecessor has no row, and the first of a series, have no derivative.
    """
    assert question.bucket is not None
    names = {getattr(item.expression, "name", ""): item.output.name for item in (*question.items, *question.hidden)}
    moments = table.column(names[question.bucket_key])
    unit = _PER_SECOND[moments.type.unit]
    times = [None if each is None else each // unit for each in moments.cast(pa.int64()).to_pylist()]
    keys = [names[name] for name, _ in question.keys or () if name != question.bucket_key]
    series = list(zip(*(table.column(key).to_pylist() for key in keys), strict=True)) if keys else [()] * table.num_rows
    place = {(key, moment): index for index, (key, moment) in enumerate(zip(series, times, strict=True))}
    step = question.bucket.step_s
    for name in question.derivatives:
        values = table.column(name).to_pylist()
        changes: list[float | None] = []
        for key, moment, value in zip(series, times, values, strict=True):
            before = None if moment is None else place.get((key, moment - step))
            changes.append(_change(value, None if before is None else values[before], step))
        table = table.set_column(table.column_names.index(name), name, pa.array(changes, pa.float64()))
    return _ordered(table, question).slice(question.offset, rows)


def _change(value: Any, before: Any, step: int) -> float | None:
    return None if value is None or before is None else (value - before) / step


def _ordered(table: pa.Table, question: Question) -> pa.Table:
    """Stable, with missing values last whatever the direction, as plans have it."""
    import pyarrow.compute as pc

    order = pa.array(range(table.num_rows), pa.int64())
    for each in reversed(question.order):
        values = table.column(each.name).combine_chunks().take(order)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        direction = "descending" if each.descending else "ascending"
        order = order.take(pc.array_sort_indices(values, order=direction, null_placement="at_end"))
    return table.take(order)
