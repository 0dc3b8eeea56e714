"""Adds the buckets that no row fell into: for storages that cannot do it themselves, on the small result of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaflow_core.errors import QueryError
from metaflow_core.query.plan import Fill

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_FILLED_ROWS", "fill_table"]

MAX_FILLED_ROWS = 1_000_000
"""No result is filled up to more rows than this."""

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def fill_table(table: pa.Table, fill: Fill) -> pa.Table:
    """The rows of ``table`` and, for every combination of ``fill.keys`` that occurs, one row for each missing bucket.

    Rows come combination by combination in the order of their first appearance, in each by time. Without any row there is no
    combination, and nothing is added unless there are no keys.

    :raises QueryError: the result would have more than :data:`MAX_FILLED_ROWS` rows, or the step is not positive.
    """
    import pyarrow as pa

    if fill.step_s <= 0:
        raise QueryError("the step of a filled range is at least one second")
    unit = _PER_SECOND[table.schema.field(fill.bucket).type.unit]
    moments = table.column(fill.bucket).cast(pa.int64()).to_pylist()
    keys = list(zip(*(_hashable(table.column(key).to_pylist()) for key in fill.keys), strict=True)) or [()] * len(
        moments
    )
    rows: dict[tuple[Any, ...], dict[int, int]] = {} if fill.keys else {(): {}}
    extra: list[int] = []
    starts = range(fill.start_s * unit, fill.end_s * unit, fill.step_s * unit)
    for index, (key, moment) in enumerate(zip(keys, moments, strict=True)):
        if moment in starts:
            rows.setdefault(key, {})[moment] = index
        else:
            rows.setdefault(key, {})
            extra.append(index)
    if len(rows) * len(starts) > MAX_FILLED_ROWS:
        raise QueryError(
            f"{len(rows)} groups of {len(starts)} intervals are more than {MAX_FILLED_ROWS} rows; widen the interval or narrow the range"
        )
    first = {key: next((i for i, each in enumerate(keys) if each == key), None) for key in rows}
    columns: dict[str, pa.Array] = {}
    indices = [by_moment.get(moment) for by_moment in rows.values() for moment in starts]
    taken = table.take(pa.array([*indices, *extra], pa.int64()))
    for name in table.column_names:
        column = taken.column(name)
        if name == fill.bucket:
            filled = [*(moment for _ in rows for moment in starts), *(moments[index] for index in extra)]
            columns[name] = pa.array(filled, pa.int64()).cast(column.type)
        elif name in fill.keys:
            owner = pa.array([*(first[key] for key in rows for _ in starts), *extra], pa.int64())
            columns[name] = table.column(name).take(owner)
        else:
            columns[name] = _filled(column, indices, extra, fill.value)
    out = pa.table(columns, schema=table.schema)
    return out if not extra else out.sort_by([(fill.bucket, "ascending")])


def _hashable(values: list[Any]) -> list[Any]:
    return [tuple(value) if isinstance(value, list) else value for value in values]


def _filled(column: pa.ChunkedArray, indices: list[int | None], extra: list[int], value: int | None) -> pa.ChunkedArray:
    """Only added rows get the value: a value that was missing before stays so. Texts and lists have no 0 and stay missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if value is None or not numeric:
        return column
    added = pa.array([*(index is None for index in indices), *(False for _ in extra)])
    return pc.if_else(added, pa.scalar(value, column.type), column)
